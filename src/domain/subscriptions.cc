// Subscriptions: who gets which track, at which quality.  A forward is in force exactly when the subscriber wants the
// track (by hand, else by auto_subscribe), its token lets it subscribe, and the publisher's rules let it have it.
#include <algorithm>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

bool wants(const Participant& subscriber, const Subscription* subscription) {
  if (subscription != nullptr && subscription->choice) return *subscription->choice;
  return subscriber.joiner.auto_subscribe;
}

// What the subscriber holds about the track, made when it is the first time.
Subscription& hold(Participant& subscriber, const TrackView& track) {
  auto [held, is_new] = subscriber.subscriptions.try_emplace(track.sid);
  // With adaptive stream the client says what it shows; until then the least will do.
  const bool starts_low = subscriber.joiner.adaptive_stream && track.kind == TrackKind::Video;
  if (is_new && starts_low) held->second.quality = VideoQuality::Low;
  return held->second;
}

void put_pause(Core& core, const Participant& subscriber, const TrackSid& track,
               const Subscription& held) {
  core.out.put(PauseForward{subscriber.sid(), track, held.is_paused, held.quality});
}

void start_forward(Core& core, Room& room, const Participant& subscriber,
                   const Participant& publisher, const TrackView& track, Subscription& held) {
  held.is_forwarding = true;
  ++room.subscription_count;
  core.out.put(StartForward{subscriber.sid(), publisher.sid(), track.sid, track.kind});
  if (held.is_paused || held.quality != VideoQuality::High)
    put_pause(core, subscriber, track.sid, held);
  // The subscriber has to know the track before the section that carries it.
  if (room.updates.has(publisher.sid())) {
    room.must_flush = true;
    core.touched.insert(room.sid());
  }
}

void stop_forward(Core& core, Room& room, const ParticipantSid& subscriber, const TrackSid& track,
                  Subscription& held) {
  if (!held.is_forwarding) return;
  held.is_forwarding = false;
  --room.subscription_count;
  core.out.put(StopForward{subscriber, track});
}

void settle_pair(Core& core, Room& room, Participant& subscriber, const Participant& publisher,
                 const Publication& publication) {
  // Nobody forwards to or from a session that the others do not know of yet; its JoinSent settles it.
  if (subscriber.sid() == publisher.sid() || !subscriber.is_join_sent || !publisher.is_join_sent)
    return;
  const TrackView& track = publication.view;
  auto found = subscriber.subscriptions.find(track.sid);
  Subscription* held = found == subscriber.subscriptions.end() ? nullptr : &found->second;
  const bool asks = wants(subscriber, held) && subscriber.can_subscribe();
  if (!asks) {
    if (held != nullptr) stop_forward(core, room, subscriber.sid(), track.sid, *held);
    return;
  }
  if (held == nullptr) held = &hold(subscriber, track);
  const bool is_allowed =
      publisher.subscriber_rules.allows(subscriber.sid(), subscriber.user(), track.sid);
  if (is_allowed == held->was_told_refused) {
    held->was_told_refused = !is_allowed;
    core.out.put(SubscriptionAllowed{subscriber.sid(), publisher.sid(), track.sid, is_allowed});
  }
  if (!is_allowed) {
    stop_forward(core, room, subscriber.sid(), track.sid, *held);
  } else if (!held->is_forwarding) {
    start_forward(core, room, subscriber, publisher, track, *held);
  }
}

// The smallest layer that covers what is shown (livekit-protocol 5.7); High when the track names no layers.
VideoQuality quality_covering(const TrackView& track, uint32_t width, uint32_t height) {
  const VideoLayer* best = nullptr;
  for (const VideoLayer& layer : track.layers) {
    const bool covers = layer.width >= width && layer.height >= height;
    if (covers && (best == nullptr || layer.width < best->width)) best = &layer;
  }
  return best != nullptr && best->quality != VideoQuality::Off ? best->quality : VideoQuality::High;
}

void adjust(Core& core, Participant& subscriber, const TrackView& track,
            const UpdateTrackSettings& command) {
  auto found = subscriber.subscriptions.find(track.sid);
  if (found == subscriber.subscriptions.end()) return;
  Subscription& held = found->second;
  const bool is_paused = command.disabled || command.quality == VideoQuality::Off;
  VideoQuality quality = VideoQuality::High;
  if (track.kind == TrackKind::Video) {
    const bool is_sized = command.width > 0 && command.height > 0;
    quality = is_sized ? quality_covering(track, command.width, command.height) : command.quality;
    if (quality == VideoQuality::Off) quality = held.quality;
  }
  if (held.is_paused == is_paused && held.quality == quality) return;
  held.is_paused = is_paused;
  held.quality = quality;
  if (held.is_forwarding) put_pause(core, subscriber, track.sid, held);
}

// One command names no more tracks than a room can hold; what lies beyond is not looked at.
size_t bounded(const std::vector<TrackSid>& tracks) {
  return std::min(tracks.size(), static_cast<size_t>(limits::kTracksPerRoomMax));
}

bool is_too_long(const SubscriptionPermission& command) {
  size_t rules = command.entries.size();
  for (const SubscriptionPermission::Entry& entry : command.entries) {
    if (entry.tracks.size() > static_cast<size_t>(limits::kTracksPerParticipantMax)) return true;
    rules += entry.tracks.size();
  }
  return rules > static_cast<size_t>(limits::kSubscriptionRulesMax);
}

void refuse(Core& core, const ParticipantSid& participant, RequestOutcome outcome,
            const char* message) {
  core.out.put(RequestAnswer{.participant = participant,
                             .kind = RequestKind::Subscription,
                             .outcome = outcome,
                             .request_id = 0,
                             .message = message,
                             .track = {}});
}

}  // namespace

void on(Core& core, const UpdateSubscription& command) {
  auto [room, subscriber] = core.find_present(command.participant);
  if (subscriber == nullptr) return;
  if (command.subscribe && !subscriber->can_subscribe())
    return refuse(core, command.participant, RequestOutcome::NotAllowed,
                  "no permission to subscribe");
  for (size_t i = 0; i < bounded(command.tracks); ++i) {
    const TrackSid& track = command.tracks[i];
    const bool is_known = choose_track(core, *room, *subscriber, track, command.subscribe);
    if (!is_known && command.subscribe)
      core.out.put(SubscriptionFailed{command.participant, track});
  }
}

bool choose_track(Core& core, Room& room, Participant& subscriber, const TrackSid& track,
                  bool subscribe) {
  const Room::LiveTrack live = room.find_live_track(track);
  if (!live || live.publisher == &subscriber) return false;
  hold(subscriber, live.publication->view).choice = subscribe;
  settle_pair(core, room, subscriber, *live.publisher, *live.publication);
  return true;
}

void on(Core& core, const UpdateTrackSettings& command) {
  auto [room, subscriber] = core.find_present(command.participant);
  if (subscriber == nullptr) return;
  for (size_t i = 0; i < bounded(command.tracks); ++i)
    if (const Room::LiveTrack live = room->find_live_track(command.tracks[i]))
      adjust(core, *subscriber, live.publication->view, command);
}

void on(Core& core, const SubscriptionPermission& command) {
  auto [room, publisher] = core.find_present(command.participant);
  if (publisher == nullptr) return;
  if (is_too_long(command))
    return refuse(core, command.participant, RequestOutcome::LimitExceeded,
                  "too many subscription permissions");
  const bool stays_open = command.all && publisher->subscriber_rules.allows_everybody();
  if (stays_open) return;  // what every client says on every connect
  publisher->subscriber_rules.replace(command);
  for (auto& [sid, publication] : publisher->publications)
    if (publication.view.live) settle_track(core, *room, *publisher, publication);
}

void on(Core& core, const ForwardAttached& command) {
  auto [room, subscriber] = core.find_present(command.subscriber);
  if (subscriber == nullptr) return;
  const Room::LiveTrack live = room->find_live_track(command.track);
  auto held = subscriber->subscriptions.find(command.track);
  const bool is_forwarding = held != subscriber->subscriptions.end() && held->second.is_forwarding;
  if (!live || !is_forwarding || live.publication->had_subscriber) return;
  live.publication->had_subscriber = true;
  core.out.put(TrackSubscribed{live.publisher->sid(), command.track});
}

void settle_track(Core& core, Room& room, Participant& publisher, Publication& publication) {
  for (auto& [sid, subscriber] : room.participants)
    settle_pair(core, room, subscriber, publisher, publication);
}

void settle_subscriber(Core& core, Room& room, Participant& subscriber) {
  for (const auto& [track, unused] : room.tracks)
    if (const Room::LiveTrack live = room.find_live_track(track))
      settle_pair(core, room, subscriber, *live.publisher, *live.publication);
}

void drop_subscriptions_to(Core& core, Room& room, const TrackSid& track) {
  for (auto& [sid, subscriber] : room.participants) {
    auto held = subscriber.subscriptions.find(track);
    if (held == subscriber.subscriptions.end()) continue;
    stop_forward(core, room, sid, track, held->second);
    subscriber.subscriptions.erase(held);
  }
}

void drop_subscriptions_of(Room& room, Participant& subscriber) {
  for (const auto& [track, held] : subscriber.subscriptions)
    room.subscription_count -= held.is_forwarding ? 1 : 0;
  subscriber.subscriptions.clear();
}

}  // namespace atrium::domain
