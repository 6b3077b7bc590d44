#include "adapters/signal/text.h"

#include <algorithm>
#include <cstdint>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/percent.h"

namespace atrium::signal {
namespace {

// The code point at the start of `bytes` and its length; length 0 when there is none.  RFC 3629 §4.
struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;
};
CodePoint first_code_point(ByteView bytes) {
  const uint8_t lead = bytes[0];
  if (lead < 0x80) return {lead, 1};
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return {};
  uint32_t value = lead & (0xffu >> (length + 1));
  for (uint8_t byte : bytes.subspan(1, length - 1)) {
    if ((byte & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte & 0x3f);
  }
  const bool is_overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
  if (is_overlong || is_surrogate || value > 0x10ffff) return {};
  return {value, length};
}

}  // namespace

bool is_utf8(std::string_view text) {
  if (is_ascii(text)) return true;
  for (ByteView rest = as_bytes(text); !rest.empty();) {
    const CodePoint point = first_code_point(rest);
    if (point.length == 0) return false;
    rest = rest.subspan(point.length);
  }
  return true;
}

bool has_control_character(std::string_view text) {
  for (ByteView rest = as_bytes(text); !rest.empty();) {
    const CodePoint point = first_code_point(rest);
    if (point.value < 0x20 || (point.value >= 0x7f && point.value < 0xa0)) return true;
    rest = rest.subspan(std::max<size_t>(point.length, 1));
  }
  return false;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (!append_percent_decoded(out, text, Plus::Itself)) return std::nullopt;
  return out;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = std::min(item.find('='), item.size());
    if (item.substr(0, equals) != name) continue;
    return percent_decode(item.substr(std::min(equals + 1, item.size())));
  }
  return std::nullopt;
}

}  // namespace atrium::signal
