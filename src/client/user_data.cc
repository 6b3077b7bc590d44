#include "client/user_data.h"

#include "wire/data_packet.h"

namespace atrium::client {
namespace {

constexpr std::string_view kErrorTopic = "atrium.error";

// Field 4 of the envelope.
std::string_view sender_of(ByteView message) {
  ByteReader reader(message);
  const auto varint = [&]() -> std::optional<uint64_t> {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = reader.u8();
      if (!byte) return std::nullopt;
      value |= uint64_t{*byte & 0x7fu} << shift;
      if ((*byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  };
  while (!reader.at_end()) {
    const auto tag = varint();
    const auto size = varint();  // of a length-delimited field, or the value itself
    if (!tag || !size) return {};
    if ((*tag & 7) == 0) continue;
    const auto bytes =
        (*tag & 7) == 2 ? reader.take(*size) : Result<ByteView>(malformed("not an envelope"));
    if (!bytes) return {};
    if (*tag >> 3 == 4) return as_text(*bytes);
  }
  return {};
}

}  // namespace

std::optional<UserData> read_user_data(ByteView message) {
  const auto packet = wire::parse_data_packet(message);
  if (!packet) return std::nullopt;
  return UserData{packet->topic, packet->payload, sender_of(message)};
}

// The server writes `"code":` first (DESIGN section 1).
bool is_removal(const UserData& message) {
  if (message.topic != kErrorTopic || !message.sender.empty()) return false;
  std::string_view notice = as_text(message.payload);
  constexpr std::string_view kCode = "\"code\":";
  const size_t at = notice.find(kCode);
  if (at == notice.npos) return false;
  notice.remove_prefix(at + kCode.size());
  for (std::string_view code : {"-1004,", "-1006,", "-1009,", "-1011,"})
    if (notice.starts_with(code)) return true;
  return false;
}

}  // namespace atrium::client
