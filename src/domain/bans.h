// Bans: the rules in force that keep people out, looked up at every door (vendor-contract 1.3.3).
// Owner: Core.  Holds what a door needs and no more: who ordered a rule and why is in the store.
// Cost: a lookup is three hash probes and one per prefix length in use of the app; about 340 bytes a rule
// (bench/RESULTS.md).  Does not: store, keep time (Core's timer pops what has expired), evict.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "domain/types.h"

namespace atrium::domain {

class Bans {
 public:
  struct InForce {
    BanId id;
    Wall expires_at{};
  };
  // The rule of exactly this target.
  const InForce* find(const AppId& app, const BanTarget& target) const;

  // Adds a rule, or replaces the one of the same target.  False: kBansMax are in force.
  bool put(const BanRule& rule, Mono deadline);
  bool contains(const AppId& app, const BanId& id) const;
  // False: no such rule of that app.
  bool erase(const AppId& app, const BanId& id);

  // What keeps this person out: a rule of the room answers first (-1025), any other with -1026.
  struct Match {
    ClientCode code = ClientCode::UserForbidden;
    Wall expires_at{};
  };
  std::optional<Match> match(const Joiner& joiner) const;
  // What keeps a token from publishing.
  const InForce* limit_of(const AppId& app, const Sha256& token) const;
  // The address alone: where packets really come from.
  std::optional<Match> match(const AppId& app, const IpAddress& address) const;

  Mono next_expiry() const;
  void erase_expired(Mono now);
  size_t size() const { return rules_.size(); }
  void check_invariants() const;

 private:
  using Key = std::string;  // scope, app and what is banned, as bytes
  struct Rule {
    InForce in_force;
    Mono deadline{};
  };
  static Key key_of(const AppId& app, const BanTarget& target);
  static Key room_key(const AppId& app, const RoomId& room);
  static Key user_key(const AppId& app, const UserId& user);
  static Key seat_key(const AppId& app, const RoomId& room, const UserId& user);
  static Key token_key(const AppId& app, const Sha256& token);
  static Key ip_key(const AppId& app, const IpPrefix& prefix);
  const InForce* find(const Key& key) const;
  void erase(const Key& key);
  void count_length(const AppId& app, const Key& key, int change);

  std::unordered_map<Key, Rule> rules_;
  // derived
  std::unordered_map<BanId, const Key*> by_id_;
  std::set<std::pair<Mono, const Key*>> by_deadline_;
  // Prefix lengths in use, so that a lookup tries no others: (app, is v6, length) → rules.
  std::map<std::pair<AppId, std::pair<bool, uint8_t>>, uint64_t> lengths_;
};

}  // namespace atrium::domain
