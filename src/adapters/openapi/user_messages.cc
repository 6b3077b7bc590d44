#include "adapters/openapi/user_messages.h"

#include <string>

#include "adapters/openapi/id_rule.h"
#include "base/crypto.h"

namespace atrium::openapi {
namespace {

std::unexpected<Refusal> refuse(ErrorCode code, std::string message) {
  return std::unexpected(Refusal{code, std::move(message)});
}

}  // namespace

std::expected<domain::SendMessage, Refusal> read_message(const ActionContext& context,
                                                         int64_t bytes_max) {
  const std::string_view from = context.args.text("From");
  // Of every app alike: a topic ends with it, and ':' stands before it there.
  if (!is_legal_id(from, false))
    return refuse(ErrorCode::IllegalFrom,
                  "From must be 1 to 128 characters of a-z, A-Z, 0-9, @, _, . and -.");
  const bool is_binary = context.args.flag("Binary");
  const std::string_view message = context.args.text("Message");
  std::optional<Bytes> payload =
      is_binary ? from_base64(message) : Bytes(as_bytes(message).begin(), as_bytes(message).end());
  if (!payload)
    return refuse(ErrorCode::InvalidParameter, "Message must be Base64 where Binary is true.");
  if (std::ssize(*payload) > bytes_max)
    return refuse(ErrorCode::SizeOverLimit,
                  "Message must be at most " + std::to_string(bytes_max) + " bytes.");
  return domain::SendMessage{.waiter = context.waiter,
                             .app = context.app.id,
                             .room = {},
                             .users = {},
                             .from = std::string(from),
                             .is_binary = is_binary,
                             .payload = *std::move(payload)};
}

std::optional<Refusal> check_sender(const ActionContext& context,
                                    const std::optional<RoomId>& room) {
  const UserId from(context.args.text("From"));
  const AppId& app = context.app.id;
  const bool is_there = room ? context.registry.find_user(app, *room, from) != nullptr
                             : context.registry.is_in_any_room(app, from);
  if (!is_there) return std::nullopt;
  return Refusal{ErrorCode::IllegalFrom,
                 room ? "From is the id of a user who is in the room."
                      : "From is the id of a user who is in a room of the app."};
}

std::optional<Refusal> check_addressee(std::string_view id, const domain::App& app) {
  if (is_legal_id(id, app.any_ids)) return std::nullopt;
  return Refusal{ErrorCode::IllegalTo,
                 app.any_ids ? "To must be 1 to 256 bytes of UTF-8 without control characters."
                             : "To must be 1 to 128 characters of a-z, A-Z, 0-9, @, _, . and -."};
}

Answer message_sent(const PendingCall&, const domain::ActionReply&) {
  return Json(Json::Object{{"Message", "success"}});
}

}  // namespace atrium::openapi
