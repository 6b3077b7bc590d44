#include "apps/atriumload/media_source.h"

#include <array>
#include <utility>

#include "apps/atriumload/frame_sizes.h"
#include "wire/header_extension.h"
#include "wire/rtp.h"
#include "wire/vp8.h"

namespace atrium::load {
namespace {

constexpr auto kAudioInterval = std::chrono::milliseconds(20);
constexpr auto kLateMax = std::chrono::milliseconds(500);
constexpr size_t kDescriptorBytes = 6;
constexpr uint8_t kOpusToc = 0x78;  // RFC 6716 section 3.1: CELT, 20 ms, mono, one frame
constexpr wire::AudioLevel kLevel{true, 40};

}  // namespace

std::optional<ByteView> pattern_of(PayloadUse use, ByteView payload) {
  size_t prefix = kAudioPrefixBytes;
  if (use == PayloadUse::Video) {
    const auto descriptor = wire::parse_vp8(payload);
    if (!descriptor) return std::nullopt;
    prefix = descriptor->descriptor_bytes + kVideoFrameHeaderBytes;
  }
  if (payload.size() < prefix) return std::nullopt;
  return payload.subspan(prefix);
}

MediaSource::MediaSource(SendGranted granted, uint32_t source, Pace pace, SecretSource& secrets,
                         Mono start)
    : granted_(std::move(granted)),
      source_(source),
      pace_(pace),
      interval_(granted_.kind == Kind::Audio ? Duration(kAudioInterval)
                                             : Duration(1'000'000 / pace.frames_per_second)),
      next_due_(start),
      ext_seq_(secrets.u32() & 0x7fff),
      timestamp_(secrets.u32()) {}

size_t MediaSource::take_frame(Mono now, uint64_t sent_us, std::vector<Packet>& out,
                               uint16_t& transport_seq) {
  if (now < next_due_) return 0;
  const auto clock_rate = is_video() ? 90'000u : 48'000u;
  const auto step =
      static_cast<uint32_t>(static_cast<uint64_t>(interval_.count()) * clock_rate / 1'000'000u);
  while (now - next_due_ > kLateMax) {
    next_due_ += interval_;
    timestamp_ += step;
    ++skipped_frames_;
  }
  next_due_ += interval_;
  timestamp_ += step;
  const bool is_key = std::exchange(wants_key_frame_, false);
  std::vector<size_t> sizes;
  if (is_video())
    sizes = split_frame(frame_bytes(static_cast<uint64_t>(pace_.bits_per_second),
                                    static_cast<uint32_t>(pace_.frames_per_second), frame_),
                        kPayloadBytesMax - kDescriptorBytes);
  else
    sizes = {audio_bytes(packets_)};
  if (out.size() < sizes.size()) out.resize(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i)
    write_packet(out[i], sizes[i], i == 0, i + 1 == sizes.size(), is_key, sent_us, transport_seq);
  ++frame_;
  return sizes.size();
}

void MediaSource::write_packet(Packet& packet, size_t size, bool is_first, bool is_last,
                               bool is_key, uint64_t sent_us, uint16_t& transport_seq) {
  packet.ext_seq = ++ext_seq_;
  packet.header.resize(wire::kRtpHeaderBytes + wire::kExtensionBlockBytesMax);
  ByteWriter header(packet.header);
  wire::write_rtp_header(header, {.marker = is_video() && is_last,
                                  .has_extension = true,
                                  .payload_type = granted_.payload_type,
                                  .seq = static_cast<uint16_t>(packet.ext_seq),
                                  .timestamp = timestamp_,
                                  .ssrc = granted_.ssrc});
  wire::OneByteExtensionWriter extensions(header);
  extensions.mid(granted_.extensions.mid, granted_.mid);
  if (granted_.has_transport_seq)
    extensions.transport_seq(granted_.extensions.transport_seq, transport_seq++);
  if (!is_video()) extensions.audio_level(granted_.extensions.audio_level, kLevel);
  extensions.finish();
  packet.header.resize(header.position());

  packet.payload.resize(size + (is_video() ? kDescriptorBytes : 0));
  ByteWriter payload(packet.payload);
  if (is_video())
    write_video_prefix(payload, is_first, is_key);
  else
    payload.u8(kOpusToc);
  write_pattern(ByteSpan(packet.payload).subspan(payload.position()),
                {.source = source_, .seq = packets_, .sent_us = sent_us, .frame = frame_});
  ++packets_;
}

// RFC 7741 section 4.2: X and S; I, L and T; a 15-bit picture id; TL0PICIDX; TID 0.  Then room for the header of RFC
// 6386 section 9.1, which the first packet of a frame has; in the others it is filler.
void MediaSource::write_video_prefix(ByteWriter& out, bool is_first, bool is_key) const {
  static constexpr std::array<uint8_t, kVideoFrameHeaderBytes> kKeyFrame{
      0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00};  // 320 x 240
  static constexpr std::array<uint8_t, kVideoFrameHeaderBytes> kDelta{0x11};
  const auto picture_id = static_cast<uint16_t>(0x8000 | (frame_ & 0x7fff));
  out.u8(is_first ? 0x90 : 0x80), out.u8(0xe0), out.u16(picture_id);
  out.u8(static_cast<uint8_t>(frame_)), out.u8(0);
  out.bytes(is_first && is_key ? ByteView(kKeyFrame) : ByteView(kDelta));
}

}  // namespace atrium::load
