// What clients say over the WebSocket: one SignalRequest per binary frame, decoded to plain values, where possible to
// domain commands.  Pure.  Unknown fields are ignored; unknown variants come out as Unsupported, never as errors.
// Does not: decide anything; look into SDP, candidates or metadata.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "domain/command.h"
#include "domain/effect.h"

namespace atrium::signal {

struct ClientOffer {
  std::string sdp;
  uint32_t id = 0;  // to be echoed by the answer
};
struct ClientAnswer {
  std::string sdp;
  uint32_t id = 0;
};
// A remote candidate as the client's JSON text.  An ICE-lite server may ignore it.
struct Trickle {
  bool to_subscriber = false;  // the second peer connection of the dual form
  std::string candidate_json;
  bool is_final = false;
};
// rids of a publication, lowest first; empty when it is one plain stream.  For negotiation::PendingTrack.
std::vector<std::string> layer_rids(const domain::TrackView& track);

// What a resuming client believes.
struct SyncState {
  struct Publication {
    std::string cid;
    TrackSid track;
  };
  struct ReceiveState {
    ParticipantSid publisher;
    uint32_t last_sequence = 0;
  };
  bool subscribe = true;  // meaning of `subscriptions`: these and no others, or all but these
  std::vector<TrackSid> subscriptions;
  std::vector<Publication> publications;     // one that is unknown here asks for a full reconnect
  std::vector<TrackSid> disabled;            // track_setting{disabled} in force
  std::vector<ReceiveState> receive_states;  // reliable data
  std::vector<std::string> data_channels;    // labels
};
struct Simulate {
  enum class Scenario : uint8_t {
    SpeakerUpdate,  // value: seconds
    NodeFailure,
    Migration,
    ServerLeave,
    SwitchCandidateProtocol,  // value: 0 UDP, 1 TCP, 2 TLS
    SubscriberBandwidth,      // value: bit/s
    DisconnectSignalOnResume,
    DisconnectSignalOnResumeNoMessages,
    LeaveRequestFullReconnect,
  };
  Scenario scenario = Scenario::NodeFailure;
  int64_t value = 0;
};
// Answered by Serialiser::pong.
struct Ping {
  int64_t timestamp_ms = 0;
};
// Answered by Serialiser::pong_resp.
struct PingRequest {
  int64_t timestamp_ms = 0, rtt_ms = 0;
};
// Well-formed, but not to be had: `answer` is to be sent as it stands (Serialiser::request_response).
struct Refused {
  domain::RequestAnswer answer;
};
// A variant that is not served.  Where the client waits for a RequestResponse, Serialiser::unsupported makes it.
struct Unsupported {
  uint32_t variant = 0;  // its number in SignalRequest; 0: an empty request
  uint32_t request_id = 0;
  bool wants_answer = false;
  // Its encoded body, to be echoed in the answer (data tracks); may be empty.
  std::string echo = {};
};

using ClientMessage =
    std::variant<ClientOffer, ClientAnswer, Trickle, domain::AddTrack, domain::SetMuted,
                 domain::UpdateSubscription, domain::UpdateTrackSettings, domain::Leave,
                 domain::SubscriptionPermission, SyncState, Simulate, Ping, PingRequest,
                 domain::UpdateMetadata, domain::UpdateTrackInfo, Refused, Unsupported>;

// One binary frame.  Commands carry `participant`, the session whose socket it came on.
// Malformed: not a SignalRequest, a required part is missing.  LimitExceeded: beyond kSignalMessageBytesMax,
// kSignalStructureBytesMax, kSdpBytesMax or the length of a list or id.  The caller closes the socket on either.
// Lengths of metadata, name and attributes are the domain's to judge, since their refusal is an answer.
Result<ClientMessage> decode_client_message(std::string_view bytes,
                                            const ParticipantSid& participant);

}  // namespace atrium::signal
