#include "runtime/thread_slice.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace atrium::runtime {
namespace {

// sched_setattr(2); the kernel's own header cannot stand beside the C library's.
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = 0;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime = 0, deadline = 0, period = 0;  // ns; runtime is the slice
};
constexpr uint64_t kShortestSliceNs = 100'000;  // what the kernel accepts at least

}  // namespace

void ask_for_short_slice() {
  SchedulingAttributes wish;
  constexpr int kThisThread = 0;
  if (::syscall(SYS_sched_getattr, kThisThread, &wish, sizeof wish, 0) != 0) return;
  wish.runtime = kShortestSliceNs;
  // Refused, the thread runs as before.
  [[maybe_unused]] const long rc = ::syscall(SYS_sched_setattr, kThisThread, &wish, 0);
}

}  // namespace atrium::runtime
