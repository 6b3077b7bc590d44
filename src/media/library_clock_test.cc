#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "media/library_clock_testing.h"

namespace {
bool is_virtual = false;
timeval virtual_time{};
}  // namespace

// Takes the place of libc's in this binary, for the shared libraries too.
extern "C" int gettimeofday(timeval* out, void*) noexcept {
  if (!is_virtual) return static_cast<int>(syscall(SYS_gettimeofday, out, nullptr));
  *out = virtual_time;
  return 0;
}

namespace atrium::media {
namespace {

void show(Now now) {
  const int64_t us = now.wall.time_since_epoch().count();
  virtual_time = {.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
}

}  // namespace

LibraryClock::LibraryClock()
    : now_{.mono = Mono(std::chrono::seconds(1'000)), .wall = wall_from_unix_s(1'800'000'000)} {
  show(now_);
  is_virtual = true;
}
LibraryClock::~LibraryClock() {
  is_virtual = false;
}

void LibraryClock::advance(Duration by) {
  now_.mono += by;
  now_.wall += by;
  show(now_);
}
void LibraryClock::advance_to(Mono mono) {
  if (mono > now_.mono) advance(mono - now_.mono);
}

namespace {

TEST(LibraryClock, is_what_gettimeofday_shows) {
  LibraryClock clock;
  clock.advance(1'500ms);
  timeval seen{};
  gettimeofday(&seen, nullptr);
  EXPECT_EQ(seen.tv_sec, 1'800'000'001);
  EXPECT_EQ(seen.tv_usec, 500'000);
}

}  // namespace
}  // namespace atrium::media
