// Forwarder: decides for one (track, subscriber) pair whether a packet goes out, and under which numbers.
// Owner: Track, in a dense array.  Thread: its shard.  RFC 7667 section 3.7 (selective forwarding), 4588 (repeats).
// Does not: pace, encrypt or remember bytes (see Pacer, SrtpOutbound, PacketHistory); it remembers the rewrites.
//
//   idle ──first packet (audio) / key frame of the target layer (video)──▶ forwarding ──restart()──▶ idle
//   forwarding ──key frame of another target layer──▶ forwarding, numbers continued
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "media/engine_counters.h"
#include "media/layer_selection.h"
#include "media/packet_history.h"
#include "media/publisher_clock.h"
#include "media/sequence_rewriter.h"
#include "media/types.h"
#include "media/uplink_stream.h"
#include "wire/rtcp.h"

namespace atrium::media {

struct Transport;

// The numbers under which one packet leaves.
struct Outgoing {
  uint64_t ext_seq = 0;  // SRTP index, its low 16 bits are the sequence number
  uint32_t timestamp = 0;
  uint16_t picture_id = 0;
  uint8_t tl0_pic_idx = 0;
};
struct Decision {
  std::optional<Outgoing> out;
  DropReason reason = DropReason::Count;  // why not, where `out` is empty
};
// A packet to be sent again.
struct Repeat {
  uint8_t layer = 0;
  uint64_t source_ext_seq = 0;
  uint16_t original_seq = 0;
  uint64_t rtx_ext_seq = 0;
  Outgoing numbers;
};

class Forwarder {
 public:
  struct Given {
    AddForward command;
    Kind kind = Kind::Audio;
    uint32_t clock_rate = 0;
    uint64_t random = 0;  // where numbers and timestamps begin
  };
  Forwarder(Transport& subscriber, Given given);

  // One packet of layer `layer`, in the order of the pacer's queue.
  Decision on_packet(const StoredPacket& packet, uint8_t layer, const UplinkStream& stream,
                     Mono now);
  // A number of that layer that carries nothing.
  void on_skip(uint8_t layer, uint64_t ext_seq);
  // A subscriber asks for sequence number `seq` again.  A reason: it does not get it; none: it was booked as repeated
  // now, and the caller queues it.
  std::optional<DropReason> on_nack(uint16_t seq, Mono now);
  // Its turn has come; nullopt when it was forgotten meanwhile.
  std::optional<Repeat> take_repeat(uint16_t seq);
  void on_sent(size_t payload_bytes, Mono now);

  // The source has a gap that is not loss: numbers close up, video waits for a key frame.
  enum class Break : uint8_t {
    Gap,        // mute or pause: the timestamps go on
    NewSource,  // another SSRC: they begin somewhere else
  };
  void restart(Break kind);
  void set_paused(bool paused);
  void set_wanted_layer(uint8_t layer) { wanted_layer_ = layer; }
  // Which layers have packets.  True when the layer to be sent changed, so that a key frame of it is needed.
  bool retarget(uint32_t live_layers);
  // A later AddForward for the same pair: payload types, extensions and pause may change, SSRCs may not.
  void update(const AddForward& command);

  // RFC 3550 section 6.4: what a sender report of this downlink says at `ntp_now`.  nullopt while nothing was sent
  // lately, or while the publisher has not said how its timestamps lie in time.
  std::optional<wire::SenderInfo> sender_info(const UplinkStream& source,
                                              const PublisherClock& clock, uint64_t ntp_now,
                                              Mono now) const;

  Transport& subscriber() const { return *subscriber_; }
  const AddForward& parameters() const { return parameters_; }
  Kind kind() const { return kind_; }
  int current_layer() const { return current_layer_; }
  int target_layer() const { return target_layer_; }
  bool is_paused() const { return parameters_.paused; }
  bool waits_for_key_frame() const {
    return kind_ == Kind::Video && !is_paused() &&
           (needs_start_ || current_layer_ != target_layer_);
  }

 private:
  // One row of the rewrites remembered: 20 bytes, for there are kForwardHistory of them per video downlink.  The
  // extended numbers are cut to 32 bits: a stream that sends a thousand packets a second takes 49 days to use them
  // up.
  struct Sent {
    uint32_t ext_seq = 0;  // ours; 0 = empty
    uint32_t source_ext_seq = 0;
    uint32_t timestamp = 0;
    uint16_t picture_id = 0;
    uint8_t tl0_pic_idx = 0, layer = 0;
    uint32_t repeated_at_ms = 0;  // 0 = never
  };
  std::optional<DropReason> admit(const StoredPacket& packet, uint8_t layer,
                                  const UplinkStream& stream, Mono now);
  bool can_start_at(const StoredPacket& packet);
  void start(const StoredPacket& packet, uint8_t layer, const UplinkStream& stream, Mono now);
  uint32_t timestamp_after_switch(const StoredPacket& packet, const UplinkStream& stream,
                                  Mono now) const;
  void remember(const Outgoing& out, uint64_t source_ext_seq, uint8_t layer);
  Sent* find_sent(uint16_t seq);  // nullptr: never sent, or forgotten

  // given
  Transport* subscriber_;
  AddForward parameters_;
  Kind kind_;
  uint32_t clock_rate_;
  // derived
  SequenceRewriter numbers_;
  bool needs_start_ = true;
  bool has_new_source_ = false;
  uint64_t newest_refused_ = 0;  // of the target layer, while a key frame is waited for
  bool has_sent_ = false;
  uint8_t wanted_layer_ = 2;
  int current_layer_ = kNoLayer, target_layer_ = kNoLayer;
  uint32_t timestamp_offset_ = 0;
  uint16_t picture_id_offset_ = 0;
  uint8_t tl0_offset_ = 0;
  uint32_t last_timestamp_ = 0;
  uint16_t last_picture_id_ = 0;
  uint8_t last_tl0_ = 0;
  Mono last_sent_at_{};
  std::optional<SenderClock> last_clock_;  // of the layer that is being forwarded, for switches
  uint32_t packets_sent_ = 0, octets_sent_ = 0;
  uint64_t rtx_ext_seq_ = 0;
  std::vector<Sent> sent_;  // empty without retransmission
};

}  // namespace atrium::media
