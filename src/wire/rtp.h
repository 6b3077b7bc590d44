// RTP fixed header, and what a datagram is by its first bytes.  RFC 3550 §5.1, RFC 5761, RFC 7983 updated by RFC
// 9443. Views into the caller's bytes, no heap.  Does not: decrypt, or look into extension elements
// (header_extension.h).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace atrium::wire {

inline constexpr size_t kRtpHeaderBytes = 12;

// RFC 7983 §7 by the first byte, then RFC 5761 §4 by the second.
enum class DatagramKind : uint8_t { Stun, Dtls, Rtp, Rtcp, Unknown };
DatagramKind classify_datagram(ByteView datagram);

// RFC 5761 §4: payload types 64 to 95 with the marker bit's place taken in are RTCP (packet types 192 to 223).
bool is_rtcp(ByteView packet);

struct RtpHeaderView {
  bool marker = false;
  bool has_padding = false;
  bool has_extension = false;
  uint8_t payload_type = 0;
  uint8_t csrc_count = 0;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
  uint16_t extension_profile = 0;  // 0xBEDE, 0x100x (RFC 8285); meaningless without has_extension
  ByteView extension;              // the block behind profile and length
  size_t header_bytes = 0;   // fixed header, CSRCs and extension block: where the payload begins
  ByteView payload;          // parse_rtp: without padding
  size_t padding_bytes = 0;  // parse_rtp only
};

// Header alone: for protected packets, whose padding is still encrypted.  `payload` is everything behind the header.
Result<RtpHeaderView> parse_rtp_header(ByteView packet);
// A plain packet, padding included.  A packet of padding alone is sound and has an empty payload.
Result<RtpHeaderView> parse_rtp(ByteView packet);

struct RtpHeader {
  bool marker = false;
  bool has_extension = false;  // an extension block is written next (header_extension.h)
  bool has_padding = false;
  uint8_t payload_type = 0;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};
// Twelve bytes, no CSRCs.  Room is checked by the writer.
void write_rtp_header(ByteWriter& out, const RtpHeader& header);

}  // namespace atrium::wire
