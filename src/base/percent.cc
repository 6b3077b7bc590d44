#include "base/percent.h"

#include <algorithm>

namespace atrium {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

bool append_percent_decoded(std::string& out, std::string_view text, Plus plus) {
  // Not find_first_of(): it calls memchr() for each byte of the text.
  const auto is_special = [plus](char c) {
    return c == '%' || (c == '+' && plus == Plus::IsSpace);
  };
  while (true) {
    const auto plain = static_cast<size_t>(std::ranges::find_if(text, is_special) - text.begin());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return true;
    if (text.front() == '+') {
      out.push_back(' ');
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3) return false;
    const int high = hex_value(text[1]), low = hex_value(text[2]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
    text.remove_prefix(3);
  }
}

}  // namespace atrium
