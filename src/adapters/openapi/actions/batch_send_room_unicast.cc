// BatchSendRoomUnicast (vendor-contract 1.4): to the listed users of one room; who is listed twice gets it once.
#include <array>

#include "adapters/openapi/results.h"
#include "adapters/openapi/user_messages.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"From", FieldType::Text, FieldUse::Required, ""},
    {"To", FieldType::TextList, FieldUse::Required, ""},
    {"Binary", FieldType::Boolean, FieldUse::Required, ""},
    {"Message", FieldType::Text, FieldUse::Required, ""},
});

std::expected<std::vector<UserId>, Refusal> read_addressees(const ActionContext& context) {
  const std::vector<std::string_view> ids = context.args.texts("To");
  if (ids.empty())
    return std::unexpected(Refusal{ErrorCode::IllegalTo, "To must name at least one user."});
  if (std::ssize(ids) > limits::kMessageBatchUsersMax)
    return std::unexpected(Refusal{
        ErrorCode::UserCountOverLimit,
        "To must name at most " + std::to_string(limits::kMessageBatchUsersMax) + " users."});
  std::vector<UserId> users;
  for (const std::string_view id : ids) {
    if (auto refusal = check_addressee(id, context.app)) return std::unexpected(*refusal);
    users.emplace_back(id);
  }
  return users;
}

HandlerStep batch_send_room_unicast(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  auto message = read_message(context, limits::kMessageBatchBytesMax);
  if (!message) return message.error();
  message->room = RoomId(context.args.text("RoomId"));
  if (auto refusal = check_sender(context, message->room)) return *refusal;
  auto users = read_addressees(context);
  if (!users) return users.error();
  message->users = *std::move(users);
  return ApplyCommand{*std::move(message)};
}

constexpr auto kRows = std::to_array<ActionRow>(
    {message_row("BatchSendRoomUnicast", kVersion2020, kFields, batch_send_room_unicast),
     message_row("BatchSendRoomUnicast", kVersion2023July, kFields, batch_send_room_unicast)});

}  // namespace

std::span<const ActionRow> batch_send_room_unicast_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
