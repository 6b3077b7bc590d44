// Any bytes as a DataPacket: what parses can be rewritten, the rewrite parses, says who sent it, and is a fixed
// point.
#include <algorithm>

#include "wire/data_packet.h"

namespace {

using namespace atrium;

Bytes rewritten(const wire::DataPacketView& packet) {
  Bytes out(wire::rewritten_bytes_max(packet, "amy", "PA_amy"));
  const auto result = wire::rewrite_sender(packet, "amy", "PA_amy", out);
  CHECK(result.has_value());
  out.resize(result->size());
  return out;
}

size_t destinations(const wire::DataPacketView& packet) {
  size_t count = 0;
  wire::DestinationReader reader(packet);
  while (reader.next()) CHECK(++count <= packet.bytes.size());
  CHECK((count > 0) == packet.has_destinations);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto packet = wire::parse_data_packet(ByteView(data, size));
  if (!packet) return 0;
  const Bytes once = rewritten(*packet);
  const auto again = wire::parse_data_packet(once);
  CHECK(again.has_value());
  CHECK(again->topic == packet->topic && again->has_user == packet->has_user &&
        again->kind == packet->kind);
  CHECK(destinations(*again) == destinations(*packet));
  CHECK(wire::topic_begins_with(*again, "atrium.") == wire::topic_begins_with(*packet, "atrium."));
  CHECK(rewritten(*again) == once);
  return 0;
}
