#include "runtime/clock.h"

#include <ctime>

#include "base/check.h"

namespace atrium::runtime {
namespace {

Duration read(clockid_t which) {
  timespec at{};
  CHECK(::clock_gettime(which, &at) == 0);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(at.tv_sec) +
                                              std::chrono::nanoseconds(at.tv_nsec));
}

}  // namespace

Now read_clock() {
  return {Mono(read(CLOCK_BOOTTIME)), Wall(read(CLOCK_REALTIME))};
}

}  // namespace atrium::runtime
