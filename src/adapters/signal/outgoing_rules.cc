#include "adapters/signal/outgoing_rules.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "adapters/signal/text.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using Verdict = Result<void>;

constexpr size_t kSidCharactersMin = 12;  // the reference server's; ours have 17

std::unexpected<Error> broken(const char* rule) {
  return fail(ErrorKind::Internal, rule);
}

bool is_base62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool is_track_sid(std::string_view text) {
  return is_sid(text, kTrackPrefix);
}
bool is_participant_sid(std::string_view text) {
  return is_sid(text, kParticipantPrefix);
}

template <typename... Texts>
bool are_utf8(const Texts&... texts) {
  return (is_utf8(texts) && ...);
}

// --- tracks --------------------------------------------------------------------------------------

Verdict check_layers(const pb::TrackInfo& track) {
  for (const pb::VideoLayer& layer : track.layers()) {
    if (!pb::VideoQuality_IsValid(layer.quality())) return broken("a layer has an unknown quality");
    if (!is_utf8(layer.rid())) return broken("a string is not UTF-8");
  }
  return {};
}

Verdict check_track(const pb::TrackInfo& track) {
  if (!is_track_sid(track.sid())) return broken("a track's sid is not TR_…");
  if (track.type() != pb::AUDIO && track.type() != pb::VIDEO)
    return broken("a track is neither audio nor video");
  if (!pb::TrackSource_IsValid(track.source())) return broken("a track has an unknown source");
  if (!pb::TrackInfo_Encryption_IsValid(track.encryption()))
    return broken("a track has an unknown encryption");
  const std::string_view family = track.type() == pb::AUDIO ? "audio/" : "video/";
  if (!track.mime_type().empty() && !track.mime_type().starts_with(family))
    return broken("a track's mime type is of the wrong family");
  if (!are_utf8(track.name(), track.stream(), track.mime_type(), track.mid()))
    return broken("a string is not UTF-8");
  return check_layers(track);
}

// A track that others, or its own publisher, are told to be there.
Verdict check_live_track(const pb::TrackInfo& track) {
  TRY(check_track(track));
  if (track.mime_type().empty()) return broken("a published track has no mime type");
  return {};
}

Verdict check_tracks(const pb::ParticipantInfo& participant) {
  const auto& tracks = participant.tracks();
  for (auto track = tracks.begin(); track != tracks.end(); ++track) {
    TRY(check_live_track(*track));
    const auto is_same = [&](const pb::TrackInfo& other) { return other.sid() == track->sid(); };
    if (std::any_of(tracks.begin(), track, is_same))
      return broken("a track stands twice in one snapshot");
  }
  return {};
}

// --- people and rooms ----------------------------------------------------------------------------

Verdict check_attributes(const pb::ParticipantInfo& participant) {
  for (const auto& [name, value] : participant.attributes())
    if (!are_utf8(name, value)) return broken("a string is not UTF-8");
  return {};
}

Verdict check_participant(const pb::ParticipantInfo& participant) {
  if (!is_participant_sid(participant.sid())) return broken("a participant's sid is not PA_…");
  if (participant.identity().empty()) return broken("a participant has no identity");
  if (participant.version() == 0) return broken("a participant's version is 0");
  if (!participant.has_permission()) return broken("a participant has no permission");
  if (!pb::ParticipantInfo_State_IsValid(participant.state()))
    return broken("a participant's state is unknown");
  if (!pb::DisconnectReason_IsValid(participant.disconnect_reason()))
    return broken("an unknown disconnect reason");
  if (!are_utf8(participant.identity(), participant.name(), participant.metadata(),
                participant.region()))
    return broken("a string is not UTF-8");
  TRY(check_attributes(participant));
  return check_tracks(participant);
}

template <typename Participants>
Verdict check_participants(const Participants& participants) {
  for (const pb::ParticipantInfo& participant : participants) TRY(check_participant(participant));
  return {};
}

Verdict check_room(bool has_room, const pb::Room& room) {
  if (!has_room) return broken("the room is absent");
  if (!is_sid(room.sid(), kRoomPrefix)) return broken("a room's sid is not RM_…");
  if (room.name().empty()) return broken("a room has no name");
  if (!are_utf8(room.name(), room.metadata())) return broken("a string is not UTF-8");
  return {};
}

Verdict check_join(const pb::SignalResponse& response) {
  const pb::JoinResponse& join = response.join();
  TRY(check_room(join.has_room(), join.room()));
  if (!join.has_participant()) return broken("a join without the participant");
  TRY(check_participant(join.participant()));
  TRY(check_participants(join.other_participants()));
  if (join.ping_interval() <= 0 || join.ping_timeout() <= 0)
    return broken("ping interval or timeout is not above 0");
  if (join.ping_timeout() <= join.ping_interval())
    return broken("the ping timeout is within the interval");
  if (join.server_version().empty() || join.server_info().version().empty())
    return broken("the server's version is empty");
  for (const pb::IceServer& server : join.ice_servers())
    if (server.urls().empty()) return broken("an ICE server without URLs");
  return {};
}

Verdict check_reconnect(const pb::SignalResponse& response) {
  if (response.reconnect().server_info().version().empty())
    return broken("the server's version is empty");
  return {};
}

Verdict check_update(const pb::SignalResponse& response) {
  if (response.update().participants().empty()) return broken("an update about nobody");
  return check_participants(response.update().participants());
}

Verdict check_room_update(const pb::SignalResponse& response) {
  return check_room(response.room_update().has_room(), response.room_update().room());
}

Verdict check_speakers(const pb::SignalResponse& response) {
  for (const pb::SpeakerInfo& speaker : response.speakers_changed().speakers()) {
    if (!is_participant_sid(speaker.sid())) return broken("a speaker's sid is not PA_…");
    if (!(speaker.level() >= 0 && speaker.level() <= 1))
      return broken("a speaker's level is not within 0 and 1");
  }
  return {};
}

Verdict check_quality(const pb::SignalResponse& response) {
  for (const pb::ConnectionQualityInfo& info : response.connection_quality().updates()) {
    if (!is_participant_sid(info.participant_sid()))
      return broken("a connection quality's sid is not PA_…");
    if (!pb::ConnectionQuality_IsValid(info.quality()))
      return broken("an unknown connection quality");
    if (!std::isfinite(info.score())) return broken("a connection quality's score is not a number");
  }
  return {};
}

// --- descriptions and candidates -----------------------------------------------------------------

Verdict check_description(const pb::SessionDescription& description, std::string_view type) {
  if (description.type() != type)
    return broken("a description's type is not its variant's, in lower case");
  if (!description.sdp().starts_with("v=0\r\n")) return broken("a description is not SDP");
  if (!is_utf8(description.sdp())) return broken("a string is not UTF-8");
  for (const auto& [mid, track] : description.mid_to_track_id()) {
    if (mid.empty() || !is_utf8(mid)) return broken("mid_to_track_id has a bad mid");
    if (!is_track_sid(track)) return broken("mid_to_track_id names no TR_…");
  }
  return {};
}
Verdict check_answer(const pb::SignalResponse& response) {
  return check_description(response.answer(), "answer");
}
Verdict check_offer(const pb::SignalResponse& response) {
  return check_description(response.offer(), "offer");
}

// RTCIceCandidateInit with everything that native SDKs take for granted.  There is no end-of-candidates for them.
Verdict check_trickle(const pb::SignalResponse& response) {
  boost::json::error_code error;
  const auto value = boost::json::parse(response.trickle().candidateinit(), error);
  if (error || !value.is_object()) return broken("a candidate is not a JSON object");
  const auto& init = value.get_object();
  const auto* candidate = init.if_contains("candidate");
  const auto* mid = init.if_contains("sdpMid");
  const auto* index = init.if_contains("sdpMLineIndex");
  if (candidate == nullptr || !candidate->is_string() || candidate->get_string().empty())
    return broken("a candidate is null or empty");
  if (mid == nullptr || !mid->is_string()) return broken("a candidate has no sdpMid");
  if (index == nullptr || !index->is_int64() || index->get_int64() < 0)
    return broken("a candidate has no sdpMLineIndex");
  return {};
}

Verdict check_sections(const pb::SignalResponse& response) {
  const auto& sections = response.media_sections_requirement();
  if (sections.num_audios() > limits::kSdpSectionsMax ||
      sections.num_videos() > limits::kSdpSectionsMax)
    return broken("more sections are asked for than a description may have");
  return {};
}

// --- answers and endings -------------------------------------------------------------------------

Verdict check_track_published(const pb::SignalResponse& response) {
  if (response.track_published().cid().empty()) return broken("track_published without a cid");
  if (!response.track_published().has_track()) return broken("track_published without the track");
  if (!is_utf8(response.track_published().cid())) return broken("a string is not UTF-8");
  return check_track(response.track_published().track());
}

Verdict check_leave(const pb::SignalResponse& response) {
  const pb::LeaveRequest& leave = response.leave();
  if (!pb::LeaveRequest_Action_IsValid(leave.action())) return broken("an unknown leave action");
  if (!pb::DisconnectReason_IsValid(leave.reason())) return broken("an unknown disconnect reason");
  if (leave.can_reconnect() != (leave.action() != pb::LeaveRequest::DISCONNECT))
    return broken("can_reconnect contradicts the action");
  const bool is_removal = leave.reason() == pb::ROOM_DELETED ||
                          leave.reason() == pb::PARTICIPANT_REMOVED ||
                          leave.reason() == pb::DUPLICATE_IDENTITY;
  if (is_removal && leave.can_reconnect()) return broken("a removal that invites back");
  return {};
}

Verdict check_mute(const pb::SignalResponse& response) {
  if (!is_track_sid(response.mute().sid())) return broken("a track's sid is not TR_…");
  return {};
}
Verdict check_unpublished(const pb::SignalResponse& response) {
  if (!is_track_sid(response.track_unpublished().track_sid()))
    return broken("a track's sid is not TR_…");
  return {};
}
Verdict check_subscribed(const pb::SignalResponse& response) {
  if (!is_track_sid(response.track_subscribed().track_sid()))
    return broken("a track's sid is not TR_…");
  return {};
}
Verdict check_subscription_permission(const pb::SignalResponse& response) {
  const auto& update = response.subscription_permission_update();
  if (!is_participant_sid(update.participant_sid()))
    return broken("a participant's sid is not PA_…");
  if (!is_track_sid(update.track_sid())) return broken("a track's sid is not TR_…");
  return {};
}
Verdict check_subscription_response(const pb::SignalResponse& response) {
  if (!is_track_sid(response.subscription_response().track_sid()))
    return broken("a track's sid is not TR_…");
  if (!pb::SubscriptionError_IsValid(response.subscription_response().err()))
    return broken("an unknown subscription error");
  return {};
}
Verdict check_request_response(const pb::SignalResponse& response) {
  const pb::RequestResponse& answer = response.request_response();
  if (!pb::RequestResponse_Reason_IsValid(answer.reason()))
    return broken("an unknown reason of a request_response");
  if (!is_utf8(answer.message())) return broken("a string is not UTF-8");
  return {};
}

Verdict check_refresh_token(const pb::SignalResponse& response) {
  const std::string& token = response.refresh_token();
  const auto is_header_character = [](char c) { return c > ' ' && c < '\x7f'; };
  if (token.empty() || !std::ranges::all_of(token, is_header_character))
    return broken("a token that no HTTP header can carry");
  return {};
}
Verdict check_pong(const pb::SignalResponse& response) {
  if (response.pong() <= 0) return broken("a pong without the time");
  return {};
}
Verdict check_pong_resp(const pb::SignalResponse& response) {
  if (response.pong_resp().timestamp() <= 0) return broken("a pong without the time");
  return {};
}

struct Rule {
  pb::SignalResponse::MessageCase variant;
  Verdict (*check)(const pb::SignalResponse&);
};
// What is not in this table is not sent.
constexpr Rule kRules[] = {
    {pb::SignalResponse::kJoin, check_join},
    {pb::SignalResponse::kAnswer, check_answer},
    {pb::SignalResponse::kOffer, check_offer},
    {pb::SignalResponse::kTrickle, check_trickle},
    {pb::SignalResponse::kUpdate, check_update},
    {pb::SignalResponse::kTrackPublished, check_track_published},
    {pb::SignalResponse::kLeave, check_leave},
    {pb::SignalResponse::kMute, check_mute},
    {pb::SignalResponse::kSpeakersChanged, check_speakers},
    {pb::SignalResponse::kRoomUpdate, check_room_update},
    {pb::SignalResponse::kConnectionQuality, check_quality},
    {pb::SignalResponse::kSubscriptionPermissionUpdate, check_subscription_permission},
    {pb::SignalResponse::kRefreshToken, check_refresh_token},
    {pb::SignalResponse::kTrackUnpublished, check_unpublished},
    {pb::SignalResponse::kPong, check_pong},
    {pb::SignalResponse::kReconnect, check_reconnect},
    {pb::SignalResponse::kPongResp, check_pong_resp},
    {pb::SignalResponse::kSubscriptionResponse, check_subscription_response},
    {pb::SignalResponse::kRequestResponse, check_request_response},
    {pb::SignalResponse::kTrackSubscribed, check_subscribed},
    {pb::SignalResponse::kMediaSectionsRequirement, check_sections},
};

}  // namespace

bool is_sid(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) && text.size() >= prefix.size() + kSidCharactersMin &&
         std::ranges::all_of(text.substr(prefix.size()), is_base62);
}

Result<void> check_outgoing(const pb::SignalResponse& response) {
  for (const Rule& rule : kRules)
    if (rule.variant == response.message_case()) return rule.check(response);
  return broken("a message of a kind that is not sent");
}

}  // namespace atrium::signal
