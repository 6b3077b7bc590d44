#include "wire/rtp.h"

namespace atrium::wire {

// RFC 9443 §3, first byte: 0-3 STUN, 20-63 DTLS, 128-191 RTP or RTCP.  TURN channels (64-79), ZRTP (16-19) and
// QUIC are nothing that we speak.
DatagramKind classify_datagram(ByteView datagram) {
  if (datagram.empty()) return DatagramKind::Unknown;
  const uint8_t first = datagram[0];
  if (first <= 3) return DatagramKind::Stun;
  if (first >= 20 && first <= 63) return DatagramKind::Dtls;
  if (first < 128 || first > 191) return DatagramKind::Unknown;
  return is_rtcp(datagram) ? DatagramKind::Rtcp : DatagramKind::Rtp;
}

bool is_rtcp(ByteView packet) {
  return packet.size() >= 2 && packet[1] >= 192 && packet[1] <= 223;
}

//  0                   1                   2                   3
// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
// |                           timestamp                           |
// |                             SSRC                              |
// |                         CSRC × CC …                           |
// |      profile (if X)           |  length in 32-bit words       |
// |                     extension block …                         |
Result<RtpHeaderView> parse_rtp_header(ByteView packet) {
  ByteReader reader(packet);
  RtpHeaderView header;
  const uint8_t first = TRY(reader.u8());
  const uint8_t second = TRY(reader.u8());
  if (first >> 6 != 2) return malformed("rtp version");
  header.has_padding = (first & 0x20) != 0;
  header.has_extension = (first & 0x10) != 0;
  header.csrc_count = first & 0x0f;
  header.marker = (second & 0x80) != 0;
  header.payload_type = second & 0x7f;
  header.seq = TRY(reader.u16());
  header.timestamp = TRY(reader.u32());
  header.ssrc = TRY(reader.u32());
  TRY(reader.skip(size_t{header.csrc_count} * 4));
  if (header.has_extension) {
    header.extension_profile = TRY(reader.u16());
    const size_t words = TRY(reader.u16());
    header.extension = TRY(reader.take(words * 4));
  }
  header.header_bytes = reader.position();
  header.payload = reader.rest();
  return header;
}

Result<RtpHeaderView> parse_rtp(ByteView packet) {
  RtpHeaderView header = TRY(parse_rtp_header(packet));
  if (!header.has_padding) return header;
  // The last byte counts the padding, itself included.
  if (header.payload.empty()) return malformed("padding missing");
  header.padding_bytes = header.payload.back();
  if (header.padding_bytes == 0 || header.padding_bytes > header.payload.size())
    return malformed("padding length");
  header.payload = header.payload.first(header.payload.size() - header.padding_bytes);
  return header;
}

void write_rtp_header(ByteWriter& out, const RtpHeader& header) {
  out.u8(static_cast<uint8_t>(0x80 | (header.has_padding ? 0x20 : 0) |
                              (header.has_extension ? 0x10 : 0)));
  out.u8(static_cast<uint8_t>((header.marker ? 0x80 : 0) | (header.payload_type & 0x7f)));
  out.u16(header.seq);
  out.u32(header.timestamp);
  out.u32(header.ssrc);
}

}  // namespace atrium::wire
