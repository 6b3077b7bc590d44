// IpPrefix: a range of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3): what IP bans and trusted proxies
// are written in.  An IPv4-mapped IPv6 address counts as the IPv4 address that it carries.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/socket_address.h"

namespace atrium {

// ::ffff:192.0.2.1 → 192.0.2.1; anything else as it is.
IpAddress unmapped(const IpAddress& address);

struct IpPrefix {
  IpAddress network;   // bits beyond `length` are zero; never IPv4-mapped
  uint8_t length = 0;  // 0…32, IPv6: 0…128
  friend auto operator<=>(const IpPrefix&, const IpPrefix&) = default;

  // "192.0.2.0/24", "2001:db8::/32", or one address.  Bits beyond the length may be set and are cleared.
  static std::optional<IpPrefix> parse(std::string_view text);
  // The first `length` bits of `address`.
  static IpPrefix of(const IpAddress& address, uint8_t length);
  bool contains(const IpAddress& address) const;
  std::string text() const;  // one address without its "/32" or "/128"
};

}  // namespace atrium
