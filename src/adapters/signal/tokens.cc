#include "adapters/signal/tokens.h"

#include "adapters/signal/token_parts.h"
#include "base/limits.h"
#include "domain/id_rule.h"

namespace atrium::signal {
namespace {

// The room that the token and the path prefix name together.
std::expected<RoomId, TokenRefusal> agreed_room(const AuthenticToken& authentic,
                                                const std::optional<RoomId>& path_room) {
  if (authentic.is_wildcard) {
    if (path_room) return *path_room;
    return illegal_id("A token for all rooms needs the room in the URL: /r/<RoomId>.");
  }
  if (path_room && *path_room != authentic.token.room)
    return invalid_token("The token is for another room than the URL.");
  return authentic.token.room;
}

}  // namespace

bool is_legal_id(std::string_view id, bool any_ids) {
  return domain::is_legal_id(id, any_ids);
}

TokenOutcome verify_token(std::string_view text, const domain::Apps& apps,
                          const std::optional<RoomId>& path_room, Now now) {
  if (text.empty()) return invalid_token("A token is required.");
  if (text.size() > limits::kTokenBytesMax) return invalid_token("The token is too long.");
  AuthenticOutcome authentic =
      text.starts_with("001") ? verify_vendor_token(text, apps, now) : verify_jwt(text, apps, now);
  if (!authentic) return std::unexpected(authentic.error());
  if (!authentic->app->enabled)
    return std::unexpected(
        TokenRefusal{domain::ClientCode::JoinRoom, "The application is disabled."});
  auto room = agreed_room(*authentic, path_room);
  if (!room) return std::unexpected(room.error());
  VerifiedToken token = std::move(authentic->token);
  token.room = std::move(*room);
  if (!is_legal_id(token.room.value, authentic->app->any_ids))
    return illegal_id("The room id is not legal.");
  if (!is_legal_id(token.user.value, authentic->app->any_ids))
    return illegal_id("The user id is not legal.");
  return token;
}

}  // namespace atrium::signal
