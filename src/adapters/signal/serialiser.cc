#include "adapters/signal/serialiser.h"

#include <algorithm>

#include "adapters/signal/notice.h"
#include "adapters/signal/outgoing_rules.h"
#include "adapters/signal/words.h"

namespace atrium::signal {
namespace {

void fill_server(const ServerInfo& server, pb::ServerInfo& out) {
  out.set_edition(pb::ServerInfo::STANDARD);
  out.set_version(server.version);
  out.set_protocol(server.protocol);
  out.set_region(server.region);
  out.set_node_id(server.node_id);
}

pb::ConnectionQuality quality_to_pb(Quality quality) {
  switch (quality) {
    case Quality::Poor:
      return pb::POOR;
    case Quality::Good:
      return pb::GOOD;
    case Quality::Excellent:
      return pb::EXCELLENT;
    case Quality::Lost:
      return pb::LOST;
  }
  return pb::LOST;
}

// The oneof tells the client which of its requests is meant.
void fill_request(const domain::RequestAnswer& answer, pb::RequestResponse& out) {
  switch (answer.kind) {
    case domain::RequestKind::AddTrack:
      fill(answer.track, *out.mutable_add_track());
      return;
    case domain::RequestKind::UpdateMetadata:
      out.mutable_update_metadata()->set_request_id(answer.request_id);
      return;
    case domain::RequestKind::Mute:
      out.mutable_mute()->set_sid(answer.track.sid.value);
      out.mutable_mute()->set_muted(answer.track.muted);
      return;
    case domain::RequestKind::UpdateTrackInfo:
      if (answer.track.kind == domain::TrackKind::Audio)
        out.mutable_update_audio_track()->set_track_sid(answer.track.sid.value);
      else
        out.mutable_update_video_track()->set_track_sid(answer.track.sid.value);
      return;
    case domain::RequestKind::Subscription:
      return;  // the protocol has no case for it
  }
}

}  // namespace

Serialiser::Serialiser(ServerInfo server) : server_(std::move(server)) {}

Message Serialiser::finish(const pb::SignalResponse& response) {
  const auto verdict = check_outgoing(response);
  auto bytes = std::make_shared<std::string>();
  const bool encoded = verdict.has_value() && response.SerializeToString(bytes.get());
  if (encoded) return bytes;
  ++refused_;
  last_refusal_ = verdict ? "the message is too large" : verdict.error().what;
  return nullptr;
}

Message Serialiser::join(const domain::JoinAccepted& accepted) {
  pb::SignalResponse response;
  pb::JoinResponse& join = *response.mutable_join();
  fill(accepted.room, *join.mutable_room());
  fill(accepted.self, *join.mutable_participant());
  for (const auto& other : accepted.others) fill(*other, *join.add_other_participants());
  join.set_server_version(server_.version);
  join.set_server_region(server_.region);
  fill_server(server_, *join.mutable_server_info());
  join.set_ping_interval(server_.ping_interval_s);
  join.set_ping_timeout(server_.ping_timeout_s);
  // One peer connection, which only the client offers on: no subscriber that could be primary.
  join.set_subscriber_primary(false);
  join.set_fast_publish(false);
  return finish(response);
}

Message Serialiser::reconnect(uint32_t last_message_sequence) {
  pb::SignalResponse response;
  fill_server(server_, *response.mutable_reconnect()->mutable_server_info());
  response.mutable_reconnect()->set_last_message_seq(last_message_sequence);
  return finish(response);
}

Message Serialiser::answer(std::string_view sdp, uint32_t id,
                           const std::map<std::string, std::string>& mid_to_track) {
  pb::SignalResponse response;
  pb::SessionDescription& answer = *response.mutable_answer();
  answer.set_type("answer");
  answer.set_sdp(sdp.data(), sdp.size());
  answer.set_id(id);
  for (const auto& [mid, track] : mid_to_track) (*answer.mutable_mid_to_track_id())[mid] = track;
  return finish(response);
}

Message Serialiser::media_sections_requirement(uint32_t audios, uint32_t videos) {
  pb::SignalResponse response;
  // In a very large room more is wanted than a description may have: ask for what it may.
  constexpr auto kMost = static_cast<uint32_t>(limits::kSdpSectionsMax);
  response.mutable_media_sections_requirement()->set_num_audios(std::min(audios, kMost));
  response.mutable_media_sections_requirement()->set_num_videos(std::min(videos, kMost));
  return finish(response);
}

Message Serialiser::participant_update(Views participants) {
  pb::SignalResponse response;
  pb::ParticipantUpdate& update = *response.mutable_update();
  for (const auto& participant : participants) fill(*participant, *update.add_participants());
  return finish(response);
}

Message Serialiser::room_update(const domain::RoomView& room) {
  pb::SignalResponse response;
  fill(room, *response.mutable_room_update()->mutable_room());
  return finish(response);
}

Message Serialiser::speakers_changed(std::span<const Speaker> speakers) {
  pb::SignalResponse response;
  pb::SpeakersChanged& changed = *response.mutable_speakers_changed();
  for (const Speaker& speaker : speakers) {
    pb::SpeakerInfo& info = *changed.add_speakers();
    info.set_sid(speaker.participant.value);
    info.set_level(speaker.level);
    info.set_active(speaker.active);
  }
  return finish(response);
}

Message Serialiser::connection_quality(std::span<const ConnectionQuality> updates) {
  pb::SignalResponse response;
  pb::ConnectionQualityUpdate& update = *response.mutable_connection_quality();
  for (const ConnectionQuality& quality : updates) {
    pb::ConnectionQualityInfo& info = *update.add_updates();
    info.set_participant_sid(quality.participant.value);
    info.set_quality(quality_to_pb(quality.quality));
    info.set_score(quality.score);
  }
  return finish(response);
}

Message Serialiser::track_published(const domain::TrackView& track) {
  pb::SignalResponse response;
  response.mutable_track_published()->set_cid(track.cid);
  fill(track, *response.mutable_track_published()->mutable_track());
  return finish(response);
}

Message Serialiser::track_unpublished(const TrackSid& track) {
  pb::SignalResponse response;
  response.mutable_track_unpublished()->set_track_sid(track.value);
  return finish(response);
}

Message Serialiser::track_subscribed(const TrackSid& track) {
  pb::SignalResponse response;
  response.mutable_track_subscribed()->set_track_sid(track.value);
  return finish(response);
}

Message Serialiser::mute(const TrackSid& track, bool muted) {
  pb::SignalResponse response;
  response.mutable_mute()->set_sid(track.value);
  response.mutable_mute()->set_muted(muted);
  return finish(response);
}

Message Serialiser::subscription_response(const TrackSid& track) {
  pb::SignalResponse response;
  response.mutable_subscription_response()->set_track_sid(track.value);
  response.mutable_subscription_response()->set_err(pb::SE_TRACK_NOTFOUND);
  return finish(response);
}

Message Serialiser::subscription_permission_update(const ParticipantSid& publisher,
                                                   const TrackSid& track, bool allowed) {
  pb::SignalResponse response;
  pb::SubscriptionPermissionUpdate& update = *response.mutable_subscription_permission_update();
  update.set_participant_sid(publisher.value);
  update.set_track_sid(track.value);
  update.set_allowed(allowed);
  return finish(response);
}

Message Serialiser::request_response(const domain::RequestAnswer& answer) {
  pb::SignalResponse response;
  pb::RequestResponse& out = *response.mutable_request_response();
  out.set_request_id(answer.request_id);
  out.set_reason(to_pb(answer.outcome));
  out.set_message(answer.message);
  fill_request(answer, out);
  return finish(response);
}

Message Serialiser::unsupported(const Unsupported& request) {
  pb::SignalResponse response;
  pb::RequestResponse& out = *response.mutable_request_response();
  out.set_request_id(request.request_id);
  out.set_reason(pb::RequestResponse::UNSUPPORTED_TYPE);
  out.set_message("not served here");
  if (request.variant == pb::SignalRequest::kPublishDataTrack)
    out.set_publish_data_track(request.echo);
  if (request.variant == pb::SignalRequest::kUnpublishDataTrack)
    out.set_unpublish_data_track(request.echo);
  return finish(response);
}

Message Serialiser::pong(Now now) {
  pb::SignalResponse response;
  response.set_pong(unix_ms(now.wall));
  return finish(response);
}

Message Serialiser::pong_resp(const PingRequest& request, Now now) {
  pb::SignalResponse response;
  response.mutable_pong_resp()->set_last_ping_timestamp(request.timestamp_ms);
  response.mutable_pong_resp()->set_timestamp(unix_ms(now.wall));
  return finish(response);
}

Message Serialiser::refresh_token(std::string_view token) {
  pb::SignalResponse response;
  response.set_refresh_token(token.data(), token.size());
  return finish(response);
}

Message Serialiser::leave(domain::LeaveReason reason, domain::LeaveAction action) {
  pb::SignalResponse response;
  pb::LeaveRequest& leave = *response.mutable_leave();
  leave.set_reason(to_pb(reason));
  leave.set_action(to_pb(action));
  leave.set_can_reconnect(action != domain::LeaveAction::Disconnect);
  return finish(response);
}

Message Serialiser::leave(const domain::Notice& notice) {
  return leave(leave_reason(notice.code), domain::LeaveAction::Disconnect);
}

}  // namespace atrium::signal
