#include "wire/stun.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::wire {
namespace {

// RFC 8489 §5.
//  0                   1                   2                   3
//  0 0|  message type (14)  |       message length (16)       |
// |                  magic cookie 0x2112A442                  |
// |                 transaction id (96 bits)                  |
constexpr uint32_t kMagicCookie = 0x2112'A442;
constexpr uint32_t kFingerprintMask = 0x5354'554E;
constexpr size_t kHeaderBytes = 20;
constexpr size_t kIntegrityBytes = 4 + 20;  // the attribute with its header
constexpr size_t kFingerprintBytes = 4 + 4;

enum Attribute : uint16_t {
  kMappedAddress = 0x0001,
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000A,
  kRealm = 0x0014,
  kNonce = 0x0015,
  kMessageIntegritySha256 = 0x001C,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,
  kIceControlling = 0x802A,
  kNomination = 0xC001,
};

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB8'8320u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

// The CRC-32 of ITU V.42, which RFC 8489 §14.7 asks for.
uint32_t crc32(ByteView data) {
  uint32_t crc = 0xffff'ffff;
  for (uint8_t byte : data) crc = kCrcTable[(crc ^ byte) & 0xff] ^ (crc >> 8);
  return ~crc;
}

// Class bits stand between the method's: M11-M7 C1 M6-M4 C0 M3-M0.
constexpr uint16_t message_type(uint16_t method, StunClass message_class) {
  const auto cls = static_cast<uint16_t>(message_class);
  return static_cast<uint16_t>((method & 0x000f) | ((method & 0x0070) << 1) |
                               ((method & 0x0f80) << 2) | ((cls & 1) << 4) | ((cls & 2) << 7));
}
constexpr uint16_t method_of(uint16_t type) {
  return static_cast<uint16_t>((type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2));
}
constexpr StunClass class_of(uint16_t type) {
  return static_cast<StunClass>(((type >> 4) & 1) | ((type >> 7) & 2));
}

constexpr size_t padded(size_t bytes) {
  return (bytes + 3) & ~size_t{3};
}

// The mask of XOR-MAPPED-ADDRESS: cookie, then transaction id (RFC 8489 §14.2).
std::array<uint8_t, 16> address_mask(const StunTransactionId& transaction) {
  std::array<uint8_t, 16> mask{};
  ByteWriter writer(mask);
  writer.u32(kMagicCookie);
  writer.bytes(transaction);
  return mask;
}

Result<SocketAddress> read_xor_address(ByteView value, const StunTransactionId& transaction) {
  ByteReader reader(value);
  TRY(reader.skip(1));
  const uint8_t family = TRY(reader.u8());
  SocketAddress address;
  address.port = static_cast<uint16_t>(TRY(reader.u16()) ^ (kMagicCookie >> 16));
  if (family != 1 && family != 2) return malformed("address family");
  address.ip.is_v6 = family == 2;
  const ByteView bytes = TRY(reader.take(address.ip.is_v6 ? 16 : 4));
  if (!reader.at_end()) return malformed("address length");
  const auto mask = address_mask(transaction);
  for (size_t i = 0; i < bytes.size(); ++i) address.ip.bytes[i] = bytes[i] ^ mask[i];
  return address;
}

Result<StunErrorCode> read_error_code(ByteView value) {
  ByteReader reader(value);
  TRY(reader.skip(2));
  const uint8_t hundreds = TRY(reader.u8()) & 0x07;
  const uint8_t rest = TRY(reader.u8());
  if (hundreds < 3 || hundreds > 6 || rest > 99) return malformed("error code");
  return StunErrorCode{static_cast<uint16_t>(hundreds * 100 + rest), as_text(reader.rest())};
}

Result<uint32_t> exactly_u32(ByteView value) {
  if (value.size() != 4) return malformed("attribute length");
  return ByteReader(value).u32();
}
Result<uint64_t> exactly_u64(ByteView value) {
  if (value.size() != 8) return malformed("attribute length");
  return ByteReader(value).u64();
}

template <typename T>
void keep_first(std::optional<T>& slot, T value) {
  if (!slot) slot = value;
}

void note_unknown(StunMessage& message, uint16_t type) {
  const bool is_required = type < 0x8000;
  if (!is_required || message.unknown_required_count == message.unknown_required.size()) return;
  message.unknown_required[message.unknown_required_count++] = type;
}

Result<void> read_attribute(StunMessage& message, uint16_t type, ByteView value) {
  switch (type) {
    case kUsername:
      if (value.size() > kStunUsernameBytesMax) return malformed("username too long");
      keep_first(message.username, as_text(value));
      break;
    case kPriority: keep_first(message.priority, TRY(exactly_u32(value))); break;
    case kUseCandidate: message.use_candidate = true; break;
    case kIceControlling: keep_first(message.ice_controlling, TRY(exactly_u64(value))); break;
    case kIceControlled: keep_first(message.ice_controlled, TRY(exactly_u64(value))); break;
    case kNomination:
      if (value.size() == 4) keep_first(message.nomination, TRY(exactly_u32(value)));
      break;
    case kXorMappedAddress:
      keep_first(message.xor_mapped_address, TRY(read_xor_address(value, message.transaction)));
      break;
    case kErrorCode: keep_first(message.error, TRY(read_error_code(value))); break;
    case kMappedAddress:  // understood and not needed
    case kUnknownAttributes:
    case kRealm:
    case kNonce:
    case kMessageIntegritySha256:  // RFC 8489 §14.5: both may stand in a request; we read the older one
      break;
    default: note_unknown(message, type);
  }
  return {};
}

Result<void> check_fingerprint(ByteView datagram, size_t attribute_at, ByteView value) {
  const uint32_t given = TRY(exactly_u32(value));
  if (attribute_at + kFingerprintBytes != datagram.size())
    return malformed("fingerprint is not last");
  if ((crc32(datagram.first(attribute_at)) ^ kFingerprintMask) != given)
    return malformed("fingerprint");
  return {};
}

Result<void> read_attributes(StunMessage& message, ByteReader& reader) {
  while (!reader.at_end()) {
    const size_t at = reader.position();
    const uint16_t type = TRY(reader.u16());
    const uint16_t length = TRY(reader.u16());
    const ByteView value = TRY(reader.take(length));
    TRY(reader.skip(padded(length) - length));
    if (type == kFingerprint) {
      TRY(check_fingerprint(message.bytes, at, value));
      message.has_fingerprint = true;
    } else if (message.has_integrity) {
      continue;  // RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not protected by it
    } else if (type == kMessageIntegrity) {
      if (value.size() != 20) return malformed("integrity length");
      message.has_integrity = true;
      message.integrity_at = at;
    } else {
      TRY(read_attribute(message, type, value));
    }
  }
  return {};
}

}  // namespace

Result<StunMessage> parse_stun(ByteView datagram) {
  ByteReader reader(datagram);
  StunMessage message;
  const uint16_t type = TRY(reader.u16());
  const uint16_t length = TRY(reader.u16());
  if ((type & 0xC000) != 0) return malformed("not stun");
  if (TRY(reader.u32()) != kMagicCookie) return malformed("magic cookie");
  const ByteView transaction = TRY(reader.take(message.transaction.size()));
  if (length % 4 != 0 || length != reader.remaining()) return malformed("message length");
  std::ranges::copy(transaction, message.transaction.begin());
  message.message_class = class_of(type);
  message.method = method_of(type);
  message.bytes = datagram;
  TRY(read_attributes(message, reader));
  return message;
}

bool has_valid_integrity(const StunMessage& message, ByteView key) {
  // The HMAC covers the message up to the attribute, with a length that ends behind the attribute (RFC 8489 §14.5).
  std::array<uint8_t, limits::kDatagramBytesMax> covered;
  if (!message.has_integrity || message.integrity_at > covered.size()) return false;
  ByteWriter writer(covered);
  writer.bytes(message.bytes.first(message.integrity_at));
  writer.patch_u16(2, static_cast<uint16_t>(message.integrity_at + kIntegrityBytes - kHeaderBytes));
  const auto expected = hmac_sha1(key, writer.written());
  const ByteView given = message.bytes.subspan(message.integrity_at + 4, expected.size());
  return constant_time_equal(expected, given);
}

std::optional<StunUsernameParts> split_username(std::string_view username) {
  const size_t colon = username.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return StunUsernameParts{username.substr(0, colon), username.substr(colon + 1)};
}

// --- writing -------------------------------------------------------------------------------------

StunWriter::StunWriter(ByteSpan out, StunClass message_class, const StunTransactionId& transaction)
    : writer_(out), transaction_(transaction) {
  constexpr uint16_t kBinding = 1;
  writer_.u16(message_type(kBinding, message_class));
  writer_.u16(0);
  writer_.u32(kMagicCookie);
  writer_.bytes(transaction);
}

void StunWriter::attribute(uint16_t type, ByteView value) {
  writer_.u16(type);
  writer_.u16(static_cast<uint16_t>(value.size()));
  writer_.bytes(value);
  writer_.fill(0, padded(value.size()) - value.size());
}

void StunWriter::username(std::string_view value) {
  attribute(kUsername, as_bytes(value));
}

void StunWriter::priority(uint32_t value) {
  std::array<uint8_t, 4> bytes;
  ByteWriter(bytes).u32(value);
  attribute(kPriority, bytes);
}

void StunWriter::use_candidate() {
  attribute(kUseCandidate, {});
}

void StunWriter::ice_controlling(uint64_t tie_breaker) {
  std::array<uint8_t, 8> bytes;
  ByteWriter(bytes).u64(tie_breaker);
  attribute(kIceControlling, bytes);
}

void StunWriter::ice_controlled(uint64_t tie_breaker) {
  std::array<uint8_t, 8> bytes;
  ByteWriter(bytes).u64(tie_breaker);
  attribute(kIceControlled, bytes);
}

void StunWriter::xor_mapped_address(const SocketAddress& address) {
  std::array<uint8_t, 20> bytes;
  ByteWriter value(bytes);
  value.u8(0);
  value.u8(address.ip.is_v6 ? 2 : 1);
  value.u16(static_cast<uint16_t>(address.port ^ (kMagicCookie >> 16)));
  const auto mask = address_mask(transaction_);
  const size_t address_bytes = address.ip.is_v6 ? 16 : 4;
  for (size_t i = 0; i < address_bytes; ++i) value.u8(address.ip.bytes[i] ^ mask[i]);
  attribute(kXorMappedAddress, value.written());
}

void StunWriter::error_code(uint16_t code, std::string_view reason) {
  constexpr size_t kReasonBytesMax = 127;
  std::array<uint8_t, 4 + kReasonBytesMax> bytes;
  ByteWriter value(bytes);
  value.u16(0);
  value.u8(static_cast<uint8_t>(code / 100));
  value.u8(static_cast<uint8_t>(code % 100));
  value.bytes(as_bytes(reason.substr(0, kReasonBytesMax)));
  attribute(kErrorCode, value.written());
}

void StunWriter::unknown_attributes(std::span<const uint16_t> types) {
  std::array<uint8_t, 16> bytes;
  ByteWriter value(bytes);
  for (uint16_t type : types.first(std::min(types.size(), bytes.size() / 2))) value.u16(type);
  attribute(kUnknownAttributes, value.written());
}

void StunWriter::set_length(size_t bytes_after_header) {
  if (writer_.ok()) writer_.patch_u16(2, static_cast<uint16_t>(bytes_after_header));
}

Result<ByteView> StunWriter::finish(std::string_view password) {
  set_length(writer_.position() - kHeaderBytes + kIntegrityBytes);
  if (!writer_.ok()) return fail(ErrorKind::LimitExceeded, "no room for the stun message");
  attribute(kMessageIntegrity, hmac_sha1(as_bytes(password), writer_.written()));
  return finish_without_integrity();
}

Result<ByteView> StunWriter::finish_without_integrity() {
  set_length(writer_.position() - kHeaderBytes + kFingerprintBytes);
  if (!writer_.ok()) return fail(ErrorKind::LimitExceeded, "no room for the stun message");
  std::array<uint8_t, 4> crc;
  ByteWriter(crc).u32(crc32(writer_.written()) ^ kFingerprintMask);
  attribute(kFingerprint, crc);
  if (!writer_.ok()) return fail(ErrorKind::LimitExceeded, "no room for the stun message");
  return writer_.written();
}

Result<ByteView> write_binding_request(ByteSpan out, const StunBindingRequest& request,
                                       std::string_view remote_password) {
  if (request.username.size() > kStunUsernameBytesMax)
    return fail(ErrorKind::LimitExceeded, "stun username too long");
  StunWriter writer(out, StunClass::Request, request.transaction);
  writer.username(request.username);
  writer.priority(request.priority);
  if (request.is_controlling) {
    writer.ice_controlling(request.tie_breaker);
    if (request.use_candidate) writer.use_candidate();
  } else {
    writer.ice_controlled(request.tie_breaker);
  }
  return writer.finish(remote_password);
}

Result<ByteView> write_binding_success(ByteSpan out, const StunTransactionId& transaction,
                                       const SocketAddress& mapped, std::string_view password) {
  StunWriter writer(out, StunClass::SuccessResponse, transaction);
  writer.xor_mapped_address(mapped);
  return writer.finish(password);
}

Result<ByteView> write_binding_error(ByteSpan out, const StunTransactionId& transaction,
                                     uint16_t code, std::string_view reason,
                                     std::optional<std::string_view> password,
                                     std::span<const uint16_t> unknown_attributes) {
  if (code < 300 || code > 699) return fail(ErrorKind::Internal, "not a stun error code");
  StunWriter writer(out, StunClass::ErrorResponse, transaction);
  writer.error_code(code, reason);
  if (!unknown_attributes.empty()) writer.unknown_attributes(unknown_attributes);
  return password ? writer.finish(*password) : writer.finish_without_integrity();
}

}  // namespace atrium::wire
