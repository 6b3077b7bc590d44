// SendRoomUnicast (vendor-contract 1.4): to one user in one room.
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
    {"To", FieldType::Text, FieldUse::Required, ""},
    {"Binary", FieldType::Boolean, FieldUse::Required, ""},
    {"Message", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep send_room_unicast(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  const std::string_view to = context.args.text("To");
  auto message = read_message(context, limits::kMessageRoomBytesMax);
  if (!message) return message.error();
  message->room = RoomId(context.args.text("RoomId"));
  if (auto refusal = check_sender(context, message->room)) return *refusal;
  if (auto refusal = check_addressee(to, context.app)) return *refusal;
  message->users = std::vector{UserId(to)};
  return ApplyCommand{*std::move(message)};
}

constexpr auto kRows = std::to_array<ActionRow>(
    {message_row("SendRoomUnicast", kVersion2020, kFields, send_room_unicast),
     message_row("SendRoomUnicast", kVersion2023July, kFields, send_room_unicast)});

}  // namespace

std::span<const ActionRow> send_room_unicast_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
