// sctp_packet: the common header of SCTP packets on their way between the wire and usrsctp (RFC 9260 section 3.1), and
// what a packet's first chunk is.  Stateless; used by sctp.cc.
//
// On the wire both ports are 5000 (RFC 8841).  usrsctp looks for an endpoint, and for the association of a packet
// without a tag, among all of one pair of ports, so inside it each association has ports of its own, and the checksum,
// which covers them, is made and looked at here (docs/decisions/sctp-inside.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "media/sctp_port.h"

namespace atrium::media {

inline constexpr size_t kSctpCommonHeader = 12;  // bytes before a packet's first chunk

// Both ports of the association inside usrsctp, host order.
uint16_t sctp_inner_port(TransportId transport);
// A packet of usrsctp's, at least a common header long, becomes what goes out.
void make_sctp_outer(std::span<uint8_t> packet);
// What came in becomes what usrsctp takes.  False: not from port 5000 to port 5000, or with a wrong checksum; the
// packet is then of no use.
bool make_sctp_inner(std::span<uint8_t> packet, TransportId transport);

// An INIT, which is alone in its packet (RFC 9260 section 3.3.2).
bool is_sctp_init(ByteView packet);
// A packet that only asks whether we are there, or says so (RFC 9260 section 3.3.5): it starts no timer.
bool is_sctp_heartbeat(ByteView packet);

}  // namespace atrium::media
