// Steps of the wall clock: what was ordered for a point of it moves when somebody sets the clock.  Each command brings
// both times; where no command comes a timer sees to it that they are compared.
#include <algorithm>

#include "domain/core.h"

namespace atrium::domain {
namespace {

// The two clocks are not read in the same moment; less than this is no step.
constexpr Duration kLeastStep = 100ms;
// How late a step, or what ends at a point of the wall clock, may be noticed.
constexpr Duration kLookEvery = 1s;

}  // namespace

void follow_wall(Core& core) {
  const Duration ahead = core.now.wall.time_since_epoch() - core.now.mono.time_since_epoch();
  const Duration step = ahead - core.wall_ahead.value_or(ahead);
  const bool is_set = step >= kLeastStep || step <= -kLeastStep;
  if (is_set || !core.wall_ahead) core.wall_ahead = ahead;
  if (!is_set) return;
  move_schedules(core, step);
  move_policies(core);
  watch_wall(core);
}

void on_wall_look_due(Core& core, const std::string&) {
  end_by_wall(core);
  watch_wall(core);
}

void watch_wall(Core& core) {
  const auto end = core.policies.next_end();
  const bool is_needed = end || core.schedules.any_follows_wall();
  Mono at = is_needed ? core.now.mono + kLookEvery : kNever;
  if (end) at = std::min(at, deadline_of(end->first, core.now));
  // More are due than may end at once: the others have their turn.
  if (end && end->first <= core.now.wall) at = core.end_slots.next(core.now.mono);
  if (const auto armed = core.timers.deadline(TimerKind::WallLook, ""); armed && is_needed)
    at = std::min(at, *armed);
  core.timers.arm(TimerKind::WallLook, "", at);
}

}  // namespace atrium::domain
