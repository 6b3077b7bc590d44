// CancelDismissal (ours): the room goes on, or it was too late; never something in between.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"ScheduleId", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep cancel(ActionContext& context) {
  auto schedule = read_schedule_id(context.args);
  if (!schedule) return schedule.error();
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  return ApplyCommand{domain::CancelDismissal{.waiter = context.waiter,
                                              .app = context.app.id,
                                              .schedule = *std::move(schedule),
                                              .origin = *std::move(origin)}};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::NotThere) return no_such_schedule();
  const bool is_late = reply.outcome == domain::ActionOutcome::TooLate;
  return Json(Json::Object{{"State", is_late ? "too_late" : "cancelled"}});
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_change("CancelDismissal", KeyScope::Room, 60, kFields, cancel), shape)});

}  // namespace

std::span<const ActionRow> cancel_dismissal_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
