#include "domain/id_rule.h"

#include <algorithm>
#include <cstdint>

#include "base/limits.h"
#include "base/utf8.h"

namespace atrium::domain {
namespace {

constexpr size_t kVendorIdBytesMax = 128;
constexpr std::string_view kPunctuation = "@_.-";

bool is_vendor_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPunctuation.contains(c);
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
  if (id.empty()) return false;
  if (any_ids) return id.size() <= static_cast<size_t>(limits::kIdBytesMax) && is_clean_utf8(id);
  return id.size() <= kVendorIdBytesMax && std::ranges::all_of(id, is_vendor_character);
}

}  // namespace atrium::domain
