// EventWaker: wakes one thread's loop through an eventfd.  Several wakes before the loop looks are one wake.
// Owner: the loop it wakes.  wake() from any thread; everything else from the loop's thread.
#pragma once

#include <atomic>

#include "base/result.h"
#include "node/ports.h"

namespace atrium::runtime {

class EventWaker final : public node::Waker {
 public:
  EventWaker();  // aborts when the process has no descriptor left for it: the node cannot start without
  ~EventWaker() override;
  EventWaker(const EventWaker&) = delete;
  EventWaker& operator=(const EventWaker&) = delete;

  void wake() override;

  // Readable while a wake waits.  Stays owned by this object.
  int descriptor() const { return descriptor_; }
  // Takes the wakes that wait.  Look at rings after this call, never before: a later wake is then
  // seen by the next poll.
  void acknowledge();

 private:
  int descriptor_ = -1;
  std::atomic<bool> is_pending_{false};
};

}  // namespace atrium::runtime
