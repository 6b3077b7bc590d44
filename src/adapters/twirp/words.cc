#include "adapters/twirp/words.h"

namespace atrium::twirp {
namespace {

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

pb::VideoQuality to_pb(domain::VideoQuality quality) {
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

// The numbers are the same; Unknown stays for those that have no name here.
domain::TrackSource from_pb(int source) {
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

void fill_layer(const domain::VideoLayer& layer, int index, pb::VideoLayer& out) {
  out.set_quality(to_pb(layer.quality));
  out.set_width(layer.width);
  out.set_height(layer.height);
  out.set_bitrate(layer.bitrate_bps);
  out.set_rid(layer.rid);
  out.set_spatial_layer(index);
}

void fill_codec(const domain::TrackView& view, pb::SimulcastCodecInfo& codec) {
  codec.set_mime_type(view.mime);
  codec.set_mid(view.mid);
  codec.set_cid(view.cid);
  int index = 0;
  for (const domain::VideoLayer& layer : view.layers)
    fill_layer(layer, index++, *codec.add_layers());
}

void fill(const domain::Permissions& permissions, pb::ParticipantPermission& out) {
  out.set_can_publish(permissions.can_publish);
  out.set_can_subscribe(permissions.can_subscribe);
  out.set_can_publish_data(permissions.can_publish_data);
  out.set_can_update_metadata(permissions.can_update_metadata);
  out.set_hidden(permissions.hidden);
  for (const domain::TrackSource source : permissions.publish_sources)
    out.add_can_publish_sources(to_pb(source));
}

uint32_t seconds(Duration span) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(span).count());
}

}  // namespace

void fill(const domain::RoomView& view, pb::Room& room) {
  room.set_sid(view.sid.value);
  room.set_name(view.room.value);
  room.set_empty_timeout(seconds(view.empty_timeout));
  room.set_departure_timeout(seconds(view.departure_timeout));
  room.set_max_participants(view.max_participants);
  room.set_creation_time(unix_s(view.created_at));
  room.set_creation_time_ms(unix_ms(view.created_at));
  room.set_metadata(view.metadata);
  room.set_num_participants(view.num_participants);
  room.set_num_publishers(view.num_publishers);
}

void fill(const domain::TrackView& view, pb::TrackInfo& info) {
  info.set_sid(view.sid.value);
  info.set_type(view.kind == domain::TrackKind::Audio ? pb::AUDIO : pb::VIDEO);
  info.set_name(view.name);
  info.set_muted(view.muted);
  info.set_width(view.width);
  info.set_height(view.height);
  info.set_simulcast(view.simulcast);
  info.set_disable_dtx(view.disable_dtx);
  info.set_source(to_pb(view.source));
  int index = 0;
  for (const domain::VideoLayer& layer : view.layers)
    fill_layer(layer, index++, *info.add_layers());
  info.set_mime_type(view.mime);
  info.set_mid(view.mid);
  if (view.live) fill_codec(view, *info.add_codecs());
  info.set_stereo(view.stereo);
  info.set_disable_red(view.disable_red);
  info.set_encryption(static_cast<pb::TrackInfo::Encryption>(view.encryption));
  info.set_stream(view.stream);
  info.mutable_version()->set_ticks(static_cast<int32_t>(view.version));
  for (const uint8_t feature : view.audio_features)
    info.add_audio_features(static_cast<pb::AudioTrackFeature>(feature));
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
  fill(view.permissions, *info.mutable_permission());
  info.set_is_publisher(view.is_publisher);
  info.set_kind(pb::ParticipantInfo::STANDARD);
  for (const auto& [name, value] : view.attributes) (*info.mutable_attributes())[name] = value;
  info.set_client_protocol(view.client_protocol);
}

domain::Permissions read_permissions(const pb::ParticipantPermission& permission) {
  domain::Permissions out{.can_publish = permission.can_publish(),
                          .can_subscribe = permission.can_subscribe(),
                          .can_publish_data = permission.can_publish_data(),
                          .can_update_metadata = permission.can_update_metadata(),
                          .publish_sources = {}};
  for (const int number : permission.can_publish_sources())
    if (const domain::TrackSource source = from_pb(number); source != domain::TrackSource::Unknown)
      out.publish_sources.push_back(source);
  // A list restricts; one that names nothing known here allows nothing, as in tokens.
  if (permission.can_publish_sources_size() > 0 && out.publish_sources.empty())
    out.can_publish = false;
  return out;
}

}  // namespace atrium::twirp
