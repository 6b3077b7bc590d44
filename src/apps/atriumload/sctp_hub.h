// SctpHub: the process's one SctpWorld, shared by the workers under a lock.  Owner: main.
// A transport's number modulo the count of workers is the worker that it belongs to.
// Does not: have a thread of its own; whichever worker comes first at its deadline moves its clock.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/time.h"
#include "media/sctp.h"
#include "runtime/event_waker.h"

namespace atrium::load {

class SctpHub {
 public:
  explicit SctpHub(size_t workers) : inboxes_(workers) {}
  // Before the threads start.  `waker` outlives the hub's use.
  void set_waker(size_t worker, runtime::EventWaker& waker) { inboxes_[worker].waker = &waker; }

  // Takes a worker's words; what came of it for that worker is returned, the others are woken for theirs.
  std::vector<media::SctpEvent> exchange(size_t worker, std::vector<media::SctpCommand> commands,
                                         Now now);
  Mono next_deadline() const;

 private:
  struct Inbox {
    std::vector<media::SctpEvent> events;
    runtime::EventWaker* waker = nullptr;
  };
  Mono due() const;  // under the lock

  mutable std::mutex mutex_;
  media::SctpWorld world_;
  std::vector<Inbox> inboxes_;
  Mono ticked_at_{};
};

TransportId transport_of(const media::SctpEvent& event);

}  // namespace atrium::load
