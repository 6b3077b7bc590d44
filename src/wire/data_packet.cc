#include "wire/data_packet.h"

#include <array>

namespace atrium::wire {
namespace {

// Protobuf wire types.  Groups (3 and 4) are in no message of this protocol and are refused.
enum class WireType : uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// DataPacket.
constexpr uint32_t kKind = 1, kUser = 2, kSenderIdentity = 4, kDestinationIdentities = 5,
                   kSenderSid = 17;
// UserPacket.
constexpr uint32_t kUserSenderSid = 1, kUserPayload = 2, kUserDestinationSids = 3, kUserTopic = 4,
                   kUserSenderIdentity = 5, kUserDestinationIdentities = 6;

struct Field {
  uint32_t number = 0;
  WireType type = WireType::Varint;
  uint64_t varint = 0;  // of Varint
  ByteView value;       // of Bytes
  ByteView whole;       // tag and value as they stand
  bool is_bytes(uint32_t wanted) const { return number == wanted && type == WireType::Bytes; }
};

Result<uint64_t> read_varint(ByteReader& reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = TRY(reader.u8());
    if (shift == 63 && byte > 1) return malformed("varint beyond 64 bits");
    value |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return malformed("varint beyond 64 bits");
}

Result<Field> read_field(ByteReader& reader) {
  const ByteView from = reader.rest();
  const size_t begin = reader.position();
  const uint64_t tag = TRY(read_varint(reader));
  if (tag > UINT32_MAX || reader.position() - begin > 5) return malformed("tag beyond 32 bits");
  Field field;
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  if (field.number == 0) return malformed("field number 0");
  switch (field.type) {
    case WireType::Varint: field.varint = TRY(read_varint(reader)); break;
    case WireType::Fixed64: TRY(reader.skip(8)); break;
    case WireType::Fixed32: TRY(reader.skip(4)); break;
    case WireType::Bytes: {
      const uint64_t length = TRY(read_varint(reader));
      if (length > reader.remaining()) return malformed("field runs over the end");
      field.value = TRY(reader.take(static_cast<size_t>(length)));
      break;
    }
    default: return malformed("wire type");
  }
  field.whole = from.first(reader.position() - begin);
  return field;
}

// Next field of a message that parse_data_packet has walked; nullopt at its end.
std::optional<Field> next_field(ByteReader& reader) {
  if (reader.at_end()) return std::nullopt;
  const auto field = read_field(reader);
  if (!field) return std::nullopt;
  return *field;
}

Result<void> walk_user(DataPacketView& packet, ByteView user) {
  packet.has_user = true;
  ByteReader reader(user);
  while (!reader.at_end()) {
    const Field field = TRY(read_field(reader));
    if (field.is_bytes(kUserTopic)) packet.topic = as_text(field.value);
    if (field.is_bytes(kUserPayload)) packet.payload = field.value;
    if (field.is_bytes(kUserDestinationSids) || field.is_bytes(kUserDestinationIdentities))
      packet.has_destinations = true;
  }
  return {};
}

size_t varint_bytes(uint64_t value) {
  size_t bytes = 1;
  while (value >>= 7) ++bytes;
  return bytes;
}

void write_varint(ByteWriter& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.u8(static_cast<uint8_t>(value | 0x80));
  out.u8(static_cast<uint8_t>(value));
}

uint64_t bytes_tag(uint32_t number) {
  return uint64_t{number} << 3 | static_cast<uint8_t>(WireType::Bytes);
}

size_t bytes_field_size(uint32_t number, size_t length) {
  return varint_bytes(bytes_tag(number)) + varint_bytes(length) + length;
}
void write_bytes_field(ByteWriter& out, uint32_t number, ByteView value) {
  write_varint(out, bytes_tag(number));
  write_varint(out, value.size());
  out.bytes(value);
}

// Proto3: an empty string is written as absent.
size_t text_field_size(uint32_t number, std::string_view text) {
  return text.empty() ? 0 : bytes_field_size(number, text.size());
}
void write_text_field(ByteWriter& out, uint32_t number, std::string_view text) {
  if (!text.empty()) write_bytes_field(out, number, as_bytes(text));
}

bool is_user_sender(const Field& field) {
  return field.number == kUserSenderSid || field.number == kUserSenderIdentity;
}
bool is_sender(const Field& field) {
  return field.number == kSenderIdentity || field.number == kSenderSid;
}

struct Sender {
  std::string_view identity, sid;
};

size_t rewritten_user_size(ByteView user, const Sender& sender) {
  size_t size = text_field_size(kUserSenderSid, sender.sid) +
                text_field_size(kUserSenderIdentity, sender.identity);
  ByteReader reader(user);
  while (const auto field = next_field(reader))
    if (!is_user_sender(*field)) size += field->whole.size();
  return size;
}

void write_user(ByteWriter& out, ByteView user, const Sender& sender) {
  write_varint(out, bytes_tag(kUser));
  write_varint(out, rewritten_user_size(user, sender));
  ByteReader reader(user);
  while (const auto field = next_field(reader))
    if (!is_user_sender(*field)) out.bytes(field->whole);
  write_text_field(out, kUserSenderSid, sender.sid);
  write_text_field(out, kUserSenderIdentity, sender.identity);
}

size_t user_packets(const DataPacketView& packet) {
  size_t count = 0;
  ByteReader reader(packet.bytes);
  while (const auto field = next_field(reader)) count += field->is_bytes(kUser) ? 1 : 0;
  return count;
}

}  // namespace

Result<DataPacketView> parse_data_packet(ByteView bytes) {
  DataPacketView packet;
  packet.bytes = bytes;
  ByteReader reader(bytes);
  while (!reader.at_end()) {
    const Field field = TRY(read_field(reader));
    if (field.number == kKind && field.type == WireType::Varint)
      packet.kind = field.varint == 1 ? DataKind::Lossy : DataKind::Reliable;
    if (field.is_bytes(kUser)) TRY(walk_user(packet, field.value));
    if (field.is_bytes(kDestinationIdentities)) packet.has_destinations = true;
  }
  return packet;
}

bool topic_begins_with(const DataPacketView& packet, std::string_view prefix) {
  ByteReader outer(packet.bytes);
  while (const auto field = next_field(outer)) {
    if (!field->is_bytes(kUser)) continue;
    ByteReader user(field->value);
    while (const auto inner = next_field(user))
      if (inner->is_bytes(kUserTopic) && as_text(inner->value).starts_with(prefix)) return true;
  }
  return false;
}

// --- addressees ----------------------------------------------------------------------------------

DestinationReader::DestinationReader(const DataPacketView& packet)
    : identities_(packet.bytes), users_(packet.bytes), user_({}) {}

std::optional<DestinationReader::Destination> DestinationReader::next() {
  while (const auto field = next_field(identities_))
    if (field->is_bytes(kDestinationIdentities)) return Destination{false, as_text(field->value)};
  while (true) {
    while (const auto field = next_field(user_)) {
      if (field->is_bytes(kUserDestinationIdentities))
        return Destination{false, as_text(field->value)};
      if (field->is_bytes(kUserDestinationSids)) return Destination{true, as_text(field->value)};
    }
    const auto field = next_field(users_);
    if (!field) return std::nullopt;
    if (field->is_bytes(kUser)) user_ = ByteReader(field->value);
  }
}

// --- writing -------------------------------------------------------------------------------------

size_t rewritten_bytes_max(const DataPacketView& packet, std::string_view identity,
                           std::string_view participant_sid) {
  // Each stamp may also lengthen the user packet's length prefix, by less than a varint.
  constexpr size_t kVarintBytesMax = 10;
  const size_t stamp =
      text_field_size(kSenderIdentity, identity) + text_field_size(kSenderSid, participant_sid);
  return packet.bytes.size() + stamp + user_packets(packet) * (stamp + kVarintBytesMax);
}

Result<ByteView> rewrite_sender(const DataPacketView& packet, std::string_view identity,
                                std::string_view participant_sid, ByteSpan out) {
  const Sender sender{identity, participant_sid};
  ByteWriter writer(out);
  ByteReader reader(packet.bytes);
  while (const auto field = next_field(reader)) {
    if (is_sender(*field)) continue;
    if (field->is_bytes(kUser)) {
      write_user(writer, field->value, sender);
    } else {
      writer.bytes(field->whole);
    }
  }
  write_text_field(writer, kSenderIdentity, sender.identity);
  write_text_field(writer, kSenderSid, sender.sid);
  if (!writer.ok()) return fail(ErrorKind::LimitExceeded, "no room for the data packet");
  return writer.written();
}

Bytes build_user_packet(DataKind kind, std::string_view topic, ByteView payload,
                        std::initializer_list<std::string_view> destinations) {
  const size_t user_size =
      bytes_field_size(kUserPayload, payload.size()) + text_field_size(kUserTopic, topic);
  constexpr size_t kKindBytes = 2;
  size_t size = kKindBytes + bytes_field_size(kUser, user_size);
  for (std::string_view identity : destinations)
    size += bytes_field_size(kDestinationIdentities, identity.size());
  Bytes bytes(size);
  ByteWriter out(bytes);
  if (kind == DataKind::Lossy) {
    write_varint(out, uint64_t{kKind} << 3);
    write_varint(out, static_cast<uint8_t>(kind));
  }
  write_varint(out, bytes_tag(kUser));
  write_varint(out, user_size);
  write_bytes_field(out, kUserPayload, payload);
  write_text_field(out, kUserTopic, topic);
  for (std::string_view identity : destinations)
    write_bytes_field(out, kDestinationIdentities, as_bytes(identity));
  CHECK(out.ok());
  bytes.resize(out.position());
  return bytes;
}

}  // namespace atrium::wire
