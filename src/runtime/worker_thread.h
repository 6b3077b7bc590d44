// WorkerThread: the loop of one helper thread (store, sctp, dns).  Calls a WorkerHandler when woken
// and at its deadline.
// Owner: the app.  All handler calls are made on the new thread, one at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "node/ports.h"
#include "runtime/event_waker.h"

namespace atrium::runtime {

class WorkerThread {
 public:
  // How a wake gets its core where another thread of ours is on it.
  enum class Wakes : uint8_t {
    AtOnce,  // as any thread's
    InTurn,  // when the other waits or its slice is over (SCHED_BATCH, sched(7)): several wakes become one
  };
  explicit WorkerThread(std::string name,  // at most 15 bytes are shown by the kernel
                        Wakes wakes = Wakes::AtOnce);
  ~WorkerThread();  // stops and joins
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  // Once.  `handler` must outlive stop().  It is woken once at the start.
  void start(node::WorkerHandler& handler);
  // Wakes the handler one last time, so that what the rings hold is still taken, then ends and joins.  Idempotent.
  void stop();

  node::Waker& waker() { return waker_; }  // valid before start

 private:
  void loop(node::WorkerHandler& handler);

  // given
  std::string name_;
  const Wakes wakes_;
  // owned
  EventWaker waker_;
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;
};

}  // namespace atrium::runtime
