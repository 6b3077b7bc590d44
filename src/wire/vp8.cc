#include "wire/vp8.h"

#include <array>

namespace atrium::wire {
namespace {

// RFC 6386 §9.1: of a key frame, three bytes of frame tag, the start code, then two little-endian words of
// scale (2 bits) and size (14 bits).  Silent when the packet ends before: the frame header may be split.
void read_key_frame_size(Vp8Descriptor& descriptor, ByteReader reader) {
  constexpr std::array<uint8_t, 3> kStartCode = {0x9d, 0x01, 0x2a};
  if (!reader.skip(3)) return;
  const auto code = reader.take(kStartCode.size());
  if (!code || (*code)[0] != kStartCode[0] || (*code)[1] != kStartCode[1] ||
      (*code)[2] != kStartCode[2])
    return;
  const auto width = reader.u16_le();
  const auto height = reader.u16_le();
  if (!width || !height) return;
  descriptor.width = *width & 0x3fff;
  descriptor.height = *height & 0x3fff;
}

// X byte and what it announces: |I|L|T|K|  RSV  |, PictureID, TL0PICIDX, |TID|Y| KEYIDX |.
Result<void> read_extension(Vp8Descriptor& descriptor, ByteReader& reader) {
  const uint8_t flags = TRY(reader.u8());
  const bool has_picture_id = (flags & 0x80) != 0, has_tl0 = (flags & 0x40) != 0;
  const bool has_temporal = (flags & 0x20) != 0, has_key_index = (flags & 0x10) != 0;
  if (has_picture_id) {
    descriptor.picture_id_at = static_cast<uint8_t>(reader.position());
    const uint8_t high = TRY(reader.u8());
    descriptor.picture_id_width =
        (high & 0x80) != 0 ? PictureIdWidth::Bits15 : PictureIdWidth::Bits7;
    descriptor.picture_id = high & 0x7f;
    if (descriptor.picture_id_width == PictureIdWidth::Bits15)
      descriptor.picture_id = static_cast<uint16_t>(descriptor.picture_id << 8 | TRY(reader.u8()));
  }
  if (has_tl0) {
    descriptor.tl0_pic_idx_at = static_cast<uint8_t>(reader.position());
    descriptor.tl0_pic_idx = TRY(reader.u8());
  }
  if (has_temporal || has_key_index) {
    const uint8_t layers = TRY(reader.u8());
    if (has_temporal) {
      descriptor.temporal_layer = layers >> 6;
      descriptor.layer_sync = (layers & 0x20) != 0;
    }
    if (has_key_index) descriptor.key_index = layers & 0x1f;
  }
  return {};
}

}  // namespace

// |X|R|N|S|R| PID |
Result<Vp8Descriptor> parse_vp8(ByteView payload) {
  ByteReader reader(payload);
  Vp8Descriptor descriptor;
  const uint8_t first = TRY(reader.u8());
  descriptor.non_reference = (first & 0x20) != 0;
  descriptor.starts_partition = (first & 0x10) != 0;
  descriptor.partition_index = first & 0x07;
  descriptor.starts_frame = descriptor.starts_partition && descriptor.partition_index == 0;
  if ((first & 0x80) != 0) TRY(read_extension(descriptor, reader));
  descriptor.descriptor_bytes = reader.position();
  if (reader.at_end()) return malformed("vp8 payload is empty");
  // The lowest bit of the frame tag is 0 in key frames.
  descriptor.is_key_frame = descriptor.starts_frame && (reader.rest()[0] & 0x01) == 0;
  if (descriptor.is_key_frame) read_key_frame_size(descriptor, reader);
  return descriptor;
}

void rewrite_vp8(ByteSpan payload, const Vp8Descriptor& descriptor, uint16_t picture_id,
                 uint8_t tl0_pic_idx) {
  DCHECK(descriptor.descriptor_bytes < payload.size());
  if (descriptor.descriptor_bytes >= payload.size()) return;
  const size_t at = descriptor.picture_id_at;
  if (descriptor.picture_id_width == PictureIdWidth::Bits7) payload[at] = picture_id & 0x7f;
  if (descriptor.picture_id_width == PictureIdWidth::Bits15) {
    payload[at] = static_cast<uint8_t>(0x80 | (picture_id >> 8 & 0x7f));
    payload[at + 1] = static_cast<uint8_t>(picture_id);
  }
  if (descriptor.tl0_pic_idx) payload[descriptor.tl0_pic_idx_at] = tl0_pic_idx;
}

}  // namespace atrium::wire
