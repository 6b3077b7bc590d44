// The spellings of a point in time in the management API; what we write is UTC.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace atrium::openapi {

// "20240102T030405Z", as X-Date.  nullopt for any other form and for days or hours that do not
// exist.
std::optional<Wall> parse_basic_time(std::string_view text);
std::string basic_time(Wall time);
// "20240102030405", onto the end of `out`.
void append_digits(std::string& out, Wall time);
// "2024-01-02T03:04:05.678Z", as in results.
std::string extended_time_ms(Wall time);

// "2024-01-02T03:04:05.678000000+00:00": nine digits and an offset, as the vendor dates applications.
std::string vendor_time_ns(Wall time);
// "2024-01-02T11:04:05+08:00", "2024-01-02T03:04:05.678Z": RFC 3339 §5.6.  A blank stands for the plus of an offset,
// since that is what a plus in a query means.  nullopt as above; a leap second is the second before it.
std::optional<Wall> parse_rfc3339(std::string_view text);
// "2024-01-02T03:04:05Z"
std::string rfc3339_s(Wall time);

}  // namespace atrium::openapi
