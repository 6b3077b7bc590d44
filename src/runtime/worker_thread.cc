#include "runtime/worker_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include <utility>

#include "base/check.h"
#include "runtime/clock.h"
#include "runtime/loop_wait.h"

namespace atrium::runtime {

WorkerThread::WorkerThread(std::string name, Wakes wakes) : name_(std::move(name)), wakes_(wakes) {}

WorkerThread::~WorkerThread() {
  stop();
}

void WorkerThread::start(node::WorkerHandler& handler) {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this, &handler] { loop(handler); });
}

void WorkerThread::stop() {
  if (!thread_.joinable()) return;
  is_stopping_.store(true, std::memory_order_release);
  waker_.wake();
  thread_.join();
}

void WorkerThread::loop(node::WorkerHandler& handler) {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  // Where a sandbox forbids it, or an operator chose another policy for all threads, wakes are as any other's.
  const sched_param no_priority{};
  if (wakes_ == Wakes::InTurn && ::sched_getscheduler(0) == SCHED_OTHER)
    ::sched_setscheduler(0, SCHED_BATCH, &no_priority);
  handler.on_wake(read_clock());
  while (true) {
    pollfd waiting{waker_.descriptor(), POLLIN, 0};
    const auto timeout = time_until(handler.next_deadline(), read_clock().mono);
    ::ppoll(&waiting, 1, timeout ? &*timeout : nullptr, nullptr);
    const bool is_woken = (waiting.revents & POLLIN) != 0;
    if (is_woken) waker_.acknowledge();
    // Read after the acknowledgement, or a stop() that comes between the two would find its wake already pending and
    // write none; and before the rings are looked at, so that the last look comes after the decision to stop.
    const bool is_last_turn = is_stopping_.load(std::memory_order_acquire);
    if (is_woken || is_last_turn) handler.on_wake(read_clock());
    if (is_last_turn) return;
    const Now now = read_clock();
    if (handler.next_deadline() <= now.mono) handler.on_deadline(now);
  }
}

}  // namespace atrium::runtime
