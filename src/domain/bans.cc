#include "domain/bans.h"

#include <string_view>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::domain {
namespace {

// The first byte of a key.
constexpr char kRoom = 'r', kUser = 'u', kSeat = 's', kIp = 'i', kToken = 't';

// Ids hold no control characters, so a zero byte ends each.
std::string start(char scope, const AppId& app) {
  std::string key(1, scope);
  key += app.value;
  key += '\0';
  return key;
}

std::string_view app_of(const std::string& key) {
  return std::string_view(key).substr(1, key.find('\0') - 1);
}

}  // namespace

Bans::Key Bans::room_key(const AppId& app, const RoomId& room) {
  return start(kRoom, app) + room.value;
}
Bans::Key Bans::user_key(const AppId& app, const UserId& user) {
  return start(kUser, app) + user.value;
}
Bans::Key Bans::seat_key(const AppId& app, const RoomId& room, const UserId& user) {
  Key key = start(kSeat, app) + room.value;
  key += '\0';
  return key + user.value;
}
Bans::Key Bans::ip_key(const AppId& app, const IpPrefix& prefix) {
  Key key = start(kIp, app);
  key += prefix.network.is_v6 ? '6' : '4';
  key += static_cast<char>(prefix.length);
  key.append(prefix.network.bytes.begin(),
             prefix.network.bytes.begin() + (prefix.network.is_v6 ? 16 : 4));
  return key;
}

Bans::Key Bans::token_key(const AppId& app, const Sha256& token) {
  Key key = start(kToken, app);
  key.append(token.begin(), token.end());
  return key;
}

Bans::Key Bans::key_of(const AppId& app, const BanTarget& target) {
  if (target.token) return token_key(app, *target.token);
  if (target.ip) return ip_key(app, *target.ip);
  if (target.room && target.user) return seat_key(app, *target.room, *target.user);
  if (target.room) return room_key(app, *target.room);
  return user_key(app, target.user.value_or(UserId()));
}

const Bans::InForce* Bans::find(const Key& key) const {
  const auto found = rules_.find(key);
  return found == rules_.end() ? nullptr : &found->second.in_force;
}
const Bans::InForce* Bans::find(const AppId& app, const BanTarget& target) const {
  return find(key_of(app, target));
}

void Bans::count_length(const AppId& app, const Key& key, int change) {
  const size_t at = key.find('\0') + 1;
  const std::pair<AppId, std::pair<bool, uint8_t>> which{
      app, {key[at] == '6', static_cast<uint8_t>(key[at + 1])}};
  uint64_t& count = lengths_[which];
  count += static_cast<uint64_t>(change);
  if (count == 0) lengths_.erase(which);
}

bool Bans::put(const BanRule& rule, Mono deadline) {
  const Key key = key_of(rule.app, rule.target);
  const bool is_new = !rules_.contains(key);
  if (is_new && rules_.size() >= static_cast<size_t>(limits::kBansMax)) return false;
  if (!is_new) erase(key);
  const auto at = rules_.emplace(key, Rule{{rule.id, rule.expires_at}, deadline}).first;
  by_id_[rule.id] = &at->first;
  by_deadline_.emplace(deadline, &at->first);
  if (rule.target.ip) count_length(rule.app, key, +1);
  return true;
}

void Bans::erase(const Key& key) {
  const auto found = rules_.find(key);
  if (key[0] == kIp) count_length(AppId(app_of(key)), key, -1);
  by_id_.erase(found->second.in_force.id);
  by_deadline_.erase({found->second.deadline, &found->first});
  rules_.erase(found);
}

bool Bans::contains(const AppId& app, const BanId& id) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() && app_of(*found->second) == app.value;
}

bool Bans::erase(const AppId& app, const BanId& id) {
  if (!contains(app, id)) return false;
  const Key key = *by_id_.at(id);
  erase(key);
  return true;
}

const Bans::InForce* Bans::limit_of(const AppId& app, const Sha256& token) const {
  return find(token_key(app, token));
}

std::optional<Bans::Match> Bans::match(const Joiner& joiner) const {
  if (const InForce* rule = find(room_key(joiner.app, joiner.room)))
    return Match{ClientCode::RoomForbidden, rule->expires_at};
  if (const InForce* rule = find(seat_key(joiner.app, joiner.room, joiner.user)))
    return Match{ClientCode::UserForbidden, rule->expires_at};
  if (const InForce* rule = find(user_key(joiner.app, joiner.user)))
    return Match{ClientCode::UserForbidden, rule->expires_at};
  return joiner.address ? match(joiner.app, *joiner.address) : std::nullopt;
}

std::optional<Bans::Match> Bans::match(const AppId& app, const IpAddress& from) const {
  const IpAddress address = unmapped(from);
  for (auto at = lengths_.lower_bound({app, {address.is_v6, 0}});
       at != lengths_.end() && at->first.first == app && at->first.second.first == address.is_v6;
       ++at) {
    const IpPrefix prefix = IpPrefix::of(address, at->first.second.second);
    if (const InForce* rule = find(ip_key(app, prefix)))
      return Match{ClientCode::UserForbidden, rule->expires_at};
  }
  return std::nullopt;
}

Mono Bans::next_expiry() const {
  return by_deadline_.empty() ? kNever : by_deadline_.begin()->first;
}

void Bans::erase_expired(Mono now) {
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    const Key key = *by_deadline_.begin()->second;
    erase(key);
  }
}

void Bans::check_invariants() const {
  CHECK(rules_.size() == by_id_.size());
  CHECK(rules_.size() == by_deadline_.size());
  uint64_t counted = 0, with_ip = 0;
  for (const auto& [which, count] : lengths_) counted += count;
  for (const auto& [key, rule] : rules_) {
    CHECK(by_id_.at(rule.in_force.id) == &key);
    CHECK(by_deadline_.contains({rule.deadline, &key}));
    with_ip += key[0] == kIp ? 1 : 0;
  }
  CHECK(counted == with_ip);
}

}  // namespace atrium::domain
