#include "adapters/openapi/query.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "base/percent.h"

namespace atrium::openapi {
namespace {

constexpr char kHexDigits[] = "0123456789ABCDEF";

constexpr bool is_unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '~';
}

// By character: whether it stays bare.  A table, since every character of every URL is looked at.
using BareSet = std::array<bool, 256>;
constexpr BareSet bare_set(std::string_view also) {
  BareSet out{};
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    out[static_cast<size_t>(byte)] = is_unreserved(c) || also.contains(c);
  }
  return out;
}
constexpr BareSet kBare = bare_set(""), kBareInPath = bare_set("/");

void append_encoded(std::string& out, std::string_view text, const BareSet& bare_set) {
  const auto is_bare = [&bare_set](char c) { return bare_set[static_cast<uint8_t>(c)]; };
  while (true) {
    const auto bare = static_cast<size_t>(std::ranges::find_if_not(text, is_bare) - text.begin());
    out.append(text.substr(0, bare));
    if (bare == text.size()) return;
    const auto byte = static_cast<uint8_t>(text[bare]);
    out.append({'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]});
    text.remove_prefix(bare + 1);
  }
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
  Target out;
  if (!append_percent_decoded(out.path, target.substr(0, mark), Plus::Itself))
    return std::unexpected(bad_escape());
  if (out.path.empty()) out.path = "/";
  std::string_view rest =
      mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
  constexpr auto kItemsMax = static_cast<size_t>(limits::kQueryItemsMax);
  out.query.reserve(std::min(kItemsMax, static_cast<size_t>(std::ranges::count(rest, '&')) + 1));
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view item = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (item.empty()) continue;
    if (out.query.size() == kItemsMax)
      return std::unexpected(
          Refusal{ErrorCode::InvalidParameter, "The query has too many parameters."});
    const size_t equal = item.find('=');
    auto& [name, value] = out.query.emplace_back();
    if (!append_percent_decoded(name, item.substr(0, equal), Plus::IsSpace))
      return std::unexpected(bad_escape());
    if (equal != std::string_view::npos &&
        !append_percent_decoded(value, item.substr(equal + 1), Plus::IsSpace))
      return std::unexpected(bad_escape());
  }
  return out;
}

void append_percent_encoded(std::string& out, std::string_view text) {
  append_encoded(out, text, kBare);
}
std::string percent_encode(std::string_view text) {
  std::string out;
  append_encoded(out, text, kBare);
  return out;
}
// An escape begins with '%', which is less than all that stays bare, and its two digits rise with the byte.
bool is_less_encoded(std::string_view a, std::string_view b) {
  const auto rank = [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return std::pair(kBare[byte], byte);
  };
  return std::ranges::lexicographical_compare(a, b, {}, rank, rank);
}
std::string percent_encode_path(std::string_view path) {
  std::string out;
  append_encoded(out, path, kBareInPath);
  return out;
}

}  // namespace atrium::openapi
