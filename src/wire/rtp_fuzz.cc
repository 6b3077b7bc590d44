// Any bytes as an RTP packet: header, padding and extension elements stay inside the packet.
#include "wire/header_extension.h"
#include "wire/rtp.h"

namespace {

bool is_inside(atrium::ByteView outer, atrium::ByteView inner) {
  return inner.empty() || (inner.data() >= outer.data() &&
                           inner.data() + inner.size() <= outer.data() + outer.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace atrium;
  const ByteView packet(data, size);
  static_cast<void>(wire::classify_datagram(packet));
  const auto header = wire::parse_rtp(packet);
  CHECK(!header || wire::parse_rtp_header(packet).has_value());
  if (!header) return 0;
  CHECK(header->header_bytes + header->payload.size() + header->padding_bytes == size);
  CHECK(is_inside(packet, header->payload));
  size_t elements = 0;
  wire::ExtensionReader reader(*header);
  while (const auto element = reader.next()) {
    CHECK(is_inside(header->extension, element->data));
    CHECK(element->id != 0 && ++elements <= size);
    static_cast<void>(wire::read_audio_level(element->data));
    static_cast<void>(wire::read_transport_seq(element->data));
    static_cast<void>(wire::read_abs_send_time(element->data));
    static_cast<void>(wire::read_text(element->data));
  }
  return 0;
}
