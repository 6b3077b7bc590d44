#include "adapters/openapi/query.h"

#include <algorithm>

#include "base/limits.h"

namespace atrium::openapi {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string encode(std::string_view text, std::string_view also_bare) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c) || also_bare.contains(c)) {
      out.push_back(c);
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  return out;
}

Refusal bad_escape() {
  return {ErrorCode::InvalidParameter,
          "A percent escape of the URL is not % and two hexadecimal digits."};
}

}  // namespace

std::optional<std::string_view> Target::find(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name) return value;
  return std::nullopt;
}

size_t Target::count(std::string_view name) const {
  return static_cast<size_t>(
      std::ranges::count_if(query, [name](const auto& item) { return item.first == name; }));
}

std::expected<Target, Refusal> parse_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  const std::optional<std::string> path = decode(target.substr(0, mark), false);
  if (!path) return std::unexpected(bad_escape());
  Target out{path->empty() ? "/" : *path, {}};
  std::string_view rest =
      mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view item = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (item.empty()) continue;
    if (out.query.size() == static_cast<size_t>(limits::kQueryItemsMax))
      return std::unexpected(
          Refusal{ErrorCode::InvalidParameter, "The query has too many parameters."});
    const size_t equal = item.find('=');
    const std::optional<std::string> name = decode(item.substr(0, equal), true);
    const std::optional<std::string> value =
        equal == std::string_view::npos ? std::string() : decode(item.substr(equal + 1), true);
    if (!name || !value) return std::unexpected(bad_escape());
    out.query.emplace_back(*name, *value);
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  return encode(text, "");
}
std::string percent_encode_path(std::string_view path) {
  return encode(path, "/");
}

}  // namespace atrium::openapi
