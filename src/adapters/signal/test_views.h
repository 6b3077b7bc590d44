// Views and vectors for this folder's tests.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "adapters/signal/serialiser.h"
#include "base/crypto.h"
#include "domain/effect.h"
#include "livekit_signal.pb.h"

namespace atrium::signal::testing {

inline constexpr const char* kParticipant = "PA_0123456789abcdefg";
inline constexpr const char* kTrack = "TR_0123456789abcdefg";
inline constexpr const char* kOtherTrack = "TR_abcdefg0123456789";
inline constexpr const char* kRoom = "RM_0123456789abcdefg";
inline constexpr const char* kSdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\n";

inline domain::TrackView camera() {
  domain::TrackView track;
  track.sid = TrackSid(kTrack);
  track.kind = domain::TrackKind::Video;
  track.source = domain::TrackSource::Camera;
  track.cid = "cam-cid";
  track.name = "camera";
  track.mime = "video/VP8";
  track.mid = "7";
  track.simulcast = true;
  track.width = 1280, track.height = 720;
  track.layers = {{domain::VideoQuality::Low, 320, 180, 160'000, "q"},
                  {domain::VideoQuality::High, 1280, 720, 1'700'000, "f"}};
  track.live = true;
  return track;
}

inline domain::ParticipantView person() {
  domain::ParticipantView view;
  view.sid = ParticipantSid(kParticipant);
  view.user = UserId("alice");
  view.name = "Alice";
  view.metadata = "{}";
  view.attributes = {{"k", "v"}};
  view.state = domain::ParticipantState::Active;
  view.joined_at = wall_from_unix_ms(1'700'000'000'123);
  view.version = 3;
  view.is_publisher = true;
  view.client_protocol = 2;
  view.capabilities = {"CAP_PACKET_TRAILER", "9", "nonsense"};
  view.tracks = {camera()};
  return view;
}

inline domain::RoomView room() {
  domain::RoomView view;
  view.room = RoomId("room-1");
  view.sid = RoomSid(kRoom);
  view.created_at = wall_from_unix_ms(1'700'000'000'123);
  view.metadata = "m";
  view.num_participants = 2;
  view.num_publishers = 1;
  return view;
}

inline domain::JoinAccepted accepted() {
  domain::JoinAccepted effect;
  effect.self = person();
  effect.self.state = domain::ParticipantState::Joined;
  effect.self.tracks.clear();
  effect.room = room();
  auto other = person();
  other.sid = ParticipantSid("PA_abcdefg0123456789");
  other.user = UserId("bob");
  effect.others = {std::make_shared<const domain::ParticipantView>(std::move(other))};
  return effect;
}

inline pb::SignalResponse parsed(const Message& message) {
  pb::SignalResponse response;
  if (message == nullptr || !response.ParseFromString(*message)) response.Clear();
  return response;
}

inline std::string from_base64_text(std::string_view text) {
  const auto bytes = from_base64(text);
  return bytes ? std::string(as_text(*bytes)) : std::string();
}

}  // namespace atrium::signal::testing
