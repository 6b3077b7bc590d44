// UplinkStream: one RTP stream that a publisher sends: one track, or one simulcast layer of it.
// Numbers, jitter and loss for receiver reports (RFC 3550 section 6.4, appendices A.3 and A.8), what to ask for
// again,
// the publisher's clock, and the newest payloads.
// Owner: Track.  Thread: its shard.  Does not: know subscribers, write RTCP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "media/nack.h"
#include "media/packet_history.h"
#include "wire/seq.h"

namespace atrium::media {

// A publisher's sender report: this RTP timestamp was sampled at this moment of the publisher's own clock.
struct SenderClock {
  uint64_t ntp = 0;  // 32.32 fixed point seconds, RFC 3550 section 4
  uint32_t rtp_timestamp = 0;
  Mono received_at{};
};

struct ReceptionReport {
  uint8_t fraction_lost = 0;
  int32_t cumulative_lost = 0;
  uint32_t highest_seq = 0;  // cycles and sequence number
  uint32_t jitter = 0;       // RTP timestamp units
  uint32_t last_sr = 0, delay_since_last_sr = 0;
};

class UplinkStream {
 public:
  UplinkStream(uint32_t ssrc, uint32_t clock_rate, size_t history_bytes)
      : ssrc_(ssrc), clock_rate_(clock_rate), history_(history_bytes) {}

  enum class Arrival : uint8_t { Fresh, Duplicate, TooOld };
  struct Received {
    Arrival arrival = Arrival::Fresh;
    uint64_t ext_seq = 0;
    bool too_many_missing = false;
  };
  // Books the number of an original (not yet stored) packet, or of one that came as a retransmission; those say
  // nothing about jitter.
  Received on_packet(uint16_t seq, uint32_t timestamp, bool is_retransmission, Mono now);
  // The publisher continues under another SSRC: everything but the memory starts anew.
  void restart(uint32_t ssrc);
  void on_sender_report(uint64_t ntp, uint32_t rtp_timestamp, Mono now);
  // What to report since the last call.
  ReceptionReport take_report(Mono now);

  uint32_t ssrc() const { return ssrc_; }
  uint32_t clock_rate() const { return clock_rate_; }
  uint64_t highest() const { return unwrapper_.highest().value_or(0); }
  bool is_live(Mono now) const;
  Mono last_packet_at() const { return last_packet_at_; }
  const std::optional<SenderClock>& clock() const { return clock_; }
  PacketHistory& history() { return history_; }
  const PacketHistory& history() const { return history_; }
  NackGenerator& nack() { return nack_; }
  const NackGenerator& nack() const { return nack_; }

 private:
  void update_jitter(uint32_t timestamp, Mono now);

  // given
  uint32_t ssrc_ = 0;
  uint32_t clock_rate_ = 0;
  // owned
  PacketHistory history_;
  NackGenerator nack_;
  wire::SeqUnwrapper unwrapper_;
  std::optional<SenderClock> clock_;
  // derived
  uint64_t base_seq_ = 0, received_ = 0;
  uint64_t expected_before_ = 0, received_before_ = 0;
  uint32_t last_transit_ = 0;
  uint32_t jitter_times_16_ = 0;
  bool has_transit_ = false;
  Mono last_packet_at_{};
};

}  // namespace atrium::media
