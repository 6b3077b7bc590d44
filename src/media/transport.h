// Transport: one ICE/DTLS/SRTP transport with what hangs on it.  Owner: EngineState.  Thread: its shard.
// RFC 8445, 5764, 3711.  Plain data: the verbs stand in transports.h (coming up and going down), inbound.h,
// forwarding.h, feedback.h and data_routing.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "media/bwe.h"
#include "media/deadline_heap.h"
#include "media/dtls.h"
#include "media/ice_lite.h"
#include "media/publisher_clock.h"
#include "media/sctp_port.h"
#include "media/srtp.h"
#include "media/twcc.h"
#include "media/types.h"

namespace atrium::media {

struct Life;
struct Participant;
struct Track;

inline constexpr uint32_t kNoOut = UINT32_MAX;

// What an SSRC of the publisher is: a stream of a track, or the retransmissions of one.
struct UplinkRef {
  Track* track = nullptr;
  uint8_t layer = 0;
  bool is_rtx = false;
};
// What an SSRC of ours is: the forwarder's place in its track.
struct DownlinkRef {
  Track* track = nullptr;
  uint32_t forwarder = 0;
};

struct Transport {
  Transport(OpenTransport open, IceAgent agent) : given(std::move(open)), ice(std::move(agent)) {}

  TransportId id() const { return given.transport; }
  bool is_connected() const { return outbound.has_value() && ice.has_nominated(); }
  // Media may leave: keys are there, a pair is nominated, the peer still consents.
  bool can_send() const { return is_connected() && !has_lost_consent && !is_closing; }

  // given
  OpenTransport given;
  Life* life = nullptr;
  Participant* participant = nullptr;
  uint32_t rtcp_ssrc = 0;  // whom our receiver reports and feedback come from

  // owned
  IceAgent ice;
  std::optional<Dtls> dtls;
  std::optional<SrtpInbound> inbound;
  std::optional<SrtpOutbound> outbound;
  std::unique_ptr<TwccCollector> twcc;  // where a section negotiated it
  BandwidthEstimate bandwidth;
  PublisherClock clock;

  // streams
  ExtensionIds uplink_extensions;  // RFC 9143 section 9: one meaning per id within a BUNDLE
  std::vector<Track*> published;
  std::vector<Track*> subscribed;
  std::unordered_map<uint32_t, UplinkRef> uplink_ssrcs;
  std::unordered_map<uint32_t, DownlinkRef> downlink_ssrcs;
  std::unordered_set<uint32_t> used_ssrcs;  // ever, under these keys

  std::unordered_map<uint32_t, uint64_t> injected;  // dialling role: highest ext_seq sent, by SSRC

  // state
  // The selected pair's address is one that control admitted; while it is not, messages wait here, at most
  // kHeldDataMax each way, and media is dropped.
  bool is_admitted = true;
  std::optional<IpAddress> admitted;
  std::vector<SctpMessage> held_in;
  std::vector<SctpSend> held_out;
  bool is_cut = false;
  bool is_closing = false;
  bool closes_alone = false;  // by CloseTransport, which is answered
  bool is_reported_up = false, is_reported_down = false;
  bool has_lost_consent = false;
  bool has_keys = false;               // the one export of this association was made, or failed
  bool has_sctp = false;               // SctpOpen was said: SctpClose is owed
  std::optional<Mono> token_at;        // of the last message on atrium.token
  DtlsCounters dtls_counted;           // of which the drops are in EngineCounters already
  std::array<bool, 3> channel_open{};  // by DataLabel
  enum class Notice : uint8_t { None, Waiting, Done };
  Notice notice = Notice::None;
  NoticeOutcome notice_outcome = NoticeOutcome::NoChannel;
  uint32_t dtls_waiting = 0;  // handshake datagrams in the queue
  uint32_t repeats_queued =
      0;                    // repeats in the pacer's queue; no longer counted down once it is cut
  Mono report_at = kNever;  // next sender and receiver reports
  uint32_t last_out = kNoOut;  // Outbox's scratch

  // DeadlineHeap's
  Mono deadline = kNever;
  size_t heap_index = kNotInHeap;
};

}  // namespace atrium::media
