// The front door's words: request targets of the signalling endpoints, credentials, and the join_request parameter
// (base64url → WrappedJoinRequest → gzip → JoinRequest).  Pure.
// Does not: verify tokens (tokens.h), answer (refusal.h), serve the dual form's query options.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/signal/decode.h"
#include "adapters/signal/tokens.h"
#include "base/ids.h"
#include "base/result.h"
#include "domain/types.h"

namespace atrium::signal {

enum class Endpoint : uint8_t {
  Join,          // /rtc/v1, a WebSocket upgrade: single peer connection
  JoinValidate,  // /rtc/v1/validate, GET
  DualJoin,      // /rtc: not served, dual_form_not_served() of refusal.h
  DualValidate,  // /rtc/validate: likewise
};

struct Target {
  Endpoint endpoint = Endpoint::Join;
  std::optional<RoomId> path_room;  // of the prefix /r/<RoomId>, percent-decoded
  bool has_bad_prefix = false;      // the prefix does not decode, or is empty: -1007
  std::string query;                // after '?', still encoded
};

// nullopt: not a signalling endpoint.
std::optional<Target> parse_target(std::string_view request_target);

// The token as presented, decoded: `Authorization: Bearer …` where given, else the query's access_token; empty: none.
std::string presented_token(const Target& target, std::string_view authorization_header);

enum class ReconnectReason : uint8_t {
  Unknown,
  SignalDisconnected,
  PublisherFailed,
  SubscriberFailed,
  SwitchCandidate
};

// For operators and for quirks.
struct ClientInfo {
  std::string sdk;  // "js", "node", …; "unknown"
  std::string version, os, os_version, device_model, browser, browser_version, network;
  int32_t protocol = 0;                   // signalling version
  int32_t client_protocol = 0;            // relayed to others
  std::vector<std::string> capabilities;  // "CAP_PACKET_TRAILER"; a number where we know no name
};

struct JoinParameters {
  ClientInfo client;
  bool auto_subscribe = true;
  bool adaptive_stream = false;
  bool disable_ice_lite = false;
  bool subscriber_allow_pause = false;
  std::string metadata;                           // used where the token grants can_update_metadata
  std::map<std::string, std::string> attributes;  // likewise
  std::optional<ClientOffer> publisher_offer;     // Firefox sends it later instead
  std::vector<domain::AddTrack>
      add_tracks;  // participant sid empty: to be filled in when there is one
  bool is_reconnect = false;
  ReconnectReason reconnect_reason = ReconnectReason::Unknown;
  ParticipantSid participant;  // is_reconnect: who the client says it was
  std::optional<SyncState> sync_state;
};

// Malformed: join_request is missing, does not decode, or lacks a needed part.  LimitExceeded: kJoinRequestInflatedMax,
// kSignalStructureBytesMax, kSdpBytesMax.  Either is a 400 (refusal.h); ask for the token first.
Result<JoinParameters> parse_join_parameters(const Target& target);

// The person at the door, for domain::Join, Resume and RenewToken.
domain::Joiner make_joiner(const VerifiedToken& token, const JoinParameters& parameters);

}  // namespace atrium::signal
