// Destination: the address of a webhook as somebody configured it, and which addresses of the network it may lead to.
// The first is checked when a webhook is made and before each request, the second at connection time with what the
// name resolved to then, so that a name cannot be turned inwards later (DNS rebinding).  Pure: resolves nothing.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/ip_prefix.h"

namespace atrium::webhook {

struct Destination {
  bool is_tls = false;  // https
  std::string host;     // lower case; an IPv6 address without its brackets
  uint16_t port = 0;    // 80 or 443 where the URL has none
  std::string target;   // of the request line: path and query; "/" where the URL has no path
  std::string
      host_header;  // "example.com", "[2001:db8::1]:8443": the port where it is not the scheme's own
  friend bool operator==(const Destination&, const Destination&) = default;
};

// http or https; a domain name or an address; no user, no fragment; at most kWebhookUrlBytesMax bytes.  The error is a
// sentence for whoever typed it, and names what is wrong; it does not repeat the URL, which may hold a secret.
std::expected<Destination, std::string> parse_destination(std::string_view url);

// May a webhook be sent to this address?  Not where it is loopback, private, link-local (with the metadata services of
// clouds), unique local, shared (RFC 6598), multicast, broadcast, unspecified, reserved or for documentation, nor IPv6
// that carries such an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo); unless `allowed` has it.  A range of
// IPv4 in `allowed` holds for the mapped form of its addresses, and for no other embedding.
bool may_connect(const IpAddress& address, std::span<const IpPrefix> allowed);

}  // namespace atrium::webhook
