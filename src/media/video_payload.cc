#include "media/video_payload.h"

#include <algorithm>
#include <array>

#include "wire/vp8.h"

namespace atrium::media {
namespace {

std::optional<VideoPayload> read_vp8(ByteView payload) {
  const auto parsed = wire::parse_vp8(payload);
  if (!parsed || parsed->descriptor_bytes > kVp8DescriptorBytesMax) return std::nullopt;
  VideoPayload video;
  video.starts_key_frame = parsed->is_key_frame;
  video.has_picture_id = parsed->picture_id_width != wire::PictureIdWidth::None;
  video.is_picture_id_15_bits = parsed->picture_id_width == wire::PictureIdWidth::Bits15;
  video.has_tl0_pic_idx = parsed->tl0_pic_idx.has_value();
  video.picture_id = parsed->picture_id;
  video.tl0_pic_idx = parsed->tl0_pic_idx.value_or(0);
  video.descriptor_bytes = static_cast<uint8_t>(parsed->descriptor_bytes);
  video.picture_id_at = parsed->picture_id_at;
  video.tl0_pic_idx_at = parsed->tl0_pic_idx_at;
  return video;
}

// RFC 6184: a decoder can start at a sequence parameter set, or at an IDR slice when the sets are sent out of band.
constexpr uint8_t kNalIdr = 5, kNalSps = 7, kNalStapA = 24, kNalFuA = 28;
bool is_h264_start(uint8_t nal_type) { return nal_type == kNalSps || nal_type == kNalIdr; }

bool has_h264_start_in_aggregate(ByteView units) {
  ByteReader reader(units);
  while (!reader.at_end()) {
    const auto length = reader.u16();
    if (!length || *length == 0) return false;
    const auto unit = reader.take(*length);
    if (!unit) return false;
    if (is_h264_start((*unit)[0] & 0x1f)) return true;
  }
  return false;
}

std::optional<VideoPayload> read_h264(ByteView payload) {
  if (payload.empty()) return std::nullopt;
  VideoPayload video;
  const uint8_t type = payload[0] & 0x1f;
  if (type == kNalStapA) {
    video.starts_key_frame = has_h264_start_in_aggregate(payload.subspan(1));
  } else if (type == kNalFuA) {
    if (payload.size() < 2) return std::nullopt;
    const bool is_first_fragment = (payload[1] & 0x80) != 0;
    video.starts_key_frame = is_first_fragment && is_h264_start(payload[1] & 0x1f);
  } else {
    video.starts_key_frame = is_h264_start(type);
  }
  return video;
}

// RFC 9628 section 4.2: I P L F B E V Z, then PictureID and the layer indices.
std::optional<VideoPayload> read_vp9(ByteView payload) {
  if (payload.empty()) return std::nullopt;
  VideoPayload video;
  const uint8_t flags = payload[0];
  const bool has_picture_id = flags & 0x80, is_inter_predicted = flags & 0x40, has_layers = flags & 0x20;
  const bool starts_frame = flags & 0x08;
  size_t at = 1;
  if (has_picture_id) {
    if (payload.size() <= at) return std::nullopt;
    at += (payload[at] & 0x80) ? 2 : 1;
  }
  uint8_t spatial_layer = 0;
  if (has_layers) {
    if (payload.size() <= at) return std::nullopt;
    spatial_layer = (payload[at] >> 1) & 0x07;
  }
  video.starts_key_frame = starts_frame && !is_inter_predicted && spatial_layer == 0;
  return video;
}

// AV1 RTP payload, section 4.4: Z Y W W N in the aggregation header; N = first packet of a coded video sequence.
std::optional<VideoPayload> read_av1(ByteView payload) {
  if (payload.size() < 2) return std::nullopt;
  VideoPayload video;
  video.starts_key_frame = (payload[0] & 0x08) != 0;
  return video;
}

}  // namespace

std::optional<VideoPayload> read_video_payload(Codec codec, ByteView payload) {
  switch (codec) {
    case Codec::Vp8: return read_vp8(payload);
    case Codec::H264: return read_h264(payload);
    case Codec::Vp9: return read_vp9(payload);
    case Codec::Av1: return read_av1(payload);
    case Codec::Opus:
    case Codec::Red:
    case Codec::Unknown: return VideoPayload();
  }
  return std::nullopt;
}

size_t rewrite_descriptor(const VideoPayload& video, ByteView payload, uint16_t picture_id, uint8_t tl0_pic_idx,
                          ByteSpan out) {
  const size_t size = video.descriptor_bytes;
  if (size == 0) return 0;
  CHECK(size < payload.size() && size <= kVp8DescriptorBytesMax && size <= out.size());
  std::array<uint8_t, kVp8DescriptorBytesMax + 1> room;  // the codec wants to see that something follows
  std::copy_n(payload.begin(), size + 1, room.begin());
  wire::Vp8Descriptor descriptor;
  descriptor.descriptor_bytes = size;
  if (video.has_picture_id)
    descriptor.picture_id_width =
        video.is_picture_id_15_bits ? wire::PictureIdWidth::Bits15 : wire::PictureIdWidth::Bits7;
  if (video.has_tl0_pic_idx) descriptor.tl0_pic_idx = video.tl0_pic_idx;
  descriptor.picture_id_at = video.picture_id_at;
  descriptor.tl0_pic_idx_at = video.tl0_pic_idx_at;
  wire::rewrite_vp8(ByteSpan(room).first(size + 1), descriptor, picture_id, tl0_pic_idx);
  std::copy_n(room.begin(), size, out.begin());
  return size;
}

}  // namespace atrium::media
