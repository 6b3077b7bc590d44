// DismissRoom: 2020-12-01 exactly as the vendor documents it (vendor-contract 1.3.1), with
// additions that are harmless where they are ignored; 2026-12-01 strict, with a receipt always, a
// dry run and a condition on the life.
#include <array>

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

Refusal mismatch(std::string current) {
  return {ErrorCode::RoomSessionMismatch,
          current.empty()
              ? "IfRoomSessionId: the room has no current session; nothing was dismissed."
              : "IfRoomSessionId: the current session is " + current + "; nothing was dismissed."};
}

// A life that is being dismissed right now still satisfies the condition: the call joins that
// operation.
std::optional<Refusal> check_session(const ActionContext& context) {
  if (!context.args.has("IfRoomSessionId")) return std::nullopt;
  const auto room = context.registry.find_room(context.app.id, context.call.room);
  if (!room) return mismatch("");
  if (room->sid.value != context.args.text("IfRoomSessionId")) return mismatch(room->sid.value);
  return std::nullopt;
}

Json dry_run(const ActionContext& context) {
  const auto room = find_live_room(context.registry, context.app, context.call.room.value);
  Json::Object out{{"DryRun", true}, {"RoomExists", room.has_value()}};
  if (room) out.emplace_back("Room", room_json(*room));
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
  if (auto refusal = check_session(context)) return *refusal;
  context.call.is_dry_run = context.args.flag("DryRun");
  if (context.call.is_dry_run) return dry_run(context);
  return ApplyCommand{domain::DismissRoom{.waiter = context.waiter,
                                          .app = context.app.id,
                                          .room = context.call.room,
                                          .operator_id = std::move(origin->operator_id),
                                          .request_id = std::move(origin->request_id),
                                          .reason = std::move(origin->reason),
                                          .forbidden = *forbidden}};
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

Answer shape_own(const PendingCall&, const domain::DismissReply& reply) {
  if (auto refusal = dismissal_failure(reply)) return *refusal;
  return Json(Json::Object{{"Message", "success"}, {"Receipt", receipt(reply)}});
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
