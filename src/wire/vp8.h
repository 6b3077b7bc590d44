// VP8 payload descriptor (RFC 7741 §4.2), key frames and their size (RFC 6386 §9.1), and the in-place rewrite of
// PictureID and TL0PICIDX that layer switching needs.  Views, no heap.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace atrium::wire {

enum class PictureIdWidth : uint8_t { None, Bits7, Bits15 };

struct Vp8Descriptor {
  bool non_reference = false;     // N: may be dropped without harm to later frames
  bool starts_partition = false;  // S
  uint8_t partition_index = 0;    // PID, 0 to 7
  PictureIdWidth picture_id_width = PictureIdWidth::None;
  uint16_t picture_id = 0;
  std::optional<uint8_t> tl0_pic_idx;
  std::optional<uint8_t> temporal_layer;  // TID, 0 to 3
  bool layer_sync = false;                // Y, meaningless without temporal_layer
  std::optional<uint8_t> key_index;       // KEYIDX, 0 to 31
  size_t descriptor_bytes = 0;
  bool starts_frame = false;       // S = 1 and PID = 0
  bool is_key_frame = false;       // first packet of a key frame
  uint16_t width = 0, height = 0;  // of a key frame whose frame header is in this packet; else 0
  // For rewrite_vp8; 0 = absent.
  uint8_t picture_id_at = 0, tl0_pic_idx_at = 0;
};

// `payload` is the RTP payload without padding.  Malformed when the descriptor is cut short or nothing follows it.
Result<Vp8Descriptor> parse_vp8(ByteView payload);

// Overwrites what the descriptor has; the widths stay, so a 7-bit PictureID takes the low 7 bits.  `descriptor`
// must be the parse of `payload`.
void rewrite_vp8(ByteSpan payload, const Vp8Descriptor& descriptor, uint16_t picture_id,
                 uint8_t tl0_pic_idx);

}  // namespace atrium::wire
