// DismissRoom: 2020-12-01 exactly as the vendor documents it (vendor-contract 1.3.1), with
// additions that are harmless where they are ignored; 2026-12-01 strict, with a receipt always, a
// dry run and a condition on the life.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr std::string_view kOnlyInOwnVersion =
    "only Version 2026-12-01 has it; here the room would be dismissed as if it were not there.";
constexpr auto kVendorFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"Receipt", FieldType::Boolean, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
    {"DryRun", FieldType::Boolean, FieldUse::Refused, kOnlyInOwnVersion},
    {"IfRoomSessionId", FieldType::Text, FieldUse::Refused, kOnlyInOwnVersion},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
});

constexpr auto kOwnFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
    {"DryRun", FieldType::Boolean, FieldUse::Optional, ""},
    {"IfRoomSessionId", FieldType::Text, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
});

Json dry_run(const ActionContext& context, const std::optional<RoomSid>& if_session) {
  const auto room = find_live_room(context.registry, context.app, context.call.room.value);
  const bool is_current = room && (!if_session || *if_session == room->sid);
  Json::Object out{{"State", "dry_run"},
                   {"DryRun", true},
                   {"RoomExists", room.has_value()},
                   {"WouldDismiss", is_current}};
  if (if_session) out.emplace_back("IsCurrent", is_current);
  if (room) {
    out.emplace_back("Users", uint64_t{room->num_participants} + room->num_hidden);
    out.emplace_back("Room", room_json(*room));
  }
  return out;
}

HandlerStep dismiss(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  const auto forbidden = read_interval(context.args, context.bans);
  if (!forbidden) return forbidden.error();
  if (*forbidden > Duration{} && !context.key.scopes.has(KeyScope::Ban))
    return Refusal{ErrorCode::AccessDenied,
                   "ForbiddenInterval makes a ban rule, and the access key lacks the scope "
                   "\"ban\"; nothing was done."};
  context.call.room = RoomId(context.args.text("RoomId"));
  context.call.wants_receipt = context.args.flag("Receipt");
  const auto if_session = read_if_session(context.args);
  if (!if_session) return if_session.error();
  context.call.is_dry_run = context.args.flag("DryRun");
  if (context.call.is_dry_run) return dry_run(context, *if_session);
  return ApplyCommand{domain::DismissRoom{.waiter = context.waiter,
                                          .app = context.app.id,
                                          .room = context.call.room,
                                          .operator_id = std::move(origin->operator_id),
                                          .request_id = std::move(origin->request_id),
                                          .reason = std::move(origin->reason),
                                          .forbidden = *forbidden,
                                          .if_session = *if_session}};
}

Json receipt(const domain::DismissReply& reply) {
  return reply.record ? receipt_json(*reply.record) : empty_receipt_json();
}

Answer shape_vendor(const PendingCall& call, const domain::DismissReply& reply) {
  if (auto refusal = dismissal_failure(reply)) return *refusal;
  Json::Object out{{"message", "success"}};
  if (call.wants_receipt) out.emplace_back("Receipt", receipt(reply));
  return Json(std::move(out));
}

// Another session than the one that was meant is no part of the answer: it has no receipt.
Answer shape_own(const PendingCall&, const domain::DismissReply& reply) {
  if (auto refusal = dismissal_failure(reply)) return *refusal;
  if (reply.outcome == domain::DismissOutcome::NotCurrent)
    return Json(Json::Object{{"Message", "success"}, {"State", "not_current"}});
  const bool is_done = reply.outcome == domain::DismissOutcome::Done;
  return Json(Json::Object{{"Message", "success"},
                           {"State", is_done ? "dismissed" : "no_such_room"},
                           {"Receipt", receipt(reply)}});
}

// A window was set for a room that nobody was in.
Answer shape_window_vendor(const PendingCall& call, const domain::ActionReply&) {
  return shape_vendor(call,
                      {.waiter = {}, .outcome = domain::DismissOutcome::NoSuchRoom, .record = {}});
}
Answer shape_window_own(const PendingCall& call, const domain::ActionReply&) {
  return shape_own(call,
                   {.waiter = {}, .outcome = domain::DismissOutcome::NoSuchRoom, .record = {}});
}

constexpr auto kRows = std::to_array<ActionRow>({
    {.name = "DismissRoom",
     .version = kVersion2020,
     .method = Method::Post,
     .per_second = 60,
     .quota = QuotaScope::Account,
     .scope = KeyScope::Room,
     .unknown = Unknown::Ignored,
     .fields = kVendorFields,
     .handle = dismiss,
     .on_dismissed = shape_vendor,
     .on_applied = shape_window_vendor},
    {.name = "DismissRoom",
     .version = kVersionOwn,
     .method = Method::Post,
     .per_second = 60,
     .quota = QuotaScope::Account,
     .scope = KeyScope::Room,
     .unknown = Unknown::Refused,
     .fields = kOwnFields,
     .handle = dismiss,
     .on_dismissed = shape_own,
     .on_applied = shape_window_own},
});

}  // namespace

std::span<const ActionRow> dismiss_room_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
