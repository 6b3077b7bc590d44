// The PROXY protocol, version 2: what a proxy says about its client before the client's own bytes.
// Owner: the connection.  Thread: control.  HAProxy's proxy-protocol.txt, section 2.2.
// Pure: no socket, no clock, so that it can be fuzzed.
// Does not: read version 1 (text), look into TLVs, or decide whom to believe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/socket_address.h"

namespace atrium::runtime {

struct ProxyHeader {
  enum class Step : uint8_t { NeedMore, Complete, Malformed };
  Step step = Step::NeedMore;
  // When complete:
  size_t size = 0;  // bytes of the header; what follows is the client's
  // The client's address; none where the proxy speaks for itself (LOCAL) or says nothing about an address of ours.
  std::optional<SocketAddress> source = std::nullopt;
};

// Looks at the front of `bytes`.  A wrong byte is seen as soon as it is there; a header that would be longer than
// limits::kProxyHeaderBytesMax is malformed.
ProxyHeader parse_proxy_header(std::string_view bytes);

}  // namespace atrium::runtime
