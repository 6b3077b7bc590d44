#include "adapters/openapi/id_rule.h"

#include <algorithm>
#include <cstdint>

#include "base/limits.h"
#include "base/utf8.h"
#include "domain/id_rule.h"

namespace atrium::openapi {
namespace {

constexpr size_t kAppIdBytes = 24;
constexpr size_t kSidBytes = 3 + 17;  // prefix and 96 random bits in base 62

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool is_legal_id(std::string_view id, bool any_ids) {
  return domain::is_legal_id(id, any_ids);
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
