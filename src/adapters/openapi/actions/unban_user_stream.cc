// UnbanUserStream (vendor-contract 1.3.5): gives back what BanUserStream took; what is false or absent stays as it is.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields2020 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Token", FieldType::Text, FieldUse::Required,
     ""},  // the access key is proof enough: not looked at
    {"Video", FieldType::Boolean, FieldUse::Optional, ""},
    {"Audio", FieldType::Boolean, FieldUse::Optional, ""},
});
constexpr auto kFields2023 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Video", FieldType::Boolean, FieldUse::Optional, ""},
    {"Audio", FieldType::Boolean, FieldUse::Optional, ""},
});

HandlerStep unban(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  if (auto refusal = check_user_id(context.args, context.app)) return *refusal;
  const auto wanted = [&](const char* kind) {
    return context.args.flag(kind) ? std::optional(false) : std::nullopt;
  };
  return ApplyCommand{domain::SetStreamBan{.waiter = context.waiter,
                                           .app = context.app.id,
                                           .room = RoomId(context.args.text("RoomId")),
                                           .user = UserId(context.args.text("UserId")),
                                           .audio = wanted("Audio"),
                                           .video = wanted("Video")}};
}

Answer shape(const PendingCall& call, const domain::ActionReply&) {
  return message_json(call, "success");
}

constexpr ActionRow row(std::string_view version, std::span<const FieldRule> fields) {
  return {.name = "UnbanUserStream",
          .version = version,
          .method = Method::Post,
          .per_second = 60,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Manage,
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = unban,
          .on_applied = shape};
}

constexpr auto kRows =
    std::to_array<ActionRow>({row(kVersion2020, kFields2020), row(kVersion2023, kFields2023)});

}  // namespace

std::span<const ActionRow> unban_user_stream_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
