// How long a loop may sleep until a deadline, as the kernel's polls want it.
#pragma once

#include <ctime>
#include <optional>

#include "base/time.h"

namespace atrium::runtime {

// nullopt: no deadline, sleep until something happens.  Zero when it has passed.
inline std::optional<timespec> time_until(Mono deadline, Mono now) {
  if (deadline == kNever) return std::nullopt;
  const auto left = deadline > now ? deadline - now : Duration::zero();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const auto nanoseconds = std::chrono::nanoseconds(left - seconds);
  return timespec{static_cast<time_t>(seconds.count()), static_cast<long>(nanoseconds.count())};
}

}  // namespace atrium::runtime
