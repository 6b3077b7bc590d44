// Tombstones: who is to be told of a removal when they come back (DESIGN section 1, "Who was not told").
// Owner: Core.  Bounded by kTombstonesMax, the soonest to expire is forgotten first.  Does not: persist, keep time.
//
//   a resume with the participant's sid   → told, each time until the tombstone expires (the answer may get lost)
//   a fresh join with the same token      → refused once, when the code is RoomDismiss or KickedOut and the
//                                           session had not heard of it; any other token is free to join
#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "domain/types.h"

namespace atrium::domain {

class Tombstones {
 public:
  // False when this participant has one already.  `evicted` names who was forgotten to make place.
  struct Added {
    bool is_new = false;
    std::optional<ParticipantSid> evicted;
  };
  Added add(Tombstone tombstone, Mono deadline);
  void erase(const ParticipantSid& participant);

  // The tombstone that a resume meets; the token presented must be of the same application, room and user.
  const Tombstone* find_for_resume(const ParticipantSid& participant, const Joiner& joiner) const;
  // Uses up the refusal that a fresh join with this token meets; nullopt: none.
  std::optional<Tombstone> take_for_join(const Joiner& joiner);

  size_t size() const { return entries_.size(); }
  void check_invariants() const;

 private:
  using TokenKey = std::tuple<AppId, RoomId, UserId, Sha256, ParticipantSid>;
  struct Entry {
    Tombstone tombstone;
    Mono deadline{};
    bool refuses_join = false;
  };
  static TokenKey token_key(const Tombstone& tombstone);

  std::map<ParticipantSid, Entry> entries_;
  std::set<std::pair<Mono, ParticipantSid>> by_deadline_;
  std::set<TokenKey> join_refusals_;
};

}  // namespace atrium::domain
