// Between base's SocketAddress and the kernel's sockaddr.  IPv4-mapped IPv6 addresses (RFC 4291
// section 2.5.5.2) are read as IPv4, so that one peer has one name whatever socket it came through.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "base/socket_address.h"

namespace atrium::runtime {

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

enum class AddressForm : uint8_t { Plain, MappedToV6 };  // MappedToV6: for a dual-stack socket

KernelAddress to_sockaddr(const SocketAddress& address, AddressForm form);
// nullopt for families other than IPv4 and IPv6.
std::optional<SocketAddress> from_sockaddr(const sockaddr* address);

in6_addr to_in6(const IpAddress& ip);  // IPv4 as mapped
IpAddress from_in6(const in6_addr& address);
IpAddress from_in4(const in_addr& address);

}  // namespace atrium::runtime
