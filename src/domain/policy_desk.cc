// Policies of room names: a life ends at a point in time, after a span, when nobody publishes, when its hosts are gone;
// users are warned before.  One timer per life that has a policy, armed anew when something changes that it goes by.
// A change of a policy holds once it is stored.
#include <algorithm>
#include <functional>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

using Name = Policies::Name;

constexpr char kOperator[] = "policy";

Name name_in(const Room& room) {
  return {room.name().app, room.name().room};
}

const RoomPolicy* policy_of(const Core& core, const Room& room) {
  return room.phase == LifePhase::Active ? core.policies.find(name_in(room)) : nullptr;
}

std::string reason_of(const RoomPolicy& policy, EndCause cause) {
  if (!policy.reason.empty()) return policy.reason;
  switch (cause) {
    case EndCause::Schedule:
    case EndCause::EndAt:
      return "The room has ended as planned.";
    case EndCause::MaxDuration:
      return "The room has reached its longest duration.";
    case EndCause::Idle:
      return "Nobody has published in the room for a while.";
    case EndCause::WithoutHost:
      return "The last host has left the room.";
  }
  return {};
}

// --- when a life ends ---------------------------------------------------------------------------

struct End {
  EndCause cause = EndCause::EndAt;
  Mono due = kNever;
  Duration span = Duration::max();  // from what causes it to the end
};

// Whichever comes first, as things are now; due kNever: none does.
End next_end(const Core& core, const Room& room, const RoomPolicy& policy) {
  const Room::PolicyClock& clock = room.policy_clock;
  End first;
  const auto consider = [&first](EndCause cause, Mono due, Duration span) {
    if (due < first.due) first = {cause, due, span};
  };
  if (policy.end_at)
    consider(EndCause::EndAt, deadline_of(*policy.end_at, core.now), Duration::max());
  if (policy.max_duration)
    consider(EndCause::MaxDuration, clock.opened + *policy.max_duration, Duration::max());
  if (policy.idle && room.tally.live_tracks == 0)
    consider(EndCause::Idle, clock.silent_since + *policy.idle, *policy.idle);
  if (policy.without_host && clock.hostless_since)
    consider(EndCause::WithoutHost, *clock.hostless_since + *policy.without_host,
             *policy.without_host);
  return first;
}

// A warning from before its cause would be repeated with each flicker of it.
bool is_in_use(const End& end, Duration warn_before) {
  return warn_before < end.span;
}

size_t warnings_due(const Core& core, const RoomPolicy& policy, const End& end) {
  if (end.due == kNever) return 0;
  return static_cast<size_t>(std::ranges::count_if(policy.warn_before, [&](Duration before) {
    return is_in_use(end, before) && end.due - before <= core.now.mono;
  }));
}

Mono next_look(const Core& core, const RoomPolicy& policy, const End& end) {
  if (end.due == kNever) return kNever;
  for (const Duration before : policy.warn_before)  // descending
    if (is_in_use(end, before) && end.due - before > core.now.mono) return end.due - before;
  return end.due;
}

// --- what users are told ------------------------------------------------------------------------

Countdown countdown_of(const Core& core, const RoomPolicy& policy, const End& end) {
  const Duration left = std::max(Duration{}, Duration(end.due - core.now.mono));
  return {.cause = end.cause,
          .due_at = end.cause == EndCause::EndAt ? *policy.end_at : core.now.wall + left,
          .remaining = left,
          .reason = reason_of(policy, end.cause)};
}

void tell_everybody(Core& core, const Room& room, Countdown countdown) {
  SendCountdown news{.recipients = {}, .countdown = std::move(countdown)};
  for (const auto& [sid, participant] : room.participants)
    if (participant.is_notice_channel_open) news.recipients.push_back(sid);
  if (!news.recipients.empty()) core.out.put(std::move(news));
}

void call_off(Core& core, Room& room) {
  const Room::PolicyClock::Told told = *std::exchange(room.policy_clock.told, std::nullopt);
  const bool is_wall = told.cause == EndCause::EndAt;
  const Duration left = is_wall ? Duration(told.due) - core.now.wall.time_since_epoch()
                                : Duration(told.due) - core.now.mono.time_since_epoch();
  tell_everybody(core, room,
                 {.cause = told.cause,
                  .is_called_off = true,
                  .due_at = core.now.wall + left,
                  .remaining = std::max(Duration{}, left)});
}

void warn(Core& core, Room& room, const RoomPolicy& policy, const End& end, size_t warnings) {
  const int64_t due = end.cause == EndCause::EndAt ? policy.end_at->time_since_epoch().count()
                                                   : end.due.time_since_epoch().count();
  const Room::PolicyClock::Told told{end.cause, due, warnings};
  if (room.policy_clock.told == told) return;
  room.policy_clock.told = told;
  tell_everybody(core, room, countdown_of(core, policy, end));
}

// Says what is to be said by now and arms the life's timer.  The life does not end in here.
void look(Core& core, Room& room) {
  if (room.phase != LifePhase::Active) return;
  const RoomPolicy* policy = policy_of(core, room);
  const End end = policy == nullptr ? End{} : next_end(core, room, *policy);
  const size_t warnings = policy == nullptr ? 0 : warnings_due(core, *policy, end);
  if (warnings == 0 && room.policy_clock.told) call_off(core, room);
  if (warnings > 0) warn(core, room, *policy, end, warnings);
  core.timers.arm(TimerKind::PolicyDue, room.sid().value,
                  policy == nullptr ? kNever : next_look(core, *policy, end));
}

// --- hosts --------------------------------------------------------------------------------------

bool is_host(const RoomPolicy& policy, const Participant& participant) {
  if (policy.hosts.empty()) return !participant.is_hidden() && participant.can_publish();
  return std::ranges::find(policy.hosts, participant.user()) != policy.hosts.end();
}

void count_hosts(const Core& core, Room::PolicyClock& clock) {
  if (!clock.hosts.empty()) {
    clock.had_host = true;
    clock.hostless_since.reset();
  } else if (clock.had_host && !clock.hostless_since) {
    clock.hostless_since = core.now.mono;
  }
}

// Who is a host may be somebody else than before.
void find_hosts(Core& core, Room& room, const RoomPolicy* before) {
  Room::PolicyClock& clock = room.policy_clock;
  const RoomPolicy* policy = policy_of(core, room);
  const bool wants_hosts = policy != nullptr && policy->without_host;
  const bool are_same =
      wants_hosts && before != nullptr && before->without_host && before->hosts == policy->hosts;
  if (are_same) return;
  clock.hosts.clear();
  clock.had_host = false;
  clock.hostless_since.reset();
  if (!wants_hosts) return;
  for (const auto& [sid, participant] : room.participants)
    if (is_host(*policy, participant)) clock.hosts.insert(sid);
  count_hosts(core, clock);
}

// --- changes ------------------------------------------------------------------------------------

void store(Core& core, const Name& name) {
  const StartedAction action = start_own_action(core);
  const RoomPolicy* policy = core.policies.find(name);
  core.out.put(PersistPolicy{action.id, name.first, name.second,
                             policy == nullptr ? std::nullopt : std::optional(*policy)});
}

// Its point in time has come: later lives are not ended by it.
void use_up_end(Core& core, const Name& name) {
  core.policies.use_up_end(name);
  if (core.policies.is_being_written(name))
    core.policies.mark_behind(name);
  else
    store(core, name);
}

void end_life(Core& core, Room& room, const RoomPolicy& policy, EndCause cause) {
  start_dismissal(core, room,
                  DismissRoom{.waiter = {},
                              .app = policy.app,
                              .room = policy.room,
                              .operator_id = kOperator,
                              .request_id = {},
                              .reason = reason_of(policy, cause)},
                  ClientCode::RoomDismiss, {});
}

}  // namespace

void on(Core& core, const SetRoomPolicy& command) {
  const Name name(command.app, command.room);
  const bool is_known = core.policies.find(name) != nullptr || core.policies.is_being_written(name);
  if (!command.policy && !is_known) return reply(core, command.waiter, ActionOutcome::NotThere);
  if (!is_known && core.policies.size() >= static_cast<size_t>(limits::kPoliciesMax))
    return reply(core, command.waiter, ActionOutcome::TooMany);
  PolicyChange change{command.app, command.room, command.policy};
  if (change.policy) {
    change.policy->app = command.app;
    change.policy->room = command.room;
    change.policy->operator_id = command.origin.operator_id;
    change.policy->updated_at = core.now.wall;
    std::ranges::sort(change.policy->warn_before, std::greater());
  }
  const StartedAction action = start_action(core, command.waiter);
  core.policies.begin_write(name);
  core.out.put(PersistPolicy{action.id, change.app, change.room, change.policy});
  action.action.policy_change = std::move(change);
}

void settle_policy(Core& core, const PolicyChange& change, bool is_stored) {
  const Name name(change.app, change.room);
  if (core.policies.end_write(name, is_stored)) store(core, name);
  if (!is_stored) return;
  const RoomPolicy* known = core.policies.find(name);
  const auto before = known == nullptr ? std::nullopt : std::optional(*known);
  if (change.policy)
    core.policies.put(*change.policy);
  else
    core.policies.erase(name);
  watch_wall(core);
  Room* room = core.find_current({change.app, change.room});
  if (room == nullptr) return;
  find_hosts(core, *room, before ? &*before : nullptr);
  look(core, *room);
}

void on(Core& core, const RestorePolicies& command) {
  for (const RoomPolicy& policy : command.policies)
    if (core.policies.size() < static_cast<size_t>(limits::kPoliciesMax)) core.policies.put(policy);
  end_by_wall(core);
  watch_wall(core);
}

void policy_meets_life(Core& core, Room& room) {
  room.policy_clock.opened = room.policy_clock.silent_since = core.now.mono;
  const RoomPolicy* policy = policy_of(core, room);
  if (policy == nullptr) return;
  // It was to end the life before this one, or nobody.
  if (policy->end_at && *policy->end_at <= core.now.wall) use_up_end(core, name_in(room));
  look(core, room);
}

void policy_meets_participant(Core& core, Room& room, const Participant& participant) {
  const RoomPolicy* policy = policy_of(core, room);
  if (policy == nullptr || !policy->without_host) return;
  if (is_host(*policy, participant))
    room.policy_clock.hosts.insert(participant.sid());
  else
    room.policy_clock.hosts.erase(participant.sid());
  count_hosts(core, room.policy_clock);
  look(core, room);
}

void policy_misses_participant(Core& core, Room& room, const ParticipantSid& participant) {
  if (room.policy_clock.hosts.erase(participant) == 0) return;
  count_hosts(core, room.policy_clock);
  look(core, room);
}

void policy_meets_publishing(Core& core, Room& room) {
  if (room.tally.live_tracks > 1) return;
  if (room.tally.live_tracks == 0) room.policy_clock.silent_since = core.now.mono;
  const RoomPolicy* policy = policy_of(core, room);
  if (policy != nullptr && policy->idle) look(core, room);
}

void on_policy_due(Core& core, const std::string& room_sid) {
  Room& room = *core.find_life(RoomSid(room_sid));
  const RoomPolicy* found = policy_of(core, room);
  const End end = found == nullptr ? End{} : next_end(core, room, *found);
  if (end.due > core.now.mono) return look(core, room);
  // By the wall clock names end, whether they have a life or not.
  if (end.cause == EndCause::EndAt) {
    end_by_wall(core);
    return watch_wall(core);
  }
  if (const auto turn = wait_for_slot(core.end_slots, room.policy_clock.end_slot, core.now.mono))
    return core.timers.arm(TimerKind::PolicyDue, room_sid, *turn);
  const RoomPolicy policy = *found;
  end_life(core, room, policy, end.cause);
}

void tell_policy(Core& core, const Room& room, const Participant& participant) {
  const RoomPolicy* policy = policy_of(core, room);
  if (policy == nullptr || !room.policy_clock.told) return;
  const End end = next_end(core, room, *policy);
  if (warnings_due(core, *policy, end) > 0)
    core.out.put(SendCountdown{{participant.sid()}, countdown_of(core, *policy, end)});
}

void end_by_wall(Core& core) {
  for (auto next = core.policies.next_end(); next && next->first <= core.now.wall;
       next = core.policies.next_end()) {
    const Name name = next->second;
    Room* const room = core.find_current({name.first, name.second});
    if (room != nullptr && !core.end_slots.is_free(core.now.mono)) return;
    const RoomPolicy policy = *core.policies.find(name);
    use_up_end(core, name);
    if (room == nullptr) continue;
    core.end_slots.take(core.now.mono);
    end_life(core, *room, policy, EndCause::EndAt);
  }
}

void move_policies(Core& core) {
  for (const auto& [name, sid] : core.current) {
    const RoomPolicy* policy = core.policies.find({name.app, name.room});
    if (policy != nullptr && policy->end_at) look(core, core.lives.at(sid));
  }
}

}  // namespace atrium::domain
