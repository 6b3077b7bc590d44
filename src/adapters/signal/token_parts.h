// What tokens.cc, vendor_token.cc and jwt.cc share.  Private to the token files.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/signal/tokens.h"
#include "base/bytes.h"

namespace atrium::signal {

inline std::unexpected<TokenRefusal> invalid_token(const char* message) {
  return std::unexpected(TokenRefusal{domain::ClientCode::InvalidToken, message});
}
inline std::unexpected<TokenRefusal> illegal_id(const char* message) {
  return std::unexpected(TokenRefusal{domain::ClientCode::RoomIdIllegal, message});
}

// A token before its application's rules: which room, whose ids, is the app enabled (tokens.cc decides).
struct AuthenticToken {
  VerifiedToken token;               // room as written in the token
  const domain::App* app = nullptr;  // in the caller's context
  bool is_wildcard = false;          // 001 whose room is "*": the path names it
};
using AuthenticOutcome = std::expected<AuthenticToken, TokenRefusal>;

AuthenticOutcome verify_vendor_token(std::string_view text, const domain::Apps& apps, Now now);
AuthenticOutcome verify_jwt(std::string_view text, const domain::Apps& apps, Now now);

// --- 001 (vendor-contract 4.1), before any key is asked
struct VendorToken {
  AppId app;
  RoomId room;
  UserId user;
  uint32_t nonce = 0, issued_at = 0, expire_at = 0;  // unix seconds; expire_at 0: never
  std::map<uint16_t, uint32_t> privileges;           // → its own expiry in unix seconds, 0: never
  Bytes message;                                     // what the MAC covers
  Sha256 signature{};
};
std::optional<VendorToken> parse_vendor_token(std::string_view text);

}  // namespace atrium::signal
