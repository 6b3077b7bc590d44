// The two times of DESIGN: Mono drives every timer, Wall (unix) is for tokens, signatures and stored rows.
// Nothing here reads a clock: `Now` is always an argument.
#pragma once

#include <chrono>
#include <cstdint>

namespace atrium {

using Duration = std::chrono::microseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""us;

struct MonoClock {  // boot-time clock; a tag, never read here
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<MonoClock, duration>;
  static constexpr bool is_steady = true;
};
struct WallClock {  // unix time; a tag, never read here
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WallClock, duration>;
  static constexpr bool is_steady = false;
};

using Mono = MonoClock::time_point;
using Wall = WallClock::time_point;

struct Now {
  Mono mono{};
  Wall wall{};
};

constexpr int64_t unix_ms(Wall wall) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch()).count();
}
constexpr int64_t unix_s(Wall wall) {
  return std::chrono::floor<std::chrono::seconds>(wall.time_since_epoch()).count();
}
constexpr Wall wall_from_unix_ms(int64_t ms) { return Wall(std::chrono::milliseconds(ms)); }
constexpr Wall wall_from_unix_s(int64_t s) { return Wall(std::chrono::seconds(s)); }

// Where a wall-clock expiry lies on the mono clock, seen from `now`; later steps of the wall clock do not move it.
constexpr Mono mono_deadline(Wall expiry, Now now) { return now.mono + (expiry - now.wall); }

constexpr Mono kNever = Mono::max();

}  // namespace atrium
