// How the values of settings are written as text: lists and flags.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace atrium::atriumd {

// The parts between separators; empty ones are passed over.
inline std::vector<std::string> split(const std::string& text, char separator = ',') {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// What is wrong with the text, or nothing.
inline std::optional<std::string> set_flag(bool& out, const std::string& text) {
  if (text != "true" && text != "1" && text != "false" && text != "0")
    return "must be true or false";
  out = text == "true" || text == "1";
  return std::nullopt;
}

}  // namespace atrium::atriumd
