#include "media/sctp_packet.h"

#include <usrsctp.h>

#include <cstring>
#include <utility>

namespace atrium::media {
namespace {

constexpr uint16_t kPort = 5'000;  // RFC 8841: WebRTC's one association, both ends
constexpr uint8_t kInit = 1, kHeartbeat = 4, kHeartbeatAck = 5;

struct CommonHeader {
  uint16_t source, destination;  // network order
  uint32_t tag, checksum;
};
static_assert(sizeof(CommonHeader) == kSctpCommonHeader);

CommonHeader header_of(ByteView packet) {
  CommonHeader header{};
  std::memcpy(&header, packet.data(), kSctpCommonHeader);
  return header;
}
void put_header(std::span<uint8_t> packet, const CommonHeader& header) {
  std::memcpy(packet.data(), &header, kSctpCommonHeader);
}

}  // namespace

uint16_t sctp_inner_port(TransportId transport) {
  constexpr uint64_t kFirst = 1'024, kPorts = 65'536 - kFirst;
  return static_cast<uint16_t>(kFirst + transport.value % kPorts);
}

void make_sctp_outer(std::span<uint8_t> packet) {
  CommonHeader header = header_of(packet);
  header.source = header.destination = htons(kPort);
  header.checksum = 0;
  put_header(packet, header);
  header.checksum = usrsctp_crc32c(packet.data(), packet.size());
  put_header(packet, header);
}

bool make_sctp_inner(std::span<uint8_t> packet, TransportId transport) {
  if (packet.size() < kSctpCommonHeader) return false;
  CommonHeader header = header_of(packet);
  if (header.source != htons(kPort) || header.destination != htons(kPort)) return false;
  const uint32_t checksum = std::exchange(header.checksum, 0);
  put_header(packet, header);
  if (usrsctp_crc32c(packet.data(), packet.size()) != checksum) return false;
  header.source = header.destination = htons(sctp_inner_port(transport));
  put_header(packet, header);
  return true;
}

bool is_sctp_init(ByteView packet) {
  return packet.size() > kSctpCommonHeader && packet[kSctpCommonHeader] == kInit;
}

bool is_sctp_heartbeat(ByteView packet) {
  return packet.size() > kSctpCommonHeader && (packet[kSctpCommonHeader] == kHeartbeat ||
                                               packet[kSctpCommonHeader] == kHeartbeatAck);
}

}  // namespace atrium::media
