// Headers of the PROXY protocol as a proxy writes them; for tests.
#pragma once

#include <string>
#include <string_view>

#include "base/socket_address.h"

namespace atrium::runtime {

inline std::string proxy_header(uint8_t version_command, uint8_t family, std::string_view rest) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += static_cast<char>(version_command);
  out += static_cast<char>(family);
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size() & 0xff);
  return out.append(rest);
}

// PROXY of a TCP connection from `source`; `tlvs` stand behind the addresses.
inline std::string proxy_from(std::string_view source, uint16_t port, std::string_view tlvs = {}) {
  const IpAddress ip = *IpAddress::parse(source);
  const size_t width = ip.is_v6 ? 16 : 4;
  std::string block(reinterpret_cast<const char*>(ip.bytes.data()), width);
  block.append(width, '\x7f');
  block += static_cast<char>(port >> 8);
  block += static_cast<char>(port & 0xff);
  block += "\x1e\xc8";  // 7880
  return proxy_header(0x21, ip.is_v6 ? 0x21 : 0x11, block.append(tlvs));
}

}  // namespace atrium::runtime
