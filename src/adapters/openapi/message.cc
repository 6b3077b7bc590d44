#include "adapters/openapi/message.h"

#include <algorithm>

#include "base/ascii.h"

namespace atrium::openapi {

bool same_but_for_case(std::string_view a, std::string_view b) {
  if (a == b) return true;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

// As the lower-case texts compare: by the value of a byte.
std::strong_ordering order_ignoring_case(std::string_view a, std::string_view b) {
  const auto order = [](char x, char y) {
    return static_cast<uint8_t>(lower(x)) <=> static_cast<uint8_t>(lower(y));
  };
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(), order);
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string out(text.substr(0, max_bytes));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  if (text.size() > max_bytes) out += "...";
  return out;
}

std::optional<std::string_view> Request::find_header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (equals_ignoring_case(key, name)) return value;
  return std::nullopt;
}

std::string_view Request::header(std::string_view name) const {
  return find_header(name).value_or(std::string_view());
}

size_t Request::header_count(std::string_view name) const {
  return static_cast<size_t>(std::ranges::count_if(
      headers, [name](const auto& header) { return equals_ignoring_case(header.first, name); }));
}

}  // namespace atrium::openapi
