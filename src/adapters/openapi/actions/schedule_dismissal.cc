// ScheduleDismissal (ours): the current session of a room is dismissed later, after a countdown that its users see.
#include <array>

#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"At", FieldType::Text, FieldUse::Optional, ""},
    {"AfterSeconds", FieldType::Integer, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
    {"IfRoomSessionId", FieldType::Text, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
    {"RefuseJoins", FieldType::Boolean, FieldUse::Optional, ""},
    {"WarnBeforeSeconds", FieldType::IntegerList, FieldUse::Optional, ""},
});

std::optional<Refusal> check_session_id(const Args& args) {
  const std::string_view id = args.text("IfRoomSessionId");
  const bool is_bounded = id.size() <= static_cast<size_t>(limits::kIdBytesMax);
  if (!args.has("IfRoomSessionId") || (id.starts_with("RM_") && is_bounded)) return std::nullopt;
  return Refusal{ErrorCode::InvalidParameter,
                 "IfRoomSessionId must be the id of a session of a room: RM_…."};
}

HandlerStep schedule(ActionContext& context) {
  const Args& args = context.args;
  if (auto refusal = check_room_id(args, context.app)) return *refusal;
  if (auto refusal = check_session_id(args)) return *refusal;
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  if (args.has("At") == args.has("AfterSeconds"))
    return Refusal{ErrorCode::InvalidParameter, "Either At or AfterSeconds must be given."};
  const auto at = read_time(context, "At", limits::kScheduleAheadMaxS);
  if (!at) return at.error();
  const auto after = read_seconds(args, "AfterSeconds", 1, limits::kScheduleAheadMaxS);
  if (!after) return after.error();
  auto warnings = read_warnings(args, limits::kScheduleAheadMaxS);
  if (!warnings) return warnings.error();
  const auto forbidden = read_interval(args, context.bans);
  if (!forbidden) return forbidden.error();
  if (*forbidden > Duration{} && !context.key.scopes.has(KeyScope::Ban))
    return Refusal{ErrorCode::AccessDenied,
                   "ForbiddenInterval makes a ban rule, and the access key lacks the scope "
                   "\"ban\"; nothing was done."};
  context.call.room = RoomId(args.text("RoomId"));
  domain::ScheduleDismissal command{.waiter = context.waiter,
                                    .app = context.app.id,
                                    .room = context.call.room,
                                    .at = *at,
                                    .after = *after,
                                    .refuses_joins = args.flag("RefuseJoins"),
                                    .warn_before = *std::move(warnings),
                                    .origin = *std::move(origin)};
  if (*forbidden > Duration{}) command.forbidden = *forbidden;
  if (args.has("IfRoomSessionId")) command.if_session = RoomSid(args.text("IfRoomSessionId"));
  return ApplyCommand{std::move(command)};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::TooMany)
    return Refusal{ErrorCode::SizeOverLimit,
                   "At most " + std::to_string(limits::kSchedulesMax) +
                       " dismissals can be scheduled at once; cancel some first."};
  if (reply.schedule) return Json(schedule_json(*reply.schedule));
  return Json(Json::Object{{"ScheduleId", schedule_of(reply.operation).value}});
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "ScheduleDismissal",
                                                  .version = kVersionOwn,
                                                  .method = Method::Post,
                                                  .per_second = 60,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Room,
                                                  .unknown = Unknown::Refused,
                                                  .fields = kFields,
                                                  .handle = schedule,
                                                  .on_applied = shape}});

}  // namespace

std::span<const ActionRow> schedule_dismissal_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
