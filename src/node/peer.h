// Peer: one participant's peer connection as control sees it: its negotiation, its transport on a shard, and how
// section plans
// became media commands.  Owner: ControlPlane.  Thread: control.  Does not: decide who may publish or subscribe
// (domain does).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/secret_source.h"
#include "domain/types.h"
#include "media/types.h"
#include "negotiation/session.h"
#include "node/media_plane.h"

namespace atrium::node {

// Where each track of a life is known in the media core.
struct TrackEntry {
  TrackId id;
  ParticipantSid publisher;
  domain::TrackKind kind = domain::TrackKind::Audio;
  std::string codec;   // "opus", "VP8"
  std::string stream;  // sync group: named by the publisher, else by the source
};
using TrackTable = std::map<TrackSid, TrackEntry>;
using StreamTable = std::map<TrackSid, std::string>;  // sync groups by track

struct PeerOptions {
  ParticipantSid participant;
  RoomSid room_sid;
  UserId user;
  bool hidden = false;
  bool can_publish_data = true;
  std::string fingerprint;                // ours, "AB:CD:…"
  std::vector<SocketAddress> candidates;  // with the shard's port
};

class Peer {
 public:
  // `media` and `secrets` outlive the peer; `life` must be known to `media`.
  Peer(MediaPlane& media, SecretSource& secrets, LifeId life, PeerOptions options);

  // What an accepted offer changed, for the domain: publications found live, gone, and downlinks attached.
  struct OfferOutcome {
    std::string sdp;
    uint32_t id = 0;
    std::map<std::string, std::string> mid_to_track;
    struct Live {
      TrackSid track;
      std::string mime, mid;
    };
    std::vector<Live> live;
    std::vector<TrackSid> gone;
    std::vector<TrackSid> attached;
  };
  // Applies the offer: opens or restarts the transport and sends the media commands.  Nothing changes on error.
  Result<OfferOutcome> on_offer(std::string_view sdp, uint32_t id, TrackTable& tracks,
                                const StreamTable& streams);

  void add_pending_track(negotiation::PendingTrack track) {
    session_.add_pending_track(std::move(track));
  }
  void want_send(negotiation::WantedSend track) { session_.want_send(std::move(track)); }
  void stop_send(const TrackSid& track);
  void pause_forward(const TrackSid& track, bool paused,
                     uint8_t layer);  // layer: 0 lowest … 2 highest
  // The publication ended on our side: its uplink is forgotten and its section freed at the next offer.
  void stop_track(const TrackSid& track, TrackTable& tracks);

  // Asks for missing sections once per state; nullopt: nothing to ask, or an offer is still awaited.
  std::optional<negotiation::Session::Missing> take_requirement();
  // A client that resumed lost what was in flight: ask again.
  void forget_requirement() { requirement_outstanding_ = false; }

  // Ends the transport; the shard answers TransportClosed when there was one.
  bool close_transport();
  bool has_transport() const { return transport_.has_value(); }
  TransportId transport() const { return transport_.value_or(TransportId{}); }
  LifeId life() const { return life_; }
  const PeerOptions& options() const { return options_; }
  void admit(const IpAddress& address);  // media may flow to and from it
  void set_can_publish_data(bool allowed);
  void send_reliable(SharedBytes data_packet);
  // A backend's message, encoded; many peers share it.
  enum class MessageFate : uint8_t { Sent, NotConnected, TooLongForClient, Backlog };
  MessageFate send_message(const SharedBytes& data_packet);
  void cut(Bytes notice);  // media::CutTransport

 private:
  void open_or_restart(const negotiation::AnswerResult& answer);
  void apply_uplinks(const negotiation::AnswerResult& answer, TrackTable& tracks,
                     const StreamTable& streams, OfferOutcome& outcome);
  void apply_downlinks(const negotiation::AnswerResult& answer, const TrackTable& tracks,
                       OfferOutcome& outcome);
  void renew_credentials();

  // given
  MediaPlane& media_;
  SecretSource& secrets_;
  const LifeId life_;
  PeerOptions options_;
  // owned
  negotiation::Session session_;
  negotiation::LocalTransport local_;
  std::optional<TransportId> transport_;
  uint64_t max_message_bytes_ = 0;  // as the client's last offer says; 0: any length
  struct Paused {
    bool paused = false;
    uint8_t layer = 2;
  };
  std::map<TrackSid, Paused> paused_;     // asked for before the section existed
  std::map<TrackSid, TrackId> forwards_;  // what AddForward was sent for
  bool requirement_outstanding_ = false;
};

}  // namespace atrium::node
