// Serialiser: the one place where messages to clients are made.  Owner: the control thread's node.
// Every message passes the rules of docs/protocol/signalling.md ("what must never be sent") before
// it leaves: native SDKs abort their process on a bad one.  A message that breaks a rule comes back
// as nullptr and is counted; the caller sends nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/signal/decode.h"
#include "base/limits.h"
#include "domain/effect.h"

namespace atrium::signal {

namespace pb {
class SignalResponse;
}

// One binary WebSocket frame, shared between its recipients.
using Message = std::shared_ptr<const std::string>;

struct ServerInfo {
  // Not our product's version: browser SDKs refuse an empty one and gate features on it as on the reference server's.
  std::string version = "1.9.0";
  std::string region;
  std::string node_id;
  int32_t protocol = 15;  // informational
  int32_t ping_interval_s = limits::kPingIntervalS, ping_timeout_s = limits::kPingTimeoutS;
};

struct Speaker {
  ParticipantSid participant;
  float level = 0;  // 0 to 1
  bool active = false;
};
enum class Quality : uint8_t { Poor, Good, Excellent, Lost };
struct ConnectionQuality {
  ParticipantSid participant;
  Quality quality = Quality::Excellent;
  float score = 0;  // 0 to 5
};

class Serialiser {
 public:
  explicit Serialiser(ServerInfo server);

  // --- first messages
  Message join(const domain::JoinAccepted& accepted);
  Message reconnect(uint32_t last_message_sequence = 0);

  // --- descriptions
  Message answer(std::string_view sdp, uint32_t id,
                 const std::map<std::string, std::string>& mid_to_track);
  Message media_sections_requirement(uint32_t audios, uint32_t videos);

  // --- people and rooms
  using Views = std::span<const std::shared_ptr<const domain::ParticipantView>>;
  Message participant_update(Views participants);
  Message room_update(const domain::RoomView& room);
  Message speakers_changed(std::span<const Speaker> speakers);
  Message connection_quality(std::span<const ConnectionQuality> updates);

  // --- tracks
  Message track_published(const domain::TrackView& track);  // its cid is named in the answer
  Message track_unpublished(const TrackSid& track);
  Message track_subscribed(const TrackSid& track);
  Message mute(const TrackSid& track, bool muted);
  Message subscription_response(const TrackSid& track);  // failed: track not found
  Message subscription_permission_update(const ParticipantSid& publisher, const TrackSid& track,
                                         bool allowed);

  // --- answers and renewal
  Message request_response(const domain::RequestAnswer& answer);
  Message unsupported(const Unsupported& request);
  Message pong(Now now);
  Message pong_resp(const PingRequest& request, Now now);
  Message refresh_token(std::string_view token);

  // --- endings
  Message leave(domain::LeaveReason reason, domain::LeaveAction action);
  Message leave(const domain::Notice& notice);  // action Disconnect, reason by the notice's code

  uint64_t refused() const { return refused_; }  // messages never sent: each one is a bug of ours
  // The rule that the latest of them broke; "" when none.
  const char* last_refusal() const { return last_refusal_; }

 private:
  Message finish(const pb::SignalResponse& response);

  const ServerInfo server_;
  uint64_t refused_ = 0;
  const char* last_refusal_ = "";
};

}  // namespace atrium::signal
