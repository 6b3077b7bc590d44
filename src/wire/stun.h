// STUN for ICE: parse, verify and write binding messages of both sides.  RFC 8489 (short-term credentials), RFC
// 8445 §7. Views into the caller's bytes; nothing is kept.  Does not: MESSAGE-INTEGRITY-SHA256, long-term
// credentials, TURN.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/socket_address.h"

namespace atrium::wire {

using StunTransactionId = std::array<uint8_t, 12>;

enum class StunClass : uint8_t {
  Request = 0,
  Indication = 1,
  SuccessResponse = 2,
  ErrorResponse = 3
};

// RFC 8489 §14.8 and RFC 8445 §7.3.1.1: the codes that we send.
inline constexpr uint16_t kStunBadRequest = 400;
inline constexpr uint16_t kStunUnauthenticated = 401;
inline constexpr uint16_t kStunUnknownAttribute = 420;
inline constexpr uint16_t kStunRoleConflict = 487;

// Enough for every message that the functions below write, with a USERNAME of kStunUsernameBytesMax.
inline constexpr size_t kStunWriteBytesMax = 768;
inline constexpr size_t kStunUsernameBytesMax = 508;  // RFC 8489 §14.3: below 509 bytes

struct StunErrorCode {
  uint16_t code = 0;  // 300 to 699
  std::string_view reason;
};

// A message whose structure is sound: cookie, lengths, padding, and FINGERPRINT where there is one.  Where an
// attribute is repeated the first one counts (RFC 8489 §14); what stands behind MESSAGE-INTEGRITY is ignored,
// FINGERPRINT apart.
struct StunMessage {
  StunClass message_class = StunClass::Request;
  uint16_t method = 0;  // 1 = Binding
  StunTransactionId transaction{};
  std::optional<std::string_view> username;
  std::optional<uint32_t> priority;
  bool use_candidate = false;
  std::optional<uint64_t> ice_controlling, ice_controlled;  // tie-breakers
  std::optional<SocketAddress> xor_mapped_address;
  std::optional<StunErrorCode> error;
  std::optional<uint32_t>
      nomination;  // renomination draft; comprehension-optional, nobody needs to honour it
  bool has_integrity = false;    // present; verified only by has_valid_integrity
  bool has_fingerprint = false;  // present and right
  // Comprehension-required attributes that we do not know: a request with any is answered by 420.
  std::array<uint16_t, 8> unknown_required{};
  uint8_t unknown_required_count = 0;
  // For has_valid_integrity: views of the datagram.
  ByteView bytes;
  size_t integrity_at = 0;  // offset of the MESSAGE-INTEGRITY attribute

  bool is_binding_request() const { return method == 1 && message_class == StunClass::Request; }
  std::span<const uint16_t> unknown_attributes() const {
    return std::span(unknown_required).first(unknown_required_count);
  }
};

// Malformed for everything that is not one whole, sound STUN message.
Result<StunMessage> parse_stun(ByteView datagram);

// MESSAGE-INTEGRITY is there and right under `key`: for ICE, the password of the side that received the request.
bool has_valid_integrity(const StunMessage& message, ByteView key);
inline bool has_valid_integrity(const StunMessage& message, std::string_view password) {
  return has_valid_integrity(message, as_bytes(password));
}

// "theirs:ours" or "ours:theirs" cut at its first colon; nullopt without one.
struct StunUsernameParts {
  std::string_view receiver_ufrag, sender_ufrag;
};
std::optional<StunUsernameParts> split_username(std::string_view username);

// --- writing -------------------------------------------------------------------------------------
// Writes a message attribute by attribute into the caller's bytes; finish_* closes it once.
class StunWriter {
 public:
  StunWriter(ByteSpan out, StunClass message_class, const StunTransactionId& transaction);

  void username(std::string_view value);
  void priority(uint32_t value);
  void use_candidate();
  void ice_controlling(uint64_t tie_breaker);
  void ice_controlled(uint64_t tie_breaker);
  void xor_mapped_address(const SocketAddress& address);
  void error_code(uint16_t code, std::string_view reason);
  void unknown_attributes(std::span<const uint16_t> types);

  // MESSAGE-INTEGRITY under `password`, then FINGERPRINT.  LimitExceeded when the bytes did not suffice.
  Result<ByteView> finish(std::string_view password);
  // FINGERPRINT alone: for errors to those who did not prove who they are.
  Result<ByteView> finish_without_integrity();

 private:
  void attribute(uint16_t type, ByteView value);
  void set_length(size_t bytes_after_header);

  ByteWriter writer_;
  StunTransactionId transaction_;
};

// The dialling or checking side (RFC 8445 §7.2.4).
struct StunBindingRequest {
  StunTransactionId transaction{};
  std::string_view username;  // "<remote ufrag>:<local ufrag>"
  uint32_t priority = 0;
  bool is_controlling = true;
  uint64_t tie_breaker = 0;
  bool use_candidate = false;  // only with is_controlling
};
Result<ByteView> write_binding_request(ByteSpan out, const StunBindingRequest& request,
                                       std::string_view remote_password);
Result<ByteView> write_binding_success(ByteSpan out, const StunTransactionId& transaction,
                                       const SocketAddress& mapped, std::string_view password);
// Without a password there is no MESSAGE-INTEGRITY (RFC 8489 §9.1.3: 400 and 401).
Result<ByteView> write_binding_error(ByteSpan out, const StunTransactionId& transaction,
                                     uint16_t code, std::string_view reason,
                                     std::optional<std::string_view> password,
                                     std::span<const uint16_t> unknown_attributes = {});

}  // namespace atrium::wire
