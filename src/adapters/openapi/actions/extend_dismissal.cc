// ExtendDismissal (ours): moves the end of a countdown, later or earlier.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"ScheduleId", FieldType::Text, FieldUse::Required, ""},
    {"At", FieldType::Text, FieldUse::Optional, ""},
    {"BySeconds", FieldType::Integer, FieldUse::Optional, ""},
});

// Where the schedule would end is known here; one that is not there is the registry's to answer for.
std::optional<Refusal> check_end(const ActionContext& context, const ScheduleId& schedule,
                                 Duration by) {
  const auto known = context.registry.find_schedule(context.app.id, schedule);
  if (!known || context.call.is_replay) return std::nullopt;
  const Wall due = known->due_at + by;
  if (due < context.now.wall)
    return Refusal{ErrorCode::InvalidParameter, "BySeconds would end the room before now."};
  if (due > context.now.wall + std::chrono::seconds(limits::kScheduleAheadMaxS))
    return Refusal{ErrorCode::InvalidParameter, "BySeconds would end the room more than " +
                                                    std::to_string(limits::kScheduleAheadMaxS) +
                                                    " seconds from now."};
  return std::nullopt;
}

HandlerStep extend(ActionContext& context) {
  auto schedule = read_schedule_id(context.args);
  if (!schedule) return schedule.error();
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  if (context.args.has("At") == context.args.has("BySeconds"))
    return Refusal{ErrorCode::InvalidParameter, "Either At or BySeconds must be given."};
  const auto at = read_time(context, "At", limits::kScheduleAheadMaxS);
  if (!at) return at.error();
  const auto by = read_seconds(context.args, "BySeconds", -limits::kScheduleAheadMaxS,
                               limits::kScheduleAheadMaxS);
  if (!by) return by.error();
  if (*by)
    if (auto refusal = check_end(context, *schedule, **by)) return *refusal;
  return ApplyCommand{domain::ExtendDismissal{.waiter = context.waiter,
                                              .app = context.app.id,
                                              .schedule = *std::move(schedule),
                                              .at = *at,
                                              .by = *by,
                                              .origin = *std::move(origin)}};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::NotThere) return no_such_schedule();
  const bool is_late = reply.outcome == domain::ActionOutcome::TooLate;
  Json::Object out{{"State", is_late ? "too_late" : "extended"}};
  if (!is_late && reply.schedule)
    for (auto& field : schedule_json(*reply.schedule)) out.push_back(std::move(field));
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_change("ExtendDismissal", KeyScope::Room, 60, kFields, extend), shape)});

}  // namespace

std::span<const ActionRow> extend_dismissal_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
