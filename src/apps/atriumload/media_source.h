// MediaSource: one published stream: Opus-like audio or VP8-like video at a fixed pace, each payload with a pattern.
// Owner: LoadClient.  RFC 3550, 7741.  Pure.
// Does not: encrypt, repeat packets that were asked for (loss is to be seen), adapt to bandwidth.
#pragma once

#include <cstdint>
#include <vector>

#include "apps/atriumload/driver.h"
#include "apps/atriumload/pattern.h"
#include "base/bytes.h"

namespace atrium::load {

// Bytes before the pattern: Opus's TOC; VP8's descriptor and the largest frame header.
inline constexpr size_t kAudioPrefixBytes = 1;
inline constexpr size_t kVideoFrameHeaderBytes = 10;

// Where the pattern begins in a payload that a server may have given another descriptor; nullopt: it is no such
// payload.
std::optional<ByteView> pattern_of(PayloadUse use, ByteView payload);

class MediaSource {
 public:
  struct Packet {
    Bytes header, payload;  // RTP header with its extensions; plain payload
    uint64_t ext_seq = 0;
  };
  struct Pace {
    int64_t bits_per_second = 1'200'000, frames_per_second = 30;  // of video
  };
  // The first frame is due at `start`.
  MediaSource(SendGranted granted, uint32_t source, Pace pace, SecretSource& secrets, Mono start);

  // The packets of the frame that is due.  Yields how many of `out` are in use, which keeps their memory.  Frames that
  // are more than half a second late are left out.
  size_t take_frame(Mono now, uint64_t sent_us, std::vector<Packet>& out, uint16_t& transport_seq);
  Mono next_due() const { return next_due_; }
  // Time that passed while nothing could be sent is not made up for.
  void restart_at(Mono start) { next_due_ = start; }
  void request_key_frame() { wants_key_frame_ = true; }

  uint8_t link() const { return granted_.link; }
  uint32_t ssrc() const { return granted_.ssrc; }
  uint32_t source() const { return source_; }
  uint64_t packets() const { return packets_; }
  uint64_t skipped_frames() const { return skipped_frames_; }
  bool is_video() const { return granted_.kind == Kind::Video; }

 private:
  void write_packet(Packet& packet, size_t size, bool is_first, bool is_last, bool is_key,
                    uint64_t sent_us, uint16_t& transport_seq);
  void write_video_prefix(ByteWriter& out, bool is_first, bool is_key) const;

  // given
  const SendGranted granted_;
  const uint32_t source_;
  const Pace pace_;
  // derived
  Duration interval_;
  Mono next_due_;
  uint64_t ext_seq_;
  uint32_t timestamp_;
  uint32_t frame_ = 0;
  uint64_t packets_ = 0, skipped_frames_ = 0;
  bool wants_key_frame_ = true;
};

}  // namespace atrium::load
