// Where a signalling client really is, behind the proxies that the operator trusts.
#pragma once

#include <span>

#include "base/ip_prefix.h"
#include "node/ports.h"

namespace atrium::node {

// What a trusted proxy said of the whole connection (PROXY protocol): then headers are not looked at, since such a
// proxy passes them on as the client wrote them.  Else the peer's address; where that is a trusted proxy, the rightmost
// hop of X-Forwarded-For that is none.  Hops are read from the right, since each proxy appends what it saw: what stands
// further left was said by somebody untrusted.  A hop that is no address ends the reading at the last one that was.
IpAddress client_address(const HttpRequest& request, std::span<const IpPrefix> trusted_proxies);

}  // namespace atrium::node
