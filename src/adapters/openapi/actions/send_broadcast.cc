// SendBroadcast (vendor-contract 1.4): to everybody in a room, invisible users too.
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
    {"Binary", FieldType::Boolean, FieldUse::Required, ""},
    {"Message", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep send_broadcast(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  auto message = read_message(context, limits::kMessageRoomBytesMax);
  if (!message) return message.error();
  message->room = RoomId(context.args.text("RoomId"));
  if (auto refusal = check_sender(context, message->room)) return *refusal;
  return ApplyCommand{*std::move(message)};
}

constexpr auto kRows = std::to_array<ActionRow>(
    {message_row("SendBroadcast", kVersion2020, kFields, send_broadcast),
     message_row("SendBroadcast", kVersion2023July, kFields, send_broadcast)});

}  // namespace

std::span<const ActionRow> send_broadcast_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
