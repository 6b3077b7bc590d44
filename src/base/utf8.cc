#include "base/utf8.h"

namespace atrium {

bool take_code_point(std::string_view& text, uint32_t& code_point) {
  const auto first = static_cast<uint8_t>(text[0]);
  const size_t length = first < 0x80         ? 1
                        : (first >> 5) == 6  ? 2
                        : (first >> 4) == 14 ? 3
                        : (first >> 3) == 30 ? 4
                                             : 0;
  if (length == 0 || text.size() < length) return false;
  code_point = length == 1 ? first : first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<uint8_t>(text[i]);
    if ((next >> 6) != 2) return false;
    code_point = (code_point << 6) | (next & 0x3f);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  text.remove_prefix(length);
  return code_point >= kSmallest[length] && code_point <= 0x10ffff &&
         (code_point < 0xd800 || code_point > 0xdfff);
}

}  // namespace atrium
