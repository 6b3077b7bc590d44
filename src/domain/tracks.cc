// Publications: asked for, live, muted, changed, ended.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

void answer(Core& core, const ParticipantSid& participant, RequestKind kind, RequestOutcome outcome,
            std::string message, TrackView track) {
  core.out.put(RequestAnswer{.participant = participant,
                             .kind = kind,
                             .outcome = outcome,
                             .request_id = 0,
                             .message = std::move(message),
                             .track = std::move(track)});
}

bool is_text_ok(const std::string& text) {
  return text.size() <= static_cast<size_t>(limits::kIdBytesMax);
}

bool is_well_formed(const TrackView& track) {
  return !track.cid.empty() && is_text_ok(track.cid) && is_text_ok(track.name) &&
         is_text_ok(track.stream) && is_text_ok(track.preferred_codec) &&
         track.layers.size() <= static_cast<size_t>(limits::kLayersPerTrackMax) &&
         track.audio_features.size() <= static_cast<size_t>(limits::kAudioFeaturesMax);
}

struct Refusal {
  RequestOutcome outcome = RequestOutcome::Ok;
  const char* message = "";
};

Refusal refusal_of(const Room& room, const Participant& participant, const TrackView& track) {
  if (!is_well_formed(track))
    return {RequestOutcome::Invalid, "the track's description is out of bounds"};
  if (participant.is_hidden())
    return {RequestOutcome::NotAllowed, "invisible users cannot publish"};
  if (!participant.can_publish()) return {RequestOutcome::NotAllowed, "no permission to publish"};
  if (!participant.can_publish(track.source))
    return {RequestOutcome::NotAllowed, "no permission to publish this source"};
  if (participant.publications.size() >= static_cast<size_t>(limits::kTracksPerParticipantMax))
    return {RequestOutcome::LimitExceeded, "too many tracks of this user"};
  if (room.tracks.size() >= static_cast<size_t>(limits::kTracksPerRoomMax))
    return {RequestOutcome::LimitExceeded, "too many tracks in the room"};
  return {};
}

// The present participant's own publication; nulls when either is unknown.
struct OwnTrack {
  Room* room = nullptr;
  Participant* participant = nullptr;
  Publication* publication = nullptr;
};
OwnTrack find_own(Core& core, const ParticipantSid& sid, const TrackSid& track) {
  auto [room, participant] = core.find_present(sid);
  if (participant == nullptr) return {};
  auto found = participant->publications.find(track);
  return {room, participant, found == participant->publications.end() ? nullptr : &found->second};
}

// The publication with that cid that is not live yet; null when there is none.
const TrackSid* find_waiting(const Participant& participant, const std::string& cid) {
  for (const auto& [sid, publication] : participant.publications)
    if (!publication.view.live && publication.view.cid == cid) return &sid;
  return nullptr;
}

bool is_muted(const Room& room, const Participant& participant, const Publication& publication) {
  if (publication.is_muted_by_client) return true;
  const auto ban = room.stream_bans.find(participant.user());
  if (ban == room.stream_bans.end()) return false;
  return publication.view.kind == TrackKind::Audio ? ban->second.audio : ban->second.video;
}

void track_changed(Core& core, const OwnTrack& own) {
  ++own.publication->view.version;
  if (own.publication->view.live)
    announce_change(core, *own.room, *own.participant, Audience::Everybody);
}

// The first time that negotiation found the section: from here on the track exists for others.
void go_live(Core& core, const OwnTrack& own) {
  TrackView& view = own.publication->view;
  if (!own.participant->has_live_track()) ++own.room->tally.publishers;
  ++own.room->tally.live_tracks;
  policy_meets_publishing(core, *own.room);
  view.live = true;
  view.muted = is_muted(*own.room, *own.participant, *own.publication);
  track_changed(core, own);
  if (view.muted) core.out.put(PauseTrack{own.participant->sid(), view.sid, true});
  settle_track(core, *own.room, *own.participant, *own.publication);
  Event event = make_event(core, *own.room, EventKind::TrackPublished, *own.participant);
  event.track = view.sid;
  event.track_kind = view.kind;
  event.source = view.source;
  core.out.put(std::move(event));
}

}  // namespace

void on(Core& core, AddTrack& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr) return;
  TrackView& track = command.track;
  if (Refusal refusal = refusal_of(*room, *participant, track);
      refusal.outcome != RequestOutcome::Ok)
    return answer(core, command.participant, RequestKind::AddTrack, refusal.outcome,
                  refusal.message, std::move(track));
  // The same wish again, before its section came: the publication keeps its sid, or the first would wait for ever.
  const TrackSid* asked_before = find_waiting(*participant, track.cid);
  track.sid = asked_before != nullptr ? *asked_before : TrackSid(core.secrets.sid("TR_"));
  track.live = false;
  track.mid.clear();
  track.version = 1;
  room->tracks[track.sid] = participant->sid();
  participant->publications[track.sid] = {
      .view = track, .had_subscriber = false, .is_muted_by_client = track.muted};
  core.out.put(TrackPublished{participant->sid(), std::move(track)});
}

void on(Core& core, TrackLive& command) {
  const OwnTrack own = find_own(core, command.participant, command.track);
  if (own.publication == nullptr) return;
  TrackView& view = own.publication->view;
  const bool is_same = view.live && view.mime == command.mime && view.mid == command.mid;
  if (is_same) return;
  view.mime = std::move(command.mime);
  view.mid = std::move(command.mid);
  if (view.live) {
    track_changed(core, own);
  } else {
    go_live(core, own);
  }
}

void on(Core& core, const TrackGone& command) {
  const OwnTrack own = find_own(core, command.participant, command.track);
  if (own.publication != nullptr)
    unpublish(core, *own.room, *own.participant, command.track, UnpublishedBy::Client);
}

void on(Core& core, const SetMuted& command) {
  const OwnTrack own = find_own(core, command.participant, command.track);
  if (own.participant == nullptr) return;
  if (own.publication == nullptr) {
    TrackView unknown;
    unknown.sid = command.track;
    unknown.muted = command.muted;
    return answer(core, command.participant, RequestKind::Mute, RequestOutcome::NotFound,
                  "no such track", std::move(unknown));
  }
  own.publication->is_muted_by_client = command.muted;
  settle_mutes(core, *own.room, *own.participant);
}

void settle_mutes(Core& core, Room& room, Participant& participant) {
  bool is_news = false;
  for (auto& [sid, publication] : participant.publications) {
    TrackView& view = publication.view;
    const bool muted = is_muted(room, participant, publication);
    if (view.muted == muted) continue;
    view.muted = muted;
    ++view.version;
    if (!view.live) continue;
    core.out.put(PauseTrack{participant.sid(), sid, muted});
    is_news = true;
  }
  if (is_news) announce_change(core, room, participant, Audience::Everybody);
}

void on(Core& core, UpdateTrackInfo& command) {
  const OwnTrack own = find_own(core, command.participant, command.track);
  if (own.participant == nullptr) return;
  TrackView asked;
  asked.sid = command.track;
  const auto refuse = [&](RequestOutcome outcome, const char* message) {
    answer(core, command.participant, RequestKind::UpdateTrackInfo, outcome, message,
           std::move(asked));
  };
  if (own.publication == nullptr) return refuse(RequestOutcome::NotFound, "no such track");
  const size_t features = command.audio_features ? command.audio_features->size() : 0;
  if (features > static_cast<size_t>(limits::kAudioFeaturesMax))
    return refuse(RequestOutcome::Invalid, "too many audio features");
  TrackView& view = own.publication->view;
  if (command.audio_features) view.audio_features = std::move(*command.audio_features);
  if (command.width) view.width = *command.width;
  if (command.height) view.height = *command.height;
  track_changed(core, own);
}

void unpublish(Core& core, Room& room, Participant& publisher, const TrackSid& track,
               UnpublishedBy by) {
  const bool was_live = publisher.publications.at(track).view.live;
  if (was_live) drop_subscriptions_to(core, room, track);
  room.tracks.erase(track);
  publisher.publications.erase(track);
  if (by == UnpublishedBy::Server && publisher.connection)
    core.out.put(TrackUnpublished{publisher.sid(), track});
  if (!was_live) return;
  --room.tally.live_tracks;
  policy_meets_publishing(core, room);
  if (!publisher.has_live_track()) --room.tally.publishers;
  core.out.put(StopTrack{publisher.sid(), track});
  Event event = make_event(core, room, EventKind::TrackUnpublished, publisher);
  event.track = track;
  core.out.put(std::move(event));
  if (by != UnpublishedBy::Departure) announce_change(core, room, publisher, Audience::Everybody);
}

}  // namespace atrium::domain
