#include "domain/registry.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "domain/core.h"

namespace atrium::domain {

struct Registry::State {
  Core core;
};

namespace {

using TimerHandler = void (*)(Core&, const std::string& id);

// By TimerKind, in its order.
constexpr std::array<TimerHandler, kTimerKinds> kTimerHandlers = {
    on_dismiss_notice_due,  on_dismiss_close_due,  on_dismiss_cut_due,   on_departure_notice_due,
    on_departure_leave_due, on_join_to_active_due, on_resume_grace_over, on_token_expired,
    on_token_warning_due,   on_publish_expired,    on_subscribe_expired, on_room_empty_due,
    on_room_updates_due,    on_tombstone_expired,  on_action_due,        on_bans_expired,
    on_stream_ban_expired,  on_publish_limit_over, on_schedule_warning,  on_schedule_due,
    on_schedule_orphaned,   on_policy_due,         on_bulk_step,         on_wall_look_due};
static_assert(static_cast<size_t>(TimerKind::WallLook) + 1 == kTimerKinds);

// What is due by now happens before the command: a resume one moment after the grace meets a session that is gone.
void fire_due_timers(Core& core) {
  while (std::optional<Timers::Key> due = core.timers.pop_due(core.now.mono))
    kTimerHandlers[static_cast<size_t>(due->kind)](core, due->id);
}

}  // namespace

Registry::Registry(SecretSource& secrets, RegistryOptions options)
    : state_(std::make_unique<State>(State{Core(secrets, std::move(options))})) {}

Registry::~Registry() = default;

Effects Registry::apply(Command command, Now now) {
  Core& core = state_->core;
  core.now = {std::max(core.now.mono, now.mono), now.wall};
  follow_wall(core);
  fire_due_timers(core);
  std::visit([&core](auto& one) { on(core, one); }, command);
  flush_touched_rooms(core);
  return core.out.take();
}

const Apps& Registry::apps() const {
  return state_->core.apps;
}

const Webhooks& Registry::webhooks() const {
  return state_->core.webhooks;
}

std::vector<BulkItem> Registry::find_lives(const AppId& app, const BulkFilter& filter, Wall now,
                                           size_t limit) const {
  return select_lives(state_->core, app, filter, now, limit);
}

Mono Registry::next_deadline() const {
  return state_->core.timers.next();
}

std::optional<RoomView> Registry::find_room(const AppId& app, const RoomId& room) const {
  const Room* found = state_->core.find_current({app, room});
  if (found == nullptr) return std::nullopt;
  return found->view();
}

std::vector<RoomView> Registry::list_rooms(const AppId& app, const RoomId& after,
                                           size_t limit) const {
  std::vector<RoomView> out;
  const Core& core = state_->core;
  for (auto at = core.current.upper_bound({app, after});
       at != core.current.end() && at->first.app == app && out.size() < limit; ++at)
    out.push_back(core.lives.at(at->second).view());
  return out;
}

std::vector<std::shared_ptr<const ParticipantView>> Registry::participants(
    const RoomSid& room_sid) const {
  std::vector<std::shared_ptr<const ParticipantView>> out;
  const Room* room = state_->core.find_life(room_sid);
  if (room == nullptr) return out;
  for (const auto& [sid, participant] : room->participants)
    out.push_back(participant.shared_view());
  return out;
}

std::shared_ptr<const ParticipantView> Registry::find_user(const AppId& app, const RoomId& room,
                                                           const UserId& user) const {
  const Room* life = state_->core.find_current({app, room});
  if (life == nullptr) return nullptr;
  const auto seat = life->users.find(user);
  return seat == life->users.end() ? nullptr : life->participants.at(seat->second).shared_view();
}

bool Registry::is_in_any_room(const AppId& app, const UserId& user) const {
  return state_->core.present.contains({app, user});
}

std::optional<DismissalRecord> Registry::find_operation(const OperationId& operation) const {
  const Core& core = state_->core;
  if (auto running = core.operations.find(operation); running != core.operations.end())
    return running->second.record;
  if (auto finished = core.finished_operations.find(operation);
      finished != core.finished_operations.end())
    return finished->second;
  return std::nullopt;
}

bool Registry::is_banned(const AppId& app, const BanTarget& target) const {
  return state_->core.bans.find(app, target) != nullptr;
}

std::optional<Schedule> Registry::find_schedule(const AppId& app,
                                                const ScheduleId& schedule) const {
  const Schedules::Entry* found = state_->core.schedules.find(app, schedule);
  if (found == nullptr) return std::nullopt;
  return found->schedule;
}

std::vector<Schedule> Registry::list_schedules(const AppId& app, const ScheduleId& after,
                                               size_t limit) const {
  return state_->core.schedules.list(app, after, limit);
}

std::optional<RoomPolicy> Registry::find_policy(const AppId& app, const RoomId& room) const {
  const RoomPolicy* found = state_->core.policies.find({app, room});
  if (found == nullptr) return std::nullopt;
  return *found;
}

Registry::Counts Registry::counts() const {
  const Core& core = state_->core;
  Counts out;
  for (const auto& [sid, room] : core.lives) {
    out.rooms += room.phase == LifePhase::Active ? 1 : 0;
    out.dismissing += room.phase == LifePhase::Dismissing ? 1 : 0;
    if (room.phase != LifePhase::Active) continue;
    out.participants += room.participants.size();
    out.tracks += room.tally.live_tracks;
    out.subscriptions += room.subscription_count;
  }
  out.tombstones = core.tombstones.size();
  out.operations = core.operations.size() + core.actions.size();
  out.bans = core.bans.size();
  return out;
}

void Registry::check_invariants() const {
  state_->core.check_invariants();
}

}  // namespace atrium::domain
