#include "adapters/openapi/id_rule.h"

#include <algorithm>
#include <cstdint>

#include "base/limits.h"

namespace atrium::openapi {
namespace {

constexpr size_t kVendorIdBytesMax = 128;
constexpr size_t kAppIdBytes = 24;
constexpr std::string_view kPunctuation = "@_.-";
constexpr size_t kSidBytes = 3 + 17;  // prefix and 96 random bits in base 62

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Takes one code point off the front; false for what RFC 3629 forbids (overlong forms, surrogates,
// above U+10FFFF).
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

bool is_clean_utf8(std::string_view text) {
  while (!text.empty()) {
    uint32_t code_point = 0;
    if (!take_code_point(text, code_point)) return false;
    if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f)) return false;
  }
  return true;
}

}  // namespace

bool is_legal_id(std::string_view id, bool any_ids) {
  if (any_ids)
    return !id.empty() && id.size() <= static_cast<size_t>(limits::kIdBytesMax) &&
           is_clean_utf8(id);
  return !id.empty() && id.size() <= kVendorIdBytesMax && std::ranges::all_of(id, [](char c) {
    return is_alphanumeric(c) || kPunctuation.contains(c);
  });
}

bool looks_like_app_id(std::string_view id) {
  return id.size() == kAppIdBytes && std::ranges::all_of(id, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_legal_app_name(std::string_view name) {
  int64_t characters = 0;
  while (!name.empty()) {
    uint32_t c = 0;
    if (!take_code_point(name, c)) return false;
    const bool is_chinese = (c >= 0x3400 && c <= 0x9fff) || (c >= 0x20000 && c <= 0x323af);
    const bool is_ascii = c < 0x80 && (is_alphanumeric(static_cast<char>(c)) || c == '_');
    if ((!is_chinese && !is_ascii) || ++characters > limits::kAppNameCharsMax) return false;
  }
  return characters > 0;
}

namespace {
bool looks_like_sid(std::string_view id, std::string_view prefix) {
  return id.size() == kSidBytes && id.starts_with(prefix) &&
         std::ranges::all_of(id.substr(prefix.size()), is_alphanumeric);
}
}  // namespace

bool looks_like_operation_id(std::string_view id) {
  return looks_like_sid(id, "OP_");
}
bool looks_like_ban_id(std::string_view id) {
  return looks_like_sid(id, "BN_");
}
bool looks_like_room_session_id(std::string_view id) {
  return looks_like_sid(id, "RM_");
}
bool looks_like_webhook_id(std::string_view id) {
  return looks_like_sid(id, "WH_");
}
bool looks_like_event_id(std::string_view id) {
  return looks_like_sid(id, "EV_");
}

}  // namespace atrium::openapi
