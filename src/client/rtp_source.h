// RtpSource: synthetic RTP of one section that a dialling client sends: Opus-like audio, or VP8 with whole payload
// descriptors
// and key frames (RFC 3550, 6716, 7741, 4588).  Owner: DialClient.  Pure.  Does not: encrypt, pace, adapt to
// bandwidth.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/secret_source.h"
#include "base/time.h"
#include "negotiation/offer.h"

namespace atrium::client {

class RtpSource {
 public:
  struct Pace {
    Duration interval = std::chrono::milliseconds(20);  // between audio packets or video frames
    uint32_t key_frame_every = 50;                      // frames; video alone
  };
  // `section` is one that sends.  The first packet is due at `start`.
  RtpSource(const negotiation::AnsweredSection& section, Pace pace, SecretSource& secrets,
            Mono start);

  // A later answer for the same section: payload types and extension ids may have changed, SSRCs do not.
  void update(const negotiation::AnsweredSection& section);

  // Plain RTP packets that are due, at most one frame; the next one is due an interval later.  `transport_seq` is the
  // transport's counter and goes up with each packet.
  std::vector<Bytes> take_due(Mono now, uint16_t& transport_seq);
  Mono next_due() const { return next_due_; }
  // Time that passed while nothing could be sent is not made up for.
  void restart_at(Mono now) { next_due_ = now; }

  void request_key_frame() { wants_key_frame_ = true; }
  // RFC 4588: the packet with that number again on the repair stream; empty where it is forgotten or no repair was
  // agreed.
  Bytes repeat(uint16_t seq, uint16_t& transport_seq);

  const std::string& mid() const { return section_.mid; }
  uint32_t ssrc() const { return section_.ssrc; }
  uint64_t packets() const { return packets_; }
  uint64_t key_frames() const { return key_frames_; }

 private:
  struct Kept {
    uint16_t seq = 0;
    uint32_t timestamp = 0;
    bool marker = false;
    Bytes payload;
  };
  std::vector<Bytes> audio_packet(uint16_t& transport_seq);
  std::vector<Bytes> video_frame(uint16_t& transport_seq);
  Bytes video_payload(bool is_first, bool is_key) const;
  Bytes packet(bool marker, Bytes payload, uint16_t& transport_seq);
  Bytes write(uint8_t payload_type, uint32_t ssrc, uint16_t seq, const Kept& kept, ByteView prefix,
              uint16_t& transport_seq) const;

  // given
  negotiation::AnsweredSection section_;
  Pace pace_;
  // owned
  Mono next_due_;
  uint16_t seq_, rtx_seq_;
  uint32_t timestamp_;
  uint16_t picture_id_ = 0;
  uint8_t tl0_pic_idx_ = 0;
  uint32_t frames_ = 0;
  bool wants_key_frame_ = true;
  uint64_t packets_ = 0, key_frames_ = 0;
  std::deque<Kept> kept_;  // the last 128
};

}  // namespace atrium::client
