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

// Wakes, and lets the woken thread in at once: where it was woken on the caller's own core it would wait for the end of
// the caller's slice, some milliseconds.  For what is rare and urgent.
class YieldingWaker final : public node::Waker {
 public:
  explicit YieldingWaker(node::Waker& waker) : waker_(waker) {}
  void wake() override;

 private:
  node::Waker& waker_;
};

}  // namespace atrium::runtime
