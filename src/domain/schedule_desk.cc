// Dismissals for later: ordered, moved, called off, carried out.  An order holds once it is stored; until then what was
// in force before goes on counting down and may be carried out, in which case the order came too late.
#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

using Entry = Schedules::Entry;
using What = ScheduleChange::What;

// How long a row that should be gone is left in the store before it is tried again.
constexpr Duration kDropAgainAfter = 1s;

// --- what users are told ------------------------------------------------------------------------

Countdown countdown_of(const Core& core, const Entry& entry) {
  return {.cause = EndCause::Schedule,
          .schedule = entry.schedule.id,
          .due_at = entry.schedule.due_at,
          .remaining = std::max(Duration{}, Duration(entry.due - core.now.mono)),
          .reason = entry.schedule.reason,
          .refuses_joins = entry.schedule.refuses_joins};
}

void tell_everybody(Core& core, const Entry& entry, bool is_called_off) {
  const Room* room = core.find_life(entry.schedule.room_sid);
  if (room == nullptr) return;
  SendCountdown news{.recipients = {}, .countdown = countdown_of(core, entry)};
  news.countdown.is_called_off = is_called_off;
  for (const auto& [sid, participant] : room->participants)
    if (participant.is_notice_channel_open) news.recipients.push_back(sid);
  if (!news.recipients.empty()) core.out.put(std::move(news));
}

// --- timers -------------------------------------------------------------------------------------

Mono next_warning(const Core& core, const Entry& entry) {
  for (const Duration before : entry.schedule.warn_before)
    if (entry.due - before > core.now.mono) return entry.due - before;
  return kNever;
}

void disarm(Core& core, const ScheduleId& schedule) {
  for (const TimerKind kind :
       {TimerKind::ScheduleWarning, TimerKind::ScheduleDue, TimerKind::ScheduleOrphan})
    core.timers.cancel(kind, schedule.value);
}

void arm(Core& core, const Entry& entry) {
  const std::string& id = entry.schedule.id.value;
  disarm(core, entry.schedule.id);
  watch_wall(core);
  if (entry.is_orphan) {
    core.timers.arm(TimerKind::ScheduleOrphan, id, std::min(entry.inherited_by, entry.due));
    return;
  }
  core.timers.arm(TimerKind::ScheduleDue, id, entry.due);
  core.timers.arm(TimerKind::ScheduleWarning, id, next_warning(core, entry));
}

// --- the store ----------------------------------------------------------------------------------

// What nobody waits for: the rows as they are in force.
void store(Core& core, std::vector<Schedule> put) {
  if (put.empty()) return;
  const StartedAction action = start_own_action(core);
  core.out.put(PersistSchedules{action.id, std::move(put), {}});
}

void drop_rows(Core& core, std::vector<ScheduleId> rows) {
  if (rows.empty()) return;
  StartedAction action = start_own_action(core);
  action.action.schedule_change = {.what = What::Forget, .rows = rows};
  core.out.put(PersistSchedules{action.id, {}, std::move(rows)});
}

// --- orders -------------------------------------------------------------------------------------

// The random part is the operation's: whoever knows only the operation knows what it made.
ScheduleId id_for(const OperationId& operation) {
  return ScheduleId("SD_" + operation.value.substr(std::string_view("OP_").size()));
}

Schedules::End end_of(const Entry& entry) {
  return entry.moving.value_or(
      Schedules::End{entry.schedule.follows_wall, entry.schedule.due_at, entry.due});
}

// By either clock, within what may be ordered ahead.
Schedules::End end_at(const Core& core, Wall at) {
  const Wall latest = core.now.wall + std::chrono::seconds(limits::kScheduleAheadMaxS);
  const Wall bounded = std::clamp(at, core.now.wall, latest);
  return {true, bounded, deadline_of(bounded, core.now)};
}
Schedules::End end_after(const Core& core, Duration after) {
  const Duration bounded =
      std::clamp(after, Duration{}, Duration(std::chrono::seconds(limits::kScheduleAheadMaxS)));
  return {false, core.now.wall + bounded, core.now.mono + bounded};
}

Schedules::End moved_end(const Core& core, const Entry& entry, const ExtendDismissal& command) {
  if (command.at) return end_at(core, *command.at);
  const Schedules::End before = end_of(entry);
  const Duration by = command.by.value_or(Duration{});
  return before.follows_wall ? end_at(core, before.at + by)
                             : end_after(core, before.due - core.now.mono + by);
}

// Nothing counts down under this id.
ActionOutcome absence_of(const Core& core, const AppId& app, const ScheduleId& schedule) {
  return core.schedules.was_carried_out(app, schedule) ? ActionOutcome::TooLate
                                                       : ActionOutcome::NotThere;
}

// An earlier order takes the schedule out of force: this one is answered by what comes of that.
void follow(Core& core, WaiterId waiter, const Entry& entry, What what) {
  const StartedAction follower = start_action(core, waiter);
  follower.action.schedule_change = {.what = what, .schedule = entry.schedule};
  core.actions.at(*entry.ending).followers.push_back(follower.id);
}

// --- answers of the store -----------------------------------------------------------------------

void settle_making(Core& core, const OperationId& operation, PendingAction& action,
                   bool is_stored) {
  const ScheduleChange& change = *action.schedule_change;
  const RoomSid& life = change.schedule.room_sid;
  if (Entry* before = core.schedules.of_life(life); before && before->ending == operation)
    before->ending.reset();
  if (!is_stored) return core.schedules.drop_row(life, change.schedule.id);
  if (!core.schedules.has_row(life, change.schedule.id)) {
    action.outcome = ActionOutcome::NoSuchRoom;  // the life ended meanwhile, and took the row along
    return;
  }
  if (const Entry* before = core.schedules.of_life(life)) disarm(core, before->schedule.id);
  const Mono due =
      change.schedule.follows_wall ? deadline_of(change.schedule.due_at, core.now) : change.due;
  const Entry& entry = core.schedules.put({.schedule = change.schedule, .due = due});
  arm(core, entry);
  tell_everybody(core, entry, false);
  action.schedule = entry.schedule;
}

void settle_moving(Core& core, PendingAction& action, Entry& entry, bool is_stored) {
  const ScheduleChange& change = *action.schedule_change;
  if (entry.moving && entry.moving->at == change.schedule.due_at) entry.moving.reset();
  action.schedule = entry.schedule;
  if (!is_stored) return;
  const bool follows_wall = change.schedule.follows_wall;
  const Mono due = follows_wall ? deadline_of(change.schedule.due_at, core.now) : change.due;
  core.schedules.move(entry, {follows_wall, change.schedule.due_at, due});
  arm(core, entry);
  tell_everybody(core, entry, false);
  action.schedule = entry.schedule;
  // A life inherited it while this was being written.
  if (entry.schedule.room_sid != change.schedule.room_sid) store(core, {entry.schedule});
}

void settle_cancel(Core& core, const OperationId& operation, PendingAction& action, Entry& entry,
                   bool is_stored) {
  action.schedule = entry.schedule;
  if (!is_stored) {
    if (entry.ending == operation) entry.ending.reset();
    // A life inherited it while this was being written, and left the row alone.
    if (entry.schedule.room_sid != action.schedule_change->schedule.room_sid)
      store(core, {entry.schedule});
    return;
  }
  tell_everybody(core, entry, true);
  disarm(core, entry.schedule.id);
  core.schedules.erase(entry.schedule.id);
}

}  // namespace

void settle_schedule(Core& core, const OperationId& operation, PendingAction& action,
                     bool is_stored) {
  const ScheduleChange& change = *action.schedule_change;
  if (change.what == What::Make) return settle_making(core, operation, action, is_stored);
  if (change.what == What::Forget) {
    if (is_stored) return;
    for (const ScheduleId& row : change.rows)
      core.timers.arm(TimerKind::ScheduleOrphan, row.value, core.now.mono + kDropAgainAfter);
    return;
  }
  Entry* entry = core.schedules.find(change.schedule.id);
  if (entry == nullptr) {
    // Carried out while this was being written, or out of force: by its life's end, or by an earlier order.
    const ActionOutcome absence = absence_of(core, change.schedule.app, change.schedule.id);
    const bool is_cancelled = change.what == What::Cancel && absence == ActionOutcome::NotThere;
    action.outcome = is_cancelled ? ActionOutcome::Done : absence;
    if (is_cancelled) action.schedule = change.schedule;
    return;
  }
  if (change.what == What::Move) return settle_moving(core, action, *entry, is_stored);
  settle_cancel(core, operation, action, *entry, is_stored);
}

void on(Core& core, const ScheduleDismissal& command) {
  Room* room = core.find_current({command.app, command.room});
  if (room == nullptr || (command.if_session && *command.if_session != room->sid()))
    return reply(core, command.waiter, ActionOutcome::NoSuchRoom);
  if (core.schedules.size() >= static_cast<size_t>(limits::kSchedulesMax))
    return reply(core, command.waiter, ActionOutcome::TooMany);
  const Schedules::End end =
      command.at ? end_at(core, *command.at) : end_after(core, command.after.value_or(Duration{}));
  const StartedAction action = start_action(core, command.waiter);
  Schedule schedule{.id = id_for(action.id),
                    .app = command.app,
                    .room = command.room,
                    .room_sid = room->sid(),
                    .reason = command.origin.reason,
                    .operator_id = command.origin.operator_id,
                    .request_id = command.origin.request_id,
                    .follows_wall = end.follows_wall,
                    .due_at = end.at,
                    .created_at = core.now.wall,
                    .forbidden = command.forbidden,
                    .refuses_joins = command.refuses_joins,
                    .warn_before = command.warn_before};
  std::ranges::sort(schedule.warn_before, std::greater());
  std::vector<ScheduleId> replaced = core.schedules.rows_of(room->sid());
  if (Entry* before = core.schedules.of_life(room->sid())) before->ending = action.id;
  core.schedules.add_row(room->sid(), schedule.id);
  core.out.put(PersistSchedules{action.id, {schedule}, std::move(replaced)});
  action.action.schedule_change = {
      .what = What::Make, .schedule = std::move(schedule), .due = end.due};
}

void on(Core& core, const ExtendDismissal& command) {
  Entry* entry = core.schedules.find(command.schedule);
  if (entry == nullptr || entry->schedule.app != command.app)
    return reply(core, command.waiter, absence_of(core, command.app, command.schedule));
  if (entry->ending) return follow(core, command.waiter, *entry, What::Move);
  const Schedules::End end = moved_end(core, *entry, command);
  entry->moving = end;
  Schedule schedule = entry->schedule;
  schedule.follows_wall = end.follows_wall;
  schedule.due_at = end.at;
  const StartedAction action = start_action(core, command.waiter);
  core.out.put(PersistSchedules{action.id, {schedule}, {}});
  action.action.schedule_change = {
      .what = What::Move, .schedule = std::move(schedule), .due = end.due};
}

void on(Core& core, const CancelDismissal& command) {
  Entry* entry = core.schedules.find(command.schedule);
  if (entry == nullptr || entry->schedule.app != command.app)
    return reply(core, command.waiter, absence_of(core, command.app, command.schedule));
  if (entry->ending) return follow(core, command.waiter, *entry, What::Cancel);
  const StartedAction action = start_action(core, command.waiter);
  entry->ending = action.id;
  core.out.put(PersistSchedules{action.id, {}, {entry->schedule.id}});
  action.action.schedule_change = {.what = What::Cancel, .schedule = entry->schedule};
}

// Nobody is in any life yet.  What is due by now is not carried out: the life that it was meant for ended with the
// process.
void on(Core& core, const RestoreSchedules& command) {
  std::vector<ScheduleId> dropped;
  for (Schedule schedule : command.schedules) {
    Duration left = schedule.due_at - core.now.wall;
    if (!schedule.follows_wall)
      left = std::min(left, Duration(schedule.due_at - schedule.created_at));
    const Entry* other = core.schedules.orphan_of(schedule.app, schedule.room);
    const bool is_older = other != nullptr && schedule.created_at <= other->schedule.created_at;
    const bool is_full = core.schedules.size() >= static_cast<size_t>(limits::kSchedulesMax);
    if (left <= Duration{} || is_older || is_full) {
      dropped.push_back(schedule.id);
      continue;
    }
    if (other != nullptr) {
      const ScheduleId gone = other->schedule.id;
      disarm(core, gone);
      core.schedules.erase(gone);
      dropped.push_back(gone);
    }
    schedule.due_at = core.now.wall + left;
    arm(core, core.schedules.put_orphan(
                  {.schedule = std::move(schedule),
                   .due = core.now.mono + left,
                   .inherited_by = core.now.mono + limit_ms(limits::kScheduleInheritMs)}));
  }
  watch_wall(core);
  drop_rows(core, std::move(dropped));
}

void inherit_schedule(Core& core, const Room& room) {
  Entry* entry = core.schedules.orphan_of(room.name().app, room.name().room);
  if (entry == nullptr) return;
  core.schedules.adopt(*entry, room.sid());
  arm(core, *entry);
  // One that is being called off leaves the row to that.
  if (!entry->ending) store(core, {entry->schedule});
}

void end_schedules(Core& core, const Room& room) {
  std::vector<ScheduleId> rows = core.schedules.end_life(room.sid());
  for (const ScheduleId& row : rows) disarm(core, row);
  drop_rows(core, std::move(rows));
}

void on_schedule_warning(Core& core, const std::string& schedule) {
  const Entry& entry = *core.schedules.find(ScheduleId(schedule));
  core.timers.arm(TimerKind::ScheduleWarning, schedule, next_warning(core, entry));
  tell_everybody(core, entry, false);
}

void on_schedule_due(Core& core, const std::string& id) {
  Entry& entry = *core.schedules.find(ScheduleId(id));
  if (const auto turn = wait_for_slot(core.end_slots, entry.end_slot, core.now.mono))
    return core.timers.arm(TimerKind::ScheduleDue, id, *turn);
  const Schedule schedule = entry.schedule;
  core.schedules.remember_carried_out(schedule.app, schedule.id);
  DismissRoom order{.waiter = {},
                    .app = schedule.app,
                    .room = schedule.room,
                    .operator_id = schedule.operator_id,
                    .request_id = schedule.request_id,
                    .reason = schedule.reason,
                    .forbidden = schedule.forbidden,
                    .if_session = schedule.room_sid};
  // Where there is no place for another rule the life ends all the same.
  if (core.bans.size() >= static_cast<size_t>(limits::kBansMax)) order.forbidden.reset();
  on(core, order);
}

// Nobody came back to its room, or the store would not forget it before.
void on_schedule_orphaned(Core& core, const std::string& schedule) {
  core.schedules.erase(ScheduleId(schedule));
  drop_rows(core, {ScheduleId(schedule)});
}

void tell_schedule(Core& core, const Room& room, const Participant& participant) {
  if (const Entry* entry = core.schedules.of_life(room.sid()))
    core.out.put(SendCountdown{{participant.sid()}, countdown_of(core, *entry)});
}

bool is_kept_out_by_schedule(Core& core, const Joiner& joiner) {
  const Room* room = core.find_current(name_of(joiner));
  const Entry* entry = room == nullptr ? nullptr : core.schedules.of_life(room->sid());
  return entry != nullptr && entry->schedule.refuses_joins &&
         core.now.mono >= entry->inherited_by && !room->users.contains(joiner.user);
}

void move_schedules(Core& core, Duration step) {
  std::vector<Schedule> estimates;
  core.schedules.for_each([&](Entry& entry) {
    if (entry.schedule.follows_wall) {
      entry.due = deadline_of(entry.schedule.due_at, core.now);
      arm(core, entry);
      tell_everybody(core, entry, false);
      return;
    }
    // It counts on as before; only what the wall clock will show then is something else.
    entry.schedule.due_at += step;
    entry.schedule.created_at += step;
    if (!entry.ending && !entry.moving) estimates.push_back(entry.schedule);
  });
  store(core, std::move(estimates));
}

}  // namespace atrium::domain
