#include "domain/room.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::domain {

Room::Room(RoomName room_name, RoomSid room_sid, uint64_t room_epoch, Wall created_at)
    : name_(std::move(room_name)),
      sid_(std::move(room_sid)),
      epoch_(room_epoch),
      created_at_(created_at) {}

void Room::remember_departure(std::shared_ptr<const ParticipantView> last_view, Now now) {
  if (departed_.size() >= static_cast<size_t>(limits::kDepartedPerRoomMax)) departed_.pop_front();
  departed_.push_back({now.mono, std::move(last_view)});
}

std::vector<std::shared_ptr<const ParticipantView>> Room::departed_since(Mono since) const {
  std::vector<std::shared_ptr<const ParticipantView>> out;
  for (const Departed& one : departed_) {
    auto back = users.find(one.view->user);
    const bool is_seen_again = back != users.end() && announced.contains(back->second);
    if (one.at >= since && !is_seen_again) out.push_back(one.view);
  }
  return out;
}

Participant* Room::find(const ParticipantSid& participant) {
  auto found = participants.find(participant);
  return found == participants.end() ? nullptr : &found->second;
}

Room::LiveTrack Room::find_live_track(const TrackSid& track) {
  auto home = tracks.find(track);
  if (home == tracks.end()) return {};
  Participant* publisher = find(home->second);
  CHECK(publisher != nullptr);
  Publication& publication = publisher->publications.at(track);
  if (!publication.view.live) return {};
  return {publisher, &publication};
}

bool Room::has_untold_departure() const {
  return std::ranges::any_of(departures, [](const auto& entry) {
    return entry.second.step != DepartureStep::AwaitTransportClosed;
  });
}

RoomView Room::view() const {
  return {.app = name_.app,
          .room = name_.room,
          .sid = sid_,
          .epoch = epoch_,
          .created_at = created_at_,
          .metadata = metadata,
          .num_participants = tally.visible,
          .num_hidden = tally.hidden,
          .num_publishers = tally.publishers,
          .num_tracks = tally.live_tracks,
          .dismissing = phase == LifePhase::Dismissing,
          .max_participants = max_participants,
          .empty_timeout = empty_timeout,
          .departure_timeout = departure_timeout};
}

std::vector<std::shared_ptr<const ParticipantView>> Room::announced_views(
    const ParticipantSid& except) const {
  std::vector<std::shared_ptr<const ParticipantView>> out;
  out.reserve(announced.size());
  for (const ParticipantSid& sid : announced)
    if (sid != except) out.push_back(participants.at(sid).shared_view());
  return out;
}

void Room::check_invariants() const {
  Tally counted;
  uint64_t forwards = 0;
  size_t publications = 0;
  size_t known = 0;
  for (const auto& [sid, participant] : participants) {
    CHECK(sid == participant.sid());
    CHECK(users.at(participant.user()) == sid);
    CHECK(!departures.contains(sid));
    CHECK(participant.is_announced() == announced.contains(sid));
    known += participant.is_announced() ? 1 : 0;
    ++(participant.is_hidden() ? counted.hidden : counted.visible);
    counted.publishers += participant.has_live_track() ? 1 : 0;
    for (const auto& [track, publication] : participant.publications) {
      CHECK(track == publication.view.sid);
      CHECK(tracks.at(track) == sid);
      counted.live_tracks += publication.view.live ? 1 : 0;
      ++publications;
    }
    for (const auto& [track, subscription] : participant.subscriptions) {
      auto home = tracks.find(track);
      CHECK(home != tracks.end() && home->second != sid);
      CHECK(participants.at(home->second).publications.at(track).view.live);
      forwards += subscription.is_forwarding ? 1 : 0;
      if (phase == LifePhase::Active && subscription.is_forwarding)
        CHECK(participant.can_subscribe() && participant.is_join_sent);
    }
  }
  CHECK(users.size() == participants.size());
  CHECK(tracks.size() == publications);
  CHECK(known == announced.size());
  CHECK(counted == tally);
  CHECK(forwards == subscription_count);
  CHECK(participants.size() <= static_cast<size_t>(limits::kParticipantsPerRoomMax));
  CHECK(tracks.size() <= static_cast<size_t>(limits::kTracksPerRoomMax));
  CHECK((phase == LifePhase::Dismissing) == !operation.empty());
  CHECK(phase != LifePhase::Closing || participants.empty());
  CHECK(phase == LifePhase::Active || updates.empty());
}

}  // namespace atrium::domain
