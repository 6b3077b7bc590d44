#include "base/percent.h"

#include <algorithm>

#include "base/ascii.h"

namespace atrium {

bool append_percent_decoded(std::string& out, std::string_view text, Plus plus) {
  // Each of the two is looked for anew only once it was reached: texts of many kilobytes have few of them.
  size_t at = 0;
  const auto next = [&](char c) { return std::min(text.find(c, at), text.size()); };
  size_t percent = next('%');
  size_t space = plus == Plus::IsSpace ? next('+') : text.size();
  while (true) {
    const size_t special = std::min(percent, space);
    out.append(text.substr(at, special - at));
    at = special;
    if (at == text.size()) return true;
    if (at == space) {
      out.push_back(' ');
      ++at;
      space = next('+');
      continue;
    }
    if (text.size() - at < 3) return false;
    const int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high * 16 + low));
    at += 3;
    percent = next('%');
  }
}

}  // namespace atrium
