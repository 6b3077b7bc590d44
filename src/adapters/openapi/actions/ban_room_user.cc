// BanRoomUser (vendor-contract 1.3.3): evicts whoever is meant and keeps them out for a while.  A repeated ban
// succeeds, with another text, and does not reset the clock.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields2020 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Optional, ""},
    {"UserId", FieldType::Text, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});
constexpr auto kFields2023 = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Optional, ""},
    {"UserId", FieldType::Text, FieldUse::Optional, ""},
    {"IP", FieldType::Text, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep ban(ActionContext& context) {
  auto target = read_ban_target(context.args, context.app);
  if (!target) return target.error();
  const auto interval = read_interval(context.args, context.bans);
  if (!interval) return interval.error();
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  context.call.room = target->room.value_or(RoomId());
  context.call.names_user = target->user.has_value();
  context.call.was_banned =
      *interval > Duration{} && context.registry.is_banned(context.app.id, *target);
  return ApplyCommand{domain::BanUsers{.waiter = context.waiter,
                                       .app = context.app.id,
                                       .target = *std::move(target),
                                       .interval = *interval,
                                       .origin = *std::move(origin)}};
}

Json text_of(const PendingCall& call, bool is_room) {
  if (!call.was_banned) return message_json(call, "success");
  return message_json(call, is_room ? "Room has been banned" : "User has been banned");
}

// Answered by an ActionReply: a user, an address, or a room that nobody was in.
Answer shape(const PendingCall& call, const domain::ActionReply&) {
  return text_of(call, !call.room.empty() && !call.names_user);
}

Answer shape_room(const PendingCall& call, const domain::DismissReply& reply) {
  if (auto refusal = dismissal_failure(reply)) return *refusal;
  return text_of(call, true);
}

constexpr ActionRow row(std::string_view version, std::span<const FieldRule> fields) {
  return {.name = "BanRoomUser",
          .version = version,
          .method = Method::Post,
          .per_second = 40,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Ban,
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = ban,
          .on_dismissed = shape_room,
          .on_applied = shape};
}

constexpr auto kRows =
    std::to_array<ActionRow>({row(kVersion2020, kFields2020), row(kVersion2023, kFields2023)});

}  // namespace

std::span<const ActionRow> ban_room_user_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
