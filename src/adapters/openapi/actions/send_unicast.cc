// SendUnicast (vendor-contract 1.4): to one user wherever that user is, in each room once.
#include <array>

#include "adapters/openapi/user_messages.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"From", FieldType::Text, FieldUse::Required, ""},
    {"To", FieldType::Text, FieldUse::Required, ""},
    {"Binary", FieldType::Boolean, FieldUse::Required, ""},
    {"Message", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep send_unicast(ActionContext& context) {
  const std::string_view to = context.args.text("To");
  auto message = read_message(context, limits::kMessageRoomBytesMax);
  if (!message) return message.error();
  if (auto refusal = check_sender(context, std::nullopt)) return *refusal;
  if (auto refusal = check_addressee(to, context.app)) return *refusal;
  message->users = std::vector{UserId(to)};
  return ApplyCommand{*std::move(message)};
}

constexpr auto kRows =
    std::to_array<ActionRow>({message_row("SendUnicast", kVersion2020, kFields, send_unicast),
                              message_row("SendUnicast", kVersion2023July, kFields, send_unicast)});

}  // namespace

std::span<const ActionRow> send_unicast_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
