// An IPv4 or IPv6 address with a port, as a value.  No system header: runtime converts to sockaddr.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace atrium {

struct IpAddress {
  bool is_v6 = false;
  std::array<uint8_t, 16> bytes{};  // IPv4 uses the first four
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

  std::string text() const;  // "192.0.2.1", "2001:db8::1"
  static std::optional<IpAddress> parse(std::string_view text);
  bool is_loopback() const;
};

struct SocketAddress {
  IpAddress ip;
  uint16_t port = 0;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
  std::string text() const;  // "192.0.2.1:7882", "[2001:db8::1]:7882"
};

// RFC 8445: what a packet path is known by.  The transport protocol is UDP throughout.
struct FiveTuple {
  SocketAddress local, remote;
  friend auto operator<=>(const FiveTuple&, const FiveTuple&) = default;
};

}  // namespace atrium

template <>
struct std::hash<atrium::FiveTuple> {
  size_t operator()(const atrium::FiveTuple& tuple) const noexcept;
};
