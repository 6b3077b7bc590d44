// ScheduleDismissal (ours): the current session of a room is dismissed later, after a countdown that its users see.
#include <array>

#include "adapters/openapi/own_rows.h"
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

HandlerStep schedule(ActionContext& context) {
  const Args& args = context.args;
  if (auto refusal = check_room_id(args, context.app)) return *refusal;
  const auto if_session = read_if_session(args);
  if (!if_session) return if_session.error();
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
  command.if_session = *if_session;
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

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_change("ScheduleDismissal", KeyScope::Room, 60, kFields, schedule), shape)});

}  // namespace

std::span<const ActionRow> schedule_dismissal_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
