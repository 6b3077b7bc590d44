// The Data Channel Establishment Protocol's two messages, as values.  Stateless.  RFC 8832 sections 5 and 8.2.1.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/bytes.h"
#include "base/result.h"
#include "media/sctp_port.h"

namespace atrium::media {

// SCTP payload protocol identifiers (RFC 8831 section 8).
inline constexpr uint32_t kPpidDcep = 50;
inline constexpr uint32_t kPpidString = 51;
inline constexpr uint32_t kPpidBinary = 53;
inline constexpr uint32_t kPpidStringEmpty = 56;
inline constexpr uint32_t kPpidBinaryEmpty = 57;

enum class DcepReliability : uint8_t { Reliable, LimitedRetransmits, LimitedLifetime };

// 0                   1                   2                   3
// | type = 0x03   | channel type  |            priority           |
// |                    reliability parameter                      |
// |         label length          |        protocol length        |
// | label … | protocol … |
struct DcepOpen {
  DcepReliability reliability = DcepReliability::Reliable;
  bool is_unordered = false;
  uint32_t reliability_parameter = 0;  // retransmissions, or milliseconds
  std::string label;
};
struct DcepAck {};
using DcepMessage = std::variant<DcepOpen, DcepAck>;

// Malformed: truncated, of an unknown message or channel type, or lengths that disagree with the message.
Result<DcepMessage> parse_dcep(ByteView message);
Bytes write_dcep(const DcepOpen& open);  // label up to 65,535 bytes; protocol empty
Bytes write_dcep(const DcepAck& ack);

DataLabel data_label(std::string_view label);  // "_reliable", "_lossy", anything else
// As LiveKit's clients open them; Other has no opening (CHECK).
DcepOpen dcep_open_for(DataLabel label);

}  // namespace atrium::media
