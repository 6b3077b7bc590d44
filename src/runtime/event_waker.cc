#include "runtime/event_waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace atrium::runtime {

EventWaker::EventWaker() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CHECK(descriptor_ >= 0);
}

EventWaker::~EventWaker() {
  ::close(descriptor_);
}

void EventWaker::wake() {
  // Only the first of several wakes pays for a system call.
  if (is_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the descriptor is readable as it should be.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
}

void EventWaker::acknowledge() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(descriptor_, &count, sizeof count);
  // After the read: a wake that comes between the two is seen by the caller's look at its rings, one that comes later
  // writes again.
  is_pending_.exchange(false, std::memory_order_acq_rel);
}

void YieldingWaker::wake() {
  waker_.wake();
  std::this_thread::yield();
}

}  // namespace atrium::runtime
