#include "adapters/signal/words.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace atrium::signal {
namespace {

constexpr std::array<std::string_view, 15> kSdkNames{
    "unknown", "js",     "swift", "android",   "flutter", "go",     "unity", "react-native",
    "rust",    "python", "cpp",   "unity-web", "node",    "unreal", "esp32"};
constexpr std::array<std::string_view, 3> kCapabilityNames{"CAP_UNUSED", "CAP_PACKET_TRAILER",
                                                           "CAP_COMPRESSION_DEFLATE_RAW"};

pb::VideoQuality to_pb_quality(domain::VideoQuality quality) {
  switch (quality) {
    case domain::VideoQuality::Low:
      return pb::LOW;
    case domain::VideoQuality::Medium:
      return pb::MEDIUM;
    case domain::VideoQuality::High:
      return pb::HIGH;
    case domain::VideoQuality::Off:
      return pb::OFF;
  }
  return pb::HIGH;
}

void fill_layer(const domain::VideoLayer& layer, int index, pb::VideoLayer& out) {
  out.set_quality(to_pb_quality(layer.quality));
  out.set_width(layer.width);
  out.set_height(layer.height);
  out.set_bitrate(layer.bitrate_bps);
  out.set_rid(layer.rid);
  out.set_spatial_layer(index);
}

template <typename Message>
void fill_layers(const domain::TrackView& view, Message& out) {
  for (size_t i = 0; i < view.layers.size(); ++i)
    fill_layer(view.layers[i], static_cast<int>(i), *out.add_layers());
}

template <typename Message>
void fill_features(const domain::TrackView& view, Message& out) {
  for (uint8_t feature : view.audio_features)
    out.add_audio_features(static_cast<pb::AudioTrackFeature>(feature));
}

// What a live track is sent as.  Clients read simulcast layers and the codec from here.
void fill_codec(const domain::TrackView& view, pb::SimulcastCodecInfo& codec) {
  codec.set_mime_type(view.mime);
  codec.set_mid(view.mid);
  codec.set_cid(view.cid);
  if (view.kind != domain::TrackKind::Video) return;
  fill_layers(view, codec);
  codec.set_video_layer_mode(pb::VideoLayer::ONE_SPATIAL_LAYER_PER_STREAM);
}

void fill_permission(const domain::Permissions& permissions, pb::ParticipantPermission& out) {
  out.set_can_publish(permissions.can_publish);
  out.set_can_subscribe(permissions.can_subscribe);
  out.set_can_publish_data(permissions.can_publish_data);
  out.set_can_update_metadata(permissions.can_update_metadata);
  out.set_hidden(permissions.hidden);
  for (domain::TrackSource source : permissions.publish_sources)
    out.add_can_publish_sources(to_pb(source));
}

}  // namespace

pb::TrackType to_pb(domain::TrackKind kind) {
  return kind == domain::TrackKind::Audio ? pb::AUDIO : pb::VIDEO;
}

pb::TrackSource to_pb(domain::TrackSource source) {
  switch (source) {
    case domain::TrackSource::Unknown:
      return pb::UNKNOWN;
    case domain::TrackSource::Camera:
      return pb::CAMERA;
    case domain::TrackSource::Microphone:
      return pb::MICROPHONE;
    case domain::TrackSource::ScreenShare:
      return pb::SCREEN_SHARE;
    case domain::TrackSource::ScreenShareAudio:
      return pb::SCREEN_SHARE_AUDIO;
  }
  return pb::UNKNOWN;
}

pb::ParticipantInfo::State to_pb(domain::ParticipantState state) {
  switch (state) {
    case domain::ParticipantState::Joining:
      return pb::ParticipantInfo::JOINING;
    case domain::ParticipantState::Joined:
      return pb::ParticipantInfo::JOINED;
    case domain::ParticipantState::Active:
      return pb::ParticipantInfo::ACTIVE;
    case domain::ParticipantState::Disconnected:
      return pb::ParticipantInfo::DISCONNECTED;
  }
  return pb::ParticipantInfo::DISCONNECTED;
}

// ROOM_DELETED is -1011 and nothing else (DESIGN section 1).
pb::DisconnectReason to_pb(domain::LeaveReason reason) {
  switch (reason) {
    case domain::LeaveReason::None:
      return pb::UNKNOWN_REASON;
    case domain::LeaveReason::UserLeave:
      return pb::CLIENT_INITIATED;
    case domain::LeaveReason::ConnectionLost:
      return pb::CONNECTION_TIMEOUT;
    case domain::LeaveReason::DuplicateLogin:
      return pb::DUPLICATE_IDENTITY;
    case domain::LeaveReason::KickedByAdmin:
      return pb::PARTICIPANT_REMOVED;
    case domain::LeaveReason::RoomDismissed:
      return pb::ROOM_DELETED;
    case domain::LeaveReason::TokenExpired:
      return pb::PARTICIPANT_REMOVED;
    case domain::LeaveReason::JoinTimeout:
      return pb::JOIN_FAILURE;
    case domain::LeaveReason::RoomClosed:
      return pb::ROOM_CLOSED;
    case domain::LeaveReason::ServerShutdown:
      return pb::SERVER_SHUTDOWN;
    case domain::LeaveReason::MediaFailure:
      return pb::MEDIA_FAILURE;
    case domain::LeaveReason::StateMismatch:
      return pb::STATE_MISMATCH;
  }
  return pb::UNKNOWN_REASON;
}

pb::LeaveRequest::Action to_pb(domain::LeaveAction action) {
  switch (action) {
    case domain::LeaveAction::Disconnect:
      return pb::LeaveRequest::DISCONNECT;
    case domain::LeaveAction::Resume:
      return pb::LeaveRequest::RESUME;
    case domain::LeaveAction::Reconnect:
      return pb::LeaveRequest::RECONNECT;
  }
  return pb::LeaveRequest::DISCONNECT;
}

pb::RequestResponse::Reason to_pb(domain::RequestOutcome outcome) {
  switch (outcome) {
    case domain::RequestOutcome::Ok:
      return pb::RequestResponse::OK;
    case domain::RequestOutcome::NotFound:
      return pb::RequestResponse::NOT_FOUND;
    case domain::RequestOutcome::NotAllowed:
      return pb::RequestResponse::NOT_ALLOWED;
    case domain::RequestOutcome::LimitExceeded:
      return pb::RequestResponse::LIMIT_EXCEEDED;
    case domain::RequestOutcome::UnsupportedType:
      return pb::RequestResponse::UNSUPPORTED_TYPE;
    case domain::RequestOutcome::Invalid:
      return pb::RequestResponse::INVALID_REQUEST;
  }
  return pb::RequestResponse::UNCLASSIFIED_ERROR;
}

void fill(const domain::TrackView& view, pb::TrackInfo& info) {
  info.set_sid(view.sid.value);
  info.set_type(to_pb(view.kind));
  info.set_name(view.name);
  info.set_muted(view.muted);
  info.set_width(view.width);
  info.set_height(view.height);
  info.set_simulcast(view.simulcast);
  info.set_disable_dtx(view.disable_dtx);
  info.set_source(to_pb(view.source));
  fill_layers(view, info);
  info.set_mime_type(view.mime);
  info.set_mid(view.mid);
  if (view.live) fill_codec(view, *info.add_codecs());
  info.set_stereo(view.stereo);
  info.set_disable_red(view.disable_red);
  info.set_encryption(static_cast<pb::TrackInfo::Encryption>(view.encryption));
  info.set_stream(view.stream);
  info.mutable_version()->set_ticks(static_cast<int32_t>(view.version));
  fill_features(view, info);
}

void fill(const domain::ParticipantView& view, pb::ParticipantInfo& info) {
  info.set_sid(view.sid.value);
  info.set_identity(view.user.value);
  info.set_state(to_pb(view.state));
  for (const domain::TrackView& track : view.tracks) fill(track, *info.add_tracks());
  info.set_metadata(view.metadata);
  info.set_joined_at(unix_s(view.joined_at));
  info.set_joined_at_ms(unix_ms(view.joined_at));
  info.set_name(view.name);
  info.set_version(view.version);
  fill_permission(view.permissions, *info.mutable_permission());
  info.set_is_publisher(view.is_publisher);
  info.set_kind(pb::ParticipantInfo::STANDARD);
  for (const auto& [name, value] : view.attributes) (*info.mutable_attributes())[name] = value;
  if (view.state == domain::ParticipantState::Disconnected)
    info.set_disconnect_reason(to_pb(view.leave_reason));
  info.set_client_protocol(view.client_protocol);
  for (const std::string& name : view.capabilities)
    if (const auto number = capability_number(name))
      info.add_capabilities(static_cast<pb::ClientInfo::Capability>(*number));
}

void fill(const domain::RoomView& view, pb::Room& room) {
  room.set_sid(view.sid.value);
  room.set_name(view.room.value);
  room.set_creation_time(unix_s(view.created_at));
  room.set_creation_time_ms(unix_ms(view.created_at));
  room.set_metadata(view.metadata);
  room.set_num_participants(view.num_participants);
  room.set_num_publishers(view.num_publishers);
}

void fill(const domain::TrackView& view, pb::AddTrackRequest& request) {
  request.set_cid(view.cid);
  request.set_name(view.name);
  request.set_type(to_pb(view.kind));
  request.set_width(view.width);
  request.set_height(view.height);
  request.set_muted(view.muted);
  request.set_disable_dtx(view.disable_dtx);
  request.set_source(to_pb(view.source));
  fill_layers(view, request);
  request.set_stereo(view.stereo);
  request.set_disable_red(view.disable_red);
  request.set_encryption(static_cast<pb::TrackInfo::Encryption>(view.encryption));
  request.set_stream(view.stream);
  fill_features(view, request);
}

domain::TrackSource from_pb(pb::TrackSource source) {
  switch (source) {
    case pb::CAMERA:
      return domain::TrackSource::Camera;
    case pb::MICROPHONE:
      return domain::TrackSource::Microphone;
    case pb::SCREEN_SHARE:
      return domain::TrackSource::ScreenShare;
    case pb::SCREEN_SHARE_AUDIO:
      return domain::TrackSource::ScreenShareAudio;
    default:
      return domain::TrackSource::Unknown;  // proto3 enumerations are open
  }
}

domain::VideoQuality from_pb(pb::VideoQuality quality) {
  switch (quality) {
    case pb::LOW:
      return domain::VideoQuality::Low;
    case pb::MEDIUM:
      return domain::VideoQuality::Medium;
    case pb::OFF:
      return domain::VideoQuality::Off;
    default:
      return domain::VideoQuality::High;
  }
}

std::string sdk_name(pb::ClientInfo::Sdk sdk) {
  const auto index = static_cast<size_t>(sdk);
  return std::string(index < kSdkNames.size() ? kSdkNames[index] : kSdkNames[0]);
}

std::string capability_name(int number) {
  const auto index = static_cast<size_t>(number);
  return index < kCapabilityNames.size() ? std::string(kCapabilityNames[index])
                                         : std::to_string(number);
}

std::optional<int> capability_number(std::string_view name) {
  const auto known = std::ranges::find(kCapabilityNames, name);
  if (known != kCapabilityNames.end()) return static_cast<int>(known - kCapabilityNames.begin());
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number < 0) return std::nullopt;
  return number;
}

}  // namespace atrium::signal
