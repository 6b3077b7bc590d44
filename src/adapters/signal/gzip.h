// Inflates one gzip member (RFC 1952) within a bound.  gzip.cc is the one file that includes zlib.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atrium::signal {

// Malformed: no gzip, damaged, truncated, or bytes behind the member.  LimitExceeded: more than
// `max_bytes` would come out.
Result<std::string> gunzip(std::string_view compressed, size_t max_bytes);

}  // namespace atrium::signal
