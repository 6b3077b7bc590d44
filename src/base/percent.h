// Percent-decoding (RFC 3986 section 2.1), for paths and queries.  Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace atrium {

// Forms (application/x-www-form-urlencoded) write a space as '+'; paths do not.
enum class Plus : uint8_t { Itself, IsSpace };

// Decodes `text` onto the end of `out`.  False: an escape is not '%' and two hexadecimal digits; `out` then has what
// came before it.
bool append_percent_decoded(std::string& out, std::string_view text, Plus plus);

}  // namespace atrium
