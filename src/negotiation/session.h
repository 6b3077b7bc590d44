// Session: the offer/answer machine of one peer connection (RFC 9429 in the answering role first;
// either side may be the offerer by design).  Owner: the node's participant.  Pure.  In: the peer's
// descriptions and what we want to send; out: descriptions and section plans.  Knows m-sections,
// mids, payload types, extension ids, cids.  Does not: know rooms, rights, sockets or packets.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/secret_source.h"
#include "base/socket_address.h"

namespace atrium::negotiation {

enum class Kind : uint8_t { Audio, Video };

struct Extensions {
  uint8_t mid = 0, rid = 0, repaired_rid = 0, transport_seq = 0, abs_send_time = 0, audio_level = 0;
  friend bool operator==(const Extensions&, const Extensions&) = default;
};

// What we tell the peer about ourselves.
struct LocalTransport {
  std::string ice_ufrag, ice_password;
  std::string fingerprint_sha256;         // "AB:CD:…"
  std::vector<SocketAddress> candidates;  // host candidates written into the description
};
struct RemoteTransport {
  std::string ice_ufrag, ice_password;
  std::string fingerprint_sha256;  // 32 bytes as "AB:CD:…", upper case
  bool setup_active = true;        // peer will be the DTLS client
  friend bool operator==(const RemoteTransport&, const RemoteTransport&) = default;
};

// A publication announced by add_track whose section is still to come.
struct PendingTrack {
  TrackSid sid;
  Kind kind = Kind::Audio;
  std::string cid;
  std::string preferred_codec;  // "vp8", from simulcast_codecs; empty = ours
  bool stereo = false, disable_dtx = false, disable_red = false;
  std::vector<std::string> layer_rids;  // from add_track layers, lowest first
};

// A track that this peer should receive.
struct WantedSend {
  TrackSid sid;
  std::string publisher_sid;  // "PA_…"
  std::string stream;         // sync group; empty = track sid
  Kind kind = Kind::Audio;
  std::string codec;  // "opus", "VP8": what the publisher sends
};

// What one m-section came to.  The node turns it into media commands.
struct UplinkPlan {
  TrackSid track;
  std::string mid;
  Kind kind = Kind::Audio;
  std::string codec;  // "opus", "VP8"
  uint8_t payload_type = 0, rtx_payload_type = 0, red_payload_type = 0;
  uint32_t clock_rate = 0;
  bool nack = false, pli = false, transport_cc = false;
  Extensions extensions;
  std::optional<uint32_t> ssrc, rtx_ssrc;
  std::vector<std::string> rids;
  friend bool operator==(const UplinkPlan&, const UplinkPlan&) = default;
};
struct DownlinkPlan {
  TrackSid track;
  std::string mid;
  uint8_t payload_type = 0, rtx_payload_type = 0;
  uint32_t ssrc = 0, rtx_ssrc = 0;  // fresh for every (section, track) pairing of this connection
  std::string cname;
  Extensions extensions;
  friend bool operator==(const DownlinkPlan&, const DownlinkPlan&) = default;
};

struct AnswerResult {
  std::string sdp;
  uint32_t id = 0;                                  // the offer's, echoed
  std::map<std::string, std::string> mid_to_track;  // mid → TR_…, every section we send on
  RemoteTransport remote;
  bool ice_restart = false;  // the peer's credentials changed since the last description
  bool has_data_section = false;
  uint64_t max_message_bytes = 0;  // that the peer takes on a data channel at once; 0: any length
  // Changes since the previous answer; those removed are to be applied before those added.  A
  // downlink that moved to another section is in both lists, under new SSRCs.
  std::vector<UplinkPlan> uplinks_added;  // also when a known uplink's plan changed
  std::vector<TrackSid> uplinks_removed;
  std::vector<DownlinkPlan> downlinks_added;
  std::vector<TrackSid> downlinks_removed;
};

class Session {
 public:
  Session(SecretSource& secrets, std::string cname);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // Before its offer arrives; matched by cid, else the oldest of the kind.
  void add_pending_track(PendingTrack track);
  // Also lets go of a section that is bound to it already, which is then answered inactive; not
  // reported as removed.
  void forget_pending_track(const TrackSid& sid);
  void want_send(WantedSend track);  // idempotent
  // The caller stops sending at once: a track that is wanted again before the next answer is placed
  // anew, under other SSRCs.
  void stop_send(const TrackSid& sid);

  // New local credentials are to be given when the peer restarts ICE; `local` is what to write in
  // this answer. A malformed or unacceptable offer is an Error naming the reason; the session is
  // unchanged then.
  Result<AnswerResult> on_offer(std::string_view sdp, uint32_t id, const LocalTransport& local);
  // Whether an offer's ICE credentials differ from the last accepted one's; so that the node can
  // renew its own first.
  Result<bool> is_ice_restart(std::string_view sdp) const;

  // Sections still missing for wanted sends (single peer connection): what
  // media_sections_requirement asks for. None before the first offer, for tracks whose codec this
  // peer does not take, and beyond kSdpSectionsMax.
  struct Missing {
    uint32_t audio = 0, video = 0;
  };
  Missing missing_sections() const;
  // Something changed that only an answer can tell (a wanted send fits a free section, a send was
  // stopped), or sections are missing.  Ask once and wait for the offer: it stays true until then.
  bool needs_offer() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::negotiation
