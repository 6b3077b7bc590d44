#include "base/socket_address.h"

#include <charconv>
#include <cstring>
#include <vector>

namespace atrium {
namespace {

std::optional<IpAddress> parse_v4(std::string_view text) {
  IpAddress out;
  size_t part = 0;
  while (true) {
    size_t end = text.find('.');
    const std::string_view digits = text.substr(0, end);
    if (digits.empty() || digits.size() > 3 || part > 3) return std::nullopt;
    if (digits.size() > 1 && digits[0] == '0') return std::nullopt;
    int value = 0;
    for (char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    if (value > 255) return std::nullopt;
    out.bytes[part++] = static_cast<uint8_t>(value);
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  if (part != 4) return std::nullopt;
  return out;
}

// Groups on one side of "::"; an IPv4 tail counts as two.
bool parse_groups(std::string_view text, std::vector<uint16_t>& groups) {
  while (!text.empty()) {
    const size_t end = text.find(':');
    const std::string_view group = text.substr(0, end);
    if (end == text.npos && group.find('.') != group.npos) {
      auto v4 = parse_v4(group);
      if (!v4) return false;
      groups.push_back(static_cast<uint16_t>(v4->bytes[0] << 8 | v4->bytes[1]));
      groups.push_back(static_cast<uint16_t>(v4->bytes[2] << 8 | v4->bytes[3]));
      return groups.size() <= 8;
    }
    if (group.empty() || group.size() > 4) return false;
    uint16_t value = 0;
    for (char c : group) {
      int digit = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
      if (digit < 0) return false;
      value = static_cast<uint16_t>(value << 4 | digit);
    }
    groups.push_back(value);
    if (groups.size() > 8) return false;
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
    if (text.empty()) return false;  // a single colon at the end
  }
  return true;
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  const size_t gap = text.find("::");
  std::vector<uint16_t> head, tail;
  if (gap == text.npos) {
    if (!parse_groups(text, head) || head.size() != 8) return std::nullopt;
  } else {
    if (text.find("::", gap + 1) != text.npos) return std::nullopt;
    if (!parse_groups(text.substr(0, gap), head) || !parse_groups(text.substr(gap + 2), tail))
      return std::nullopt;
    if (head.size() + tail.size() > 7) return std::nullopt;
    head.resize(8 - tail.size());
    head.insert(head.end(), tail.begin(), tail.end());
  }
  IpAddress out;
  out.is_v6 = true;
  for (size_t i = 0; i < 8; ++i) {
    out.bytes[2 * i] = static_cast<uint8_t>(head[i] >> 8);
    out.bytes[2 * i + 1] = static_cast<uint8_t>(head[i]);
  }
  return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 45) return std::nullopt;
  return text.find(':') == text.npos ? parse_v4(text) : parse_v6(text);
}

std::string IpAddress::text() const {
  char buffer[16];
  char* const end = buffer + sizeof buffer;
  if (!is_v6) {  // each audited call has one: no snprintf
    char* at = std::to_chars(buffer, end, bytes[0]).ptr;
    for (size_t i = 1; i < 4; ++i) {
      *at++ = '.';
      at = std::to_chars(at, end, bytes[i]).ptr;
    }
    return std::string(buffer, at);
  }
  // RFC 5952: lower case, no leading zeros, the longest run of zero groups (at least two) as "::".
  uint16_t groups[8];
  for (size_t i = 0; i < 8; ++i) groups[i] = static_cast<uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  int best_start = -1, best_length = 1;
  for (int i = 0; i < 8; ++i) {
    int length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) best_start = i, best_length = length;
  }
  std::string out;
  for (int i = 0; i < 8; ++i) {
    if (i == best_start) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out.push_back(':');
    out.append(buffer, std::to_chars(buffer, end, groups[i], 16).ptr);
  }
  return out;
}

bool IpAddress::is_loopback() const {
  if (!is_v6) return bytes[0] == 127;
  static constexpr std::array<uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return bytes == one;
}

std::string SocketAddress::text() const {
  return (ip.is_v6 ? "[" + ip.text() + "]" : ip.text()) + ":" + std::to_string(port);
}

}  // namespace atrium

size_t std::hash<atrium::FiveTuple>::operator()(const atrium::FiveTuple& tuple) const noexcept {
  // FNV-1a over the meaningful bytes; addresses are attacker-chosen, so tables keyed by it must be bounded.
  uint64_t h = 1469598103934665603ull;
  auto mix = [&h](const atrium::SocketAddress& a) {
    for (uint8_t byte : a.ip.bytes) h = (h ^ byte) * 1099511628211ull;
    h = (h ^ (a.port & 0xff)) * 1099511628211ull;
    h = (h ^ (a.port >> 8)) * 1099511628211ull;
  };
  mix(tuple.local);
  mix(tuple.remote);
  return static_cast<size_t>(h ^ (h >> 32));
}
