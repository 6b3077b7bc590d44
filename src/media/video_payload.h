// VideoPayload: what forwarding needs to know of one video packet, whatever its codec: where a key frame starts, and
// for VP8 the numbers that must stay continuous across a switch.  RFC 7741 (VP8), 6184 (H.264), 9628 (VP9), AV1 RTP
// payload 1.0. A plain value of 16 bytes; the codecs are a switch over small functions.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "media/types.h"

namespace atrium::media {

struct VideoPayload {
  bool starts_key_frame = false;  // first packet of a frame that needs no other
  bool has_picture_id = false, has_tl0_pic_idx = false;
  bool is_picture_id_15_bits = false;
  uint16_t picture_id = 0;
  uint8_t tl0_pic_idx = 0;
  uint8_t descriptor_bytes = 0;  // of a VP8 descriptor; 0 = nothing in the payload is rewritten
  uint8_t picture_id_at = 0, tl0_pic_idx_at = 0;
};

// Longest VP8 descriptor: X, I (two bytes), L, T|K behind the first byte.
inline constexpr size_t kVp8DescriptorBytesMax = 6;

// nullopt: the payload is not one of this codec.  Never reads outside `payload`; an unknown codec has no key frames,
// so that nothing of it is forwarded.
std::optional<VideoPayload> read_video_payload(Codec codec, ByteView payload);

// Copies the descriptor into `out` (kVp8DescriptorBytesMax) with other numbers; yields its length.
size_t rewrite_descriptor(const VideoPayload& video, ByteView payload, uint16_t picture_id, uint8_t tl0_pic_idx,
                          ByteSpan out);

}  // namespace atrium::media
