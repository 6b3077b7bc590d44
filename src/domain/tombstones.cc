#include "domain/tombstones.h"

#include "base/check.h"
#include "base/limits.h"

namespace atrium::domain {

Tombstones::TokenKey Tombstones::token_key(const Tombstone& tombstone) {
  return {tombstone.app, tombstone.room, tombstone.user, tombstone.token_hash,
          tombstone.participant};
}

Tombstones::Added Tombstones::add(Tombstone tombstone, Mono deadline) {
  if (entries_.contains(tombstone.participant)) return {};
  Added added{.is_new = true, .evicted = std::nullopt};
  if (entries_.size() >= static_cast<size_t>(limits::kTombstonesMax)) {
    added.evicted = by_deadline_.begin()->second;
    erase(*added.evicted);
  }
  const bool is_final =
      tombstone.code == ClientCode::RoomDismiss || tombstone.code == ClientCode::KickedOut;
  const bool refuses_join = tombstone.refuses_join && is_final;
  if (refuses_join) join_refusals_.insert(token_key(tombstone));
  by_deadline_.emplace(deadline, tombstone.participant);
  ParticipantSid participant = tombstone.participant;
  entries_.emplace(std::move(participant), Entry{std::move(tombstone), deadline, refuses_join});
  return added;
}

void Tombstones::erase(const ParticipantSid& participant) {
  auto found = entries_.find(participant);
  if (found == entries_.end()) return;
  by_deadline_.erase({found->second.deadline, participant});
  join_refusals_.erase(token_key(found->second.tombstone));
  entries_.erase(found);
}

const Tombstone* Tombstones::find_for_resume(const ParticipantSid& participant,
                                             const Joiner& joiner) const {
  auto found = entries_.find(participant);
  if (found == entries_.end()) return nullptr;
  const Tombstone& tombstone = found->second.tombstone;
  const bool is_theirs =
      tombstone.app == joiner.app && tombstone.room == joiner.room && tombstone.user == joiner.user;
  return is_theirs ? &tombstone : nullptr;
}

std::optional<Tombstone> Tombstones::take_for_join(const Joiner& joiner) {
  auto first = join_refusals_.lower_bound(
      {joiner.app, joiner.room, joiner.user, joiner.token_hash, ParticipantSid()});
  if (first == join_refusals_.end()) return std::nullopt;
  const auto& [app, room, user, token_hash, participant] = *first;
  const bool is_theirs = app == joiner.app && room == joiner.room && user == joiner.user &&
                         token_hash == joiner.token_hash;
  if (!is_theirs) return std::nullopt;
  Entry& entry = entries_.at(participant);
  entry.refuses_join = false;
  join_refusals_.erase(first);
  return entry.tombstone;
}

void Tombstones::check_invariants() const {
  CHECK(entries_.size() == by_deadline_.size());
  CHECK(entries_.size() <= static_cast<size_t>(limits::kTombstonesMax));
  size_t refusing = 0;
  for (const auto& [participant, entry] : entries_) {
    CHECK(participant == entry.tombstone.participant);
    CHECK(by_deadline_.contains({entry.deadline, participant}));
    CHECK(entry.refuses_join == join_refusals_.contains(token_key(entry.tombstone)));
    refusing += entry.refuses_join ? 1 : 0;
  }
  CHECK(refusing == join_refusals_.size());
}

}  // namespace atrium::domain
