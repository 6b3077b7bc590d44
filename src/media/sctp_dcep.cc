#include "media/sctp_dcep.h"

#include "base/check.h"

namespace atrium::media {
namespace {

constexpr uint8_t kAckType = 0x02;
constexpr uint8_t kOpenType = 0x03;
constexpr uint8_t kUnorderedBit = 0x80;
constexpr size_t kOpenHeader = 12;

}  // namespace

Result<DcepMessage> parse_dcep(ByteView message) {
  ByteReader reader(message);
  const uint8_t type = TRY(reader.u8());
  if (type == kAckType) return DcepMessage(DcepAck{});
  if (type != kOpenType) return malformed("unknown DCEP message type");
  const uint8_t channel_type = TRY(reader.u8());
  if ((channel_type & ~kUnorderedBit) > 2) return malformed("unknown DCEP channel type");
  TRY(reader.skip(2));  // priority: every message leaves as soon as it may
  DcepOpen open{.reliability = static_cast<DcepReliability>(channel_type & ~kUnorderedBit),
                .is_unordered = (channel_type & kUnorderedBit) != 0,
                .reliability_parameter = TRY(reader.u32()),
                .label = {}};
  const uint16_t label_length = TRY(reader.u16());
  const uint16_t protocol_length = TRY(reader.u16());
  open.label = as_text(TRY(reader.take(label_length)));
  TRY(reader.skip(protocol_length));
  if (!reader.at_end()) return malformed("bytes after a DCEP message");
  return DcepMessage(std::move(open));
}

Bytes write_dcep(const DcepOpen& open) {
  CHECK(open.label.size() <= 0xffff);
  Bytes out(kOpenHeader + open.label.size());
  ByteWriter writer(out);
  writer.u8(kOpenType);
  writer.u8(static_cast<uint8_t>(open.reliability) | (open.is_unordered ? kUnorderedBit : 0));
  writer.u16(256);  // RFC 8831 section 6.4: normal priority
  writer.u32(open.reliability_parameter);
  writer.u16(static_cast<uint16_t>(open.label.size()));
  writer.u16(0);
  writer.bytes(as_bytes(open.label));
  CHECK(writer.ok());
  return out;
}

Bytes write_dcep(const DcepAck&) {
  return {kAckType};
}

DataLabel data_label(std::string_view label) {
  if (label == "_reliable") return DataLabel::Reliable;
  if (label == "_lossy") return DataLabel::Lossy;
  return DataLabel::Other;
}

DcepOpen dcep_open_for(DataLabel label) {
  CHECK(label != DataLabel::Other);
  if (label == DataLabel::Reliable) return {.label = "_reliable"};
  return {
      .reliability = DcepReliability::LimitedRetransmits, .is_unordered = true, .label = "_lossy"};
}

}  // namespace atrium::media
