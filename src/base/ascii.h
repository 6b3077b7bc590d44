// ascii: what characters are in protocols' words, whatever the locale says.
#pragma once

#include <cstdint>
#include <string_view>

namespace atrium {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}
// 0 to 15; -1: not a hex digit of either case.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Of texts, without a branch for each character: many are looked at in one step.
constexpr bool is_ascii(std::string_view text) {
  uint8_t bits = 0;
  for (const char c : text) bits |= static_cast<uint8_t>(c);
  return bits < 0x80;
}
// RFC 8259 section 7: what must be escaped in a JSON text, and nothing else.
constexpr bool is_escaped_in_json(char c) {
  return (static_cast<uint8_t>(c) < 0x20) | (c == '"') | (c == '\\');
}
constexpr bool is_any_escaped_in_json(std::string_view text) {
  bool is_any = false;
  for (const char c : text) is_any |= is_escaped_in_json(c);
  return is_any;
}

}  // namespace atrium
