#include "domain/notices.h"

namespace atrium::domain {
namespace {

struct CodeText {
  ClientCode code;
  std::string_view name, message;
};

constexpr CodeText kCodes[] = {
    {ClientCode::InvalidToken, "INVALID_TOKEN", "The token is not valid for this room and user."},
    {ClientCode::JoinRoom, "JOIN_ROOM_FAILED", "The room could not be joined."},
    {ClientCode::NoPublishPermission, "TOKEN_NO_PUBLISH_PERMISSION",
     "The permission to publish has ended."},
    {ClientCode::NoSubscribePermission, "TOKEN_NO_SUBSCRIBE_PERMISSION",
     "The permission to subscribe has ended."},
    {ClientCode::DuplicateLogin, "DUPLICATE_LOGIN",
     "The same user joined this room from elsewhere."},
    {ClientCode::KickedOut, "KICKED_OUT", "You were removed from the room."},
    {ClientCode::RoomIdIllegal, "ROOM_ID_ILLEGAL", "The room id is not allowed."},
    {ClientCode::TokenExpired, "TOKEN_EXPIRED", "The token has expired."},
    {ClientCode::UpdateTokenWithInvalidToken, "UPDATE_TOKEN_WITH_INVALID_TOKEN",
     "The new token is not valid for this session."},
    {ClientCode::RoomDismiss, "ROOM_DISMISS", "The room was dismissed."},
    {ClientCode::RoomForbidden, "ROOM_FORBIDDEN", "The room is closed to everybody for now."},
    {ClientCode::UserForbidden, "USER_FORBIDDEN", "You may not join this room for now."},
};

const CodeText& text_of(ClientCode code) {
  for (const CodeText& one : kCodes)
    if (one.code == code) return one;
  return kCodes[1];  // a tombstone read from the store may carry a number of a later version
}

}  // namespace

std::string_view client_code_name(ClientCode code) {
  return text_of(code).name;
}
std::string_view client_code_message(ClientCode code) {
  return text_of(code).message;
}

Reason make_reason(LeaveReason why, std::optional<ClientCode> code, const std::string& text,
                   const OperationId& operation, const std::string& operator_id) {
  if (!code) return {.why = why};
  return {.why = why,
          .number = static_cast<int32_t>(*code),
          .name = std::string(client_code_name(*code)),
          .text = text.empty() ? std::string(client_code_message(*code)) : text,
          .operation = operation,
          .operator_id = operator_id};
}

Notice make_notice(const Reason& reason, std::optional<Wall> forbidden_until) {
  return {.code = static_cast<ClientCode>(reason.number),
          .name = reason.name,
          .message = reason.text,
          .operation = reason.operation,
          .forbidden_until = forbidden_until,
          .operator_id = reason.operator_id};
}

Notice make_notice(const Tombstone& tombstone) {
  return make_notice(make_reason(LeaveReason::None, tombstone.code, tombstone.text,
                                 tombstone.operation, tombstone.operator_id));
}

std::string error_payload(ClientCode code) {
  // Names and messages are ours and need no escaping.
  return "{\"code\":" + std::to_string(static_cast<int>(code)) + ",\"name\":\"" +
         std::string(client_code_name(code)) + "\",\"message\":\"" +
         std::string(client_code_message(code)) + "\"}";
}

std::string token_will_expire_payload(Wall expires_at) {
  return "{\"expiresAt\":" + std::to_string(unix_ms(expires_at)) + "}";
}

}  // namespace atrium::domain
