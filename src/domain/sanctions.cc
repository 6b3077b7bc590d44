// Kicks and bans: who is removed by order, and who is kept out.  What a rule evicts leaves in the same command that
// puts it in force, so that nobody slips through between the two.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

// --- rules --------------------------------------------------------------------------------------

BanRule make_rule(Core& core, const AppId& app, BanTarget target, Duration interval,
                  const ActionOrigin& origin) {
  return {.id = BanId(core.secrets.sid("BN_")),
          .app = app,
          .target = std::move(target),
          .operator_id = origin.operator_id,
          .reason = origin.reason,
          .created_at = core.now.wall,
          .expires_at = core.now.wall + interval};
}

// --- evictions ----------------------------------------------------------------------------------

// Takes them out with -1006 and remembers that `action` waits for their end.
void evict(Core& core, StartedAction& action, const std::vector<Core::Seat>& who,
           const ActionOrigin& origin, std::optional<Wall> forbidden_until, PersistBans& write) {
  for (const auto& [room_sid, sid] : who) {
    Room& room = core.lives.at(room_sid);
    const Removal removal = removal_by_order(action.id, origin, forbidden_until);
    write.tombstones.push_back(
        make_tombstone(core, room, room.participants.at(sid), reason_of(removal)));
    await_end(core, action, sid);
    remove_participant(core, room, sid, removal);
  }
}

using Present = std::vector<Core::Seat>;

Present present_from(const Core& core, const AppId& app, const IpPrefix& range) {
  Present out;
  for (auto at = core.current.lower_bound({app, RoomId()});
       at != core.current.end() && at->first.app == app; ++at)
    for (const auto& [sid, participant] : core.lives.at(at->second).participants) {
      const auto is_in = [&](const auto& address) { return address && range.contains(*address); };
      if (is_in(participant.joiner.address) || is_in(participant.media_address))
        out.emplace_back(at->second, sid);
    }
  return out;
}

// Who is in now and meant by the target; a target of a whole room is not for here.
Present present_of(Core& core, const AppId& app, const BanTarget& target) {
  if (target.ip) return present_from(core, app, *target.ip);
  return core.seats_of(app, target.room, *target.user);
}

void remove_and_store(Core& core, WaiterId waiter, const Present& who, const ActionOrigin& origin,
                      const std::optional<BanRule>& rule, std::optional<Wall> forbidden_until) {
  if (who.empty() && !rule) return reply(core, waiter, ActionOutcome::Done);
  StartedAction started = start_action(core, waiter);
  PersistBans write{.operation = started.id, .put = {}, .drop = {}, .tombstones = {}};
  evict(core, started, who, origin, forbidden_until, write);
  if (rule) {
    started.action.erase_if_not_stored.emplace_back(rule->app, rule->id);
    write.put.push_back(*rule);
  }
  core.out.put(std::move(write));
}

// --- whole rooms --------------------------------------------------------------------------------

DismissRoom as_dismissal(const Core& core, const BanUsers& command, std::optional<Wall> until) {
  DismissRoom dismiss{.waiter = command.waiter,
                      .app = command.app,
                      .room = *command.target.room,
                      .operator_id = command.origin.operator_id,
                      .request_id = command.origin.request_id,
                      .reason = command.origin.reason,
                      .accepted = command.accepted};
  if (until) dismiss.forbidden = *until - core.now.wall;
  return dismiss;
}

// Ends the life by the phases of a dismissal; the rule is stored with its record.
void ban_room(Core& core, const BanUsers& command, const std::optional<BanRule>& rule,
              std::optional<Wall> until) {
  const RoomName name{command.app, *command.target.room};
  std::vector<BanRule> rules;
  if (rule) rules.push_back(*rule);
  if (Room* room = core.find_current(name)) {
    start_dismissal(core, *room, as_dismissal(core, command, until), command.code,
                    std::move(rules));
    return;
  }
  const auto latest = core.latest_dismissal.find(name);
  if (latest != core.latest_dismissal.end()) {
    Dismissal& running = core.operations.at(latest->second);
    if (!rule || !running.is_final_stored) {  // another record is still to come and takes it along
      std::ranges::move(rules, std::back_inserter(running.bans_to_store));
      return join_dismissal(core, running, command.waiter);
    }
  }
  if (until && !rule)
    return reply_when_stored(core, command.waiter, command.app,
                             core.bans.find(command.app, command.target)->id);
  remove_and_store(core, command.waiter, {}, command.origin, rule, until);
}

}  // namespace

namespace {
void arm_expiry(Core& core) {
  core.timers.arm(TimerKind::BanExpiry, "", core.bans.next_expiry());
}
}  // namespace

bool put_in_force(Core& core, const BanRule& rule) {
  const bool is_put = core.bans.put(rule, deadline_of(rule.expires_at, core.now));
  arm_expiry(core);
  return is_put;
}

void take_out_of_force(Core& core, const std::vector<std::pair<AppId, BanId>>& rules) {
  for (const auto& [app, id] : rules) core.bans.erase(app, id);
  arm_expiry(core);
}

void on(Core& core, const BanUsers& command) {
  std::optional<BanRule> rule;
  std::optional<Wall> until;
  if (command.interval > Duration{}) {
    if (const Bans::InForce* known = core.bans.find(command.app, command.target)) {
      until = known->expires_at;  // a repeated ban does not reset the clock
    } else {
      rule = make_rule(core, command.app, command.target, command.interval, command.origin);
      until = rule->expires_at;
      if (!put_in_force(core, *rule))
        return reply(core, command.waiter, ActionOutcome::TooManyBans);
    }
  }
  const bool is_room = command.target.room && !command.target.user;
  if (is_room) return ban_room(core, command, rule, until);
  const Present who = present_of(core, command.app, command.target);
  // A repeat is no promise of its own: it holds, or fails, with the rule that is there.
  if (who.empty() && until && !rule)
    return reply_when_stored(core, command.waiter, command.app,
                             core.bans.find(command.app, command.target)->id);
  remove_and_store(core, command.waiter, who, command.origin, rule, until);
}

void on(Core& core, const RemoveUser& command) {
  const BanTarget target{.room = command.room, .user = command.user, .ip = {}};
  remove_and_store(core, command.waiter, present_of(core, command.app, target), command.origin, {},
                   {});
}

void on(Core& core, const UpdateBan& command) {
  const Bans::InForce* known = core.bans.find(command.app, command.target);
  if (command.interval <= Duration{}) {
    if (known == nullptr) return reply(core, command.waiter, ActionOutcome::NotThere);
    return on(core, LiftBan{command.waiter, command.app, known->id});
  }
  const bool is_full = core.bans.size() >= static_cast<size_t>(limits::kBansMax);
  if (known == nullptr && is_full) return reply(core, command.waiter, ActionOutcome::TooManyBans);
  BanRule rule = make_rule(core, command.app, command.target, command.interval, command.origin);
  if (known != nullptr) rule.id = known->id;
  const StartedAction started = start_action(core, command.waiter);
  core.out.put(PersistBans{.operation = started.id, .put = {rule}, .drop = {}, .tombstones = {}});
  started.action.put_when_stored.push_back(std::move(rule));
}

void on(Core& core, const LiftBan& command) {
  if (!core.bans.contains(command.app, command.ban))
    return reply(core, command.waiter, ActionOutcome::NotThere);
  const StartedAction started = start_action(core, command.waiter);
  started.action.erase_when_stored.emplace_back(command.app, command.ban);
  core.out.put(
      PersistBans{.operation = started.id, .put = {}, .drop = {command.ban}, .tombstones = {}});
}

void on(Core& core, const LimitToken& command) {
  BanTarget target{
      .room = command.room, .user = command.user, .ip = {}, .token = command.token_hash};
  const Bans::InForce* known = core.bans.find(command.app, target);
  BanRule rule = make_rule(core, command.app, std::move(target), command.interval, command.origin);
  if (known != nullptr) rule.id = known->id;
  if (!put_in_force(core, rule)) return reply(core, command.waiter, ActionOutcome::TooManyBans);
  const StartedAction started = start_action(core, command.waiter);
  if (known == nullptr)
    started.action.erase_if_not_stored.emplace_back(rule.app, rule.id);
  else
    started.action.put_when_stored.push_back(
        rule);  // the write that came before may fail and take it away
  for (const auto& [room_sid, sid] : core.seats_of(command.app, command.room, command.user)) {
    Room& room = core.lives.at(room_sid);
    Participant& participant = room.participants.at(sid);
    if (participant.joiner.token_hash == command.token_hash)
      limit_publishing(core, room, participant, rule.expires_at);
  }
  core.out.put(
      PersistBans{.operation = started.id, .put = {std::move(rule)}, .drop = {}, .tombstones = {}});
}

void on(Core& core, const RestoreBans& command) {
  for (const BanRule& rule : command.rules)
    if (rule.expires_at > core.now.wall) put_in_force(core, rule);
}

void on_bans_expired(Core& core, const std::string&) {
  core.bans.erase_expired(core.now.mono);
  arm_expiry(core);
}

}  // namespace atrium::domain
