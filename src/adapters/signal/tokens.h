// Tokens of both kinds: the vendor's "001" AccessToken and LiveKit's JWT (RFC 7519, HS256 alone).  Verified against the
// applications' keys; minted only to refresh a JWT.  Pure: `now` is an argument.  Owner: the control thread's node.
// Does not: know bans, rooms or connections; log or keep token text (its SHA-256 stands for it).
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/apps.h"
#include "domain/types.h"

namespace atrium::signal {

// What a token that holds at `now` says.  Permissions are those in force now: an expired privilege is no privilege.
struct VerifiedToken {
  domain::TokenKind kind = domain::TokenKind::Jwt;
  AppId app;
  RoomId room;
  UserId user;
  std::string name;
  std::string metadata;
  std::map<std::string, std::string> attributes;
  domain::Permissions permissions;
  std::optional<Wall> expires_at;       // JWT: exp.  001: expireAt, absent when it never expires
  std::optional<Wall> publish_until;    // 001 only: privilege 0's own expiry
  std::optional<Wall> subscribe_until;  // 001 only: privilege 4's own expiry
  // SHA-256 of the token's text.  A refreshed JWT carries that of the token which it descends from, so that what is
  // remembered about a token (tombstones) holds for its descendants.
  Sha256 hash{};
  std::string api_key;  // JWT only: its `iss`
};

struct TokenRefusal {
  // InvalidToken, RoomIdIllegal or JoinRoom (the app is disabled).
  domain::ClientCode code = domain::ClientCode::InvalidToken;
  const char* message = "";  // a literal for people; says nothing secret
};

using TokenOutcome = std::expected<VerifiedToken, TokenRefusal>;

// `text`: as presented, percent-decoded where it came in a query; either kind.  `path_room`: of the
// /r/<RoomId> prefix.  It gives a wildcard 001 token its room and must agree with any other
// token's.
TokenOutcome verify_token(std::string_view text, const domain::Apps& apps,
                          const std::optional<RoomId>& path_room, Now now);

// What a backend's JWT grants about rooms (livekit-protocol 2.1): for the server API, not for a door.
struct ServiceToken {
  AppId app;
  std::string api_key;
  // The key may manage rooms at all (domain::ApiKey).  The AppId as a key never may.
  bool is_management = false;
  bool room_create = false, room_list = false, room_admin = false;
  RoomId room;  // the one that room_admin is for; empty: none
};
using ServiceTokenOutcome = std::expected<ServiceToken, TokenRefusal>;
// A disabled application's tokens hold: its rooms can still be managed.
ServiceTokenOutcome verify_service_token(std::string_view text, const domain::Apps& apps, Now now);

// VerifiedToken::hash of a token that a backend names, whether or not it still holds.
Sha256 token_line(std::string_view text);

// What `refresh_token` may carry: the same identity and room, grants that are the token's and still
// held (`current`), never wider; valid 10 minutes or the rest of the token's life, whichever is
// longer.  nullopt for 001 tokens, and when the key that signed is gone or the app is disabled.
std::optional<std::string> mint_refresh(const VerifiedToken& token,
                                        const domain::Permissions& current,
                                        const domain::Apps& apps, Now now);

// The vendor's rule for RoomId and UserId: [a-zA-Z0-9@_.-]{1,128}.  With any_ids: UTF-8 of 1 to
// kIdBytesMax bytes without control characters.
bool is_legal_id(std::string_view id, bool any_ids);

}  // namespace atrium::signal
