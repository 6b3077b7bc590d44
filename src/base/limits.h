// Every bound of the system by name, from the one table api/limits.def.
#pragma once

#include <cstdint>

namespace atrium::limits {

#define LIMIT(name, value, unit, why) inline constexpr int64_t name = value;
#include "api/limits.def"
#undef LIMIT

}  // namespace atrium::limits
