#include "sim/rule_book.h"

#include <algorithm>

namespace atrium::sim {
namespace {

constexpr Duration kTimersLate = std::chrono::milliseconds(200);  // of the node's, at most

template <typename T>
void keep_later(T& to, const T& from) {
  to.mono = std::max(to.mono, from.mono);
  to.wall = std::max(to.wall, from.wall);
}

}  // namespace

bool RuleTarget::means(const Who& who) const {
  if (room.empty() && user.empty() && ip.empty()) return false;
  return (room.empty() || room == who.room) && (user.empty() || user == who.user) &&
         (ip.empty() || ip == who.ip);
}

// While a rule may be lifted or made anew at any moment, nothing is certain of it.
bool RuleBook::Rule::is_certain() const {
  return std::ranges::none_of(calls, [](const Call& call) {
    return !call.is_over && (call.order == Order::Lift || call.order == Order::Prolong);
  });
}
bool RuleBook::Rule::can_be_made() const {
  return std::ranges::any_of(calls, [](const Call& call) {
    return !call.is_over && call.interval > Duration{} && call.order != Order::Lift;
  });
}

constexpr RuleBook::Instant RuleBook::kOver{Mono{}, Wall(Duration::min() / 2)};

RuleBook::Instant RuleBook::least(const Call& call) {
  const Mono end = call.began + call.interval;
  return {end, Wall(end.time_since_epoch() + call.offset_least)};
}
RuleBook::Instant RuleBook::most(const Call& call, Now now) {
  const Mono end = now.mono + call.interval;
  return {end, Wall(end.time_since_epoch() + call.offset_most)};
}

RuleBook::CallId RuleBook::began(Order order, RuleTarget target, Duration interval, Now now) {
  Rule& rule = rules_[target];
  if (rule.under_way == 0) {
    rule.calls.clear();
    rule.must_before = rule.must;
    rule.may_before = rule.may;
  }
  ++rule.under_way;
  rule.is_seen_out = rule.has_restarted = false;
  rule.last_order = Mono::max();
  const Duration offset = now.wall.time_since_epoch() - now.mono.time_since_epoch();
  const CallId id = next_id_++;
  if (order != Order::Kick)
    rule.calls.push_back({.id = id,
                          .order = order,
                          .interval = interval,
                          .began = now.mono,
                          .offset_least = offset,
                          .offset_most = offset});
  target_of_[id] = std::move(target);
  return id;
}

void RuleBook::wall_stepped(Now now) {
  const Duration offset = now.wall.time_since_epoch() - now.mono.time_since_epoch();
  for (const auto& [id, target] : target_of_)
    for (Call& call : rules_[target].calls) {
      if (call.is_over) continue;
      call.offset_least = std::min(call.offset_least, offset);
      call.offset_most = std::max(call.offset_most, offset);
    }
}

// A repeated ban does not reset the clock, so which of several made the rule says when it ends.
void RuleBook::settle_bans(Rule& rule, const Call& call, CallEnd end, Now now) {
  if (call.interval <= Duration{} || end == CallEnd::Refused) return;
  const bool was_there = rule.must_before.mono > now.mono;
  const bool was_perhaps_there = rule.may_before.mono + kTimersLate > call.began;
  if (end == CallEnd::Done && was_there) return;
  keep_later(rule.may, most(call, now));
  if (end == CallEnd::Unknown || was_perhaps_there) return;
  Instant earliest = least(call);
  for (const Call& other : rule.calls) {
    if (other.interval <= Duration{}) continue;
    const Instant its = least(other);
    earliest = {std::min(earliest.mono, its.mono), std::min(earliest.wall, its.wall)};
  }
  keep_later(rule.must, earliest);
  rule.closed_since = {};  // it has put out who was in
}

void RuleBook::settle_alone(Rule& rule, const Call& call, CallEnd end, Now now) {
  if (end == CallEnd::Refused) return;
  const bool lifts = call.order == Order::Lift;
  const bool is_done = end == CallEnd::Done;
  if (lifts) {
    rule.must = {};
    if (is_done) rule.may = {now.mono, kOver.wall};
    return;
  }
  const Instant ends = least(call);
  if (is_done) {
    if (rule.must_before.mono <= now.mono) rule.closed_since = now.mono;
    rule.must = ends;
    rule.may = most(call, now);
    return;
  }
  rule.must = {std::min(rule.must.mono, ends.mono), std::min(rule.must.wall, ends.wall)};
  keep_later(rule.may, most(call, now));
}

void RuleBook::settle_mixed(Rule& rule, Now now) {
  rule.must = {};
  for (const Call& call : rule.calls)
    if (call.order != Order::Lift && call.interval > Duration{})
      keep_later(rule.may, most(call, now));
}

void RuleBook::ended(CallId id, CallEnd end, Now now) {
  const auto target = target_of_.find(id);
  if (target == target_of_.end()) return;
  Rule& rule = rules_[target->second];
  target_of_.erase(target);
  if (--rule.under_way == 0) rule.last_order = now.mono;
  const auto call = std::ranges::find_if(rule.calls, [&](const Call& one) { return one.id == id; });
  if (call == rule.calls.end()) return;  // a kick
  call->is_over = true;
  const auto is_ban = [](const Call& one) { return one.order == Order::Ban; };
  if (std::ranges::all_of(rule.calls, is_ban))
    settle_bans(rule, *call, end, now);
  else if (rule.calls.size() == 1)
    settle_alone(rule, *call, end, now);
  else
    settle_mixed(rule, now);
}

void RuleBook::restarted(Now now) {
  const auto anew = [&](Instant& until) {
    // What was lifted long ago stays so.
    if (until.wall.time_since_epoch() > Duration::min() / 4 && until.wall != Wall{})
      until.mono = now.mono + (until.wall - now.wall);
  };
  for (auto& [target, rule] : rules_) {
    anew(rule.must);
    anew(rule.may);
    // What a start finds expired it deletes: a clock that is set back later does not bring it back.
    if (rule.must.mono <= now.mono) rule.must = {};
    rule.is_seen_out = false;
    rule.has_restarted = rule.under_way == 0;
  }
}

bool RuleBook::must_be_out(const Who& who, Mono let_in, Now now) const {
  return std::ranges::any_of(rules_, [&](const auto& entry) {
    const auto& [target, rule] = entry;
    return rule.must.mono > now.mono && let_in >= rule.closed_since && rule.is_certain() &&
           target.means(who);
  });
}

bool RuleBook::may_be_out(const Who& who, Now now) const {
  return std::ranges::any_of(rules_, [&](const auto& entry) {
    const auto& [target, rule] = entry;
    const bool is_left = rule.may.mono + kTimersLate > now.mono && !rule.is_seen_out;
    return (is_left || rule.can_be_made()) && target.means(who);
  });
}

void RuleBook::saw_let_in(const Who& who, Now now) {
  for (auto& [target, rule] : rules_) {
    if (rule.under_way != 0 || rule.must.mono > now.mono || !target.means(who)) continue;
    rule.is_seen_out = true;
    if (rule.has_restarted) rule.may = kOver;
  }
}

bool RuleBook::may_be_removed(const Who& who, Mono session_began) const {
  return std::ranges::any_of(rules_, [&](const auto& entry) {
    const auto& [target, rule] = entry;
    const Mono last = std::max(rule.last_order, rule.may.mono);
    return last >= session_began - kTimersLate && target.means(who);
  });
}

std::vector<RuleTarget> RuleBook::targets() const {
  std::vector<RuleTarget> out;
  for (const auto& [target, rule] : rules_) out.push_back(target);
  return out;
}

}  // namespace atrium::sim
