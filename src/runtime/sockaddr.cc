#include "runtime/sockaddr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace atrium::runtime {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

in6_addr to_in6(const IpAddress& ip) {
  in6_addr out{};
  if (ip.is_v6) {
    std::memcpy(out.s6_addr, ip.bytes.data(), 16);
  } else {
    std::memcpy(out.s6_addr, kMappedPrefix.data(), 12);
    std::memcpy(out.s6_addr + 12, ip.bytes.data(), 4);
  }
  return out;
}

IpAddress from_in6(const in6_addr& address) {
  IpAddress out;
  out.is_v6 = !std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.s6_addr);
  if (out.is_v6)
    std::memcpy(out.bytes.data(), address.s6_addr, 16);
  else
    std::memcpy(out.bytes.data(), address.s6_addr + 12, 4);
  return out;
}

IpAddress from_in4(const in_addr& address) {
  IpAddress out;
  std::memcpy(out.bytes.data(), &address.s_addr, 4);
  return out;
}

KernelAddress to_sockaddr(const SocketAddress& address, AddressForm form) {
  KernelAddress out;
  if (address.ip.is_v6 || form == AddressForm::MappedToV6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    v6.sin6_addr = to_in6(address.ip);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  } else {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr.s_addr, address.ip.bytes.data(), 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  }
  return out;
}

std::optional<SocketAddress> from_sockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    return SocketAddress{from_in4(v4.sin_addr), ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    return SocketAddress{from_in6(v6.sin6_addr), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

}  // namespace atrium::runtime
