// UTF-8 (RFC 3629), one code point at a time.
#pragma once

#include <cstdint>
#include <string_view>

namespace atrium {

// Takes one code point off the front of `text`, which is not empty.  False for what RFC 3629 forbids: overlong forms,
// surrogates, above U+10FFFF, truncation.
bool take_code_point(std::string_view& text, uint32_t& code_point);

}  // namespace atrium
