#include "client/rtp_source.h"

#include <algorithm>
#include <array>

#include "wire/header_extension.h"
#include "wire/rtp.h"

namespace atrium::client {
namespace {

constexpr size_t kHistoryPackets = 128;  // two seconds of audio
constexpr size_t kAudioPayloadBytes = 60;
constexpr size_t kVideoPayloadBytes = 300;
constexpr uint8_t kOpusToc = 0x78;  // RFC 6716 section 3.1: CELT, 20 ms, mono, one frame
constexpr wire::AudioLevel kLevel{true, 40};

}  // namespace

RtpSource::RtpSource(const negotiation::AnsweredSection& section, Pace pace, SecretSource& secrets,
                     Mono start)
    : section_(section),
      pace_(pace),
      next_due_(start),
      seq_(static_cast<uint16_t>(secrets.u32())),
      rtx_seq_(static_cast<uint16_t>(secrets.u32())),
      timestamp_(secrets.u32()) {}

void RtpSource::update(const negotiation::AnsweredSection& section) {
  section_ = section;
}

std::vector<Bytes> RtpSource::take_due(Mono now, uint16_t& transport_seq) {
  if (now < next_due_) return {};
  next_due_ = std::max(next_due_ + pace_.interval, now);
  const auto us = static_cast<uint64_t>(pace_.interval.count());
  timestamp_ += static_cast<uint32_t>(us * section_.clock_rate / 1'000'000u);
  return section_.kind == negotiation::Kind::Audio ? audio_packet(transport_seq)
                                                   : video_frame(transport_seq);
}

std::vector<Bytes> RtpSource::audio_packet(uint16_t& transport_seq) {
  Bytes payload(kAudioPayloadBytes, static_cast<uint8_t>(packets_));
  payload.front() = kOpusToc;
  return {packet(false, std::move(payload), transport_seq)};
}

std::vector<Bytes> RtpSource::video_frame(uint16_t& transport_seq) {
  const bool is_key = wants_key_frame_ || frames_ % pace_.key_frame_every == 0;
  wants_key_frame_ = false;
  ++frames_;
  ++tl0_pic_idx_;
  picture_id_ = static_cast<uint16_t>((picture_id_ + 1) & 0x7fff);
  std::vector<Bytes> out;
  out.push_back(packet(!is_key, video_payload(true, is_key), transport_seq));
  if (!is_key) return out;
  ++key_frames_;
  out.push_back(packet(true, video_payload(false, true), transport_seq));
  return out;
}

// RFC 7741 section 4.2: X and S; I, L and T; a 15-bit picture id; TL0PICIDX; TID 0.  Then, at the start of a frame,
// the header
// of RFC 6386 section 9.1.
Bytes RtpSource::video_payload(bool is_first, bool is_key) const {
  const auto flags = static_cast<uint8_t>(is_first ? 0x90 : 0x80);
  const auto high = static_cast<uint8_t>(0x80 | (picture_id_ >> 8));
  Bytes out{flags, 0xe0, high, static_cast<uint8_t>(picture_id_ & 0xff), tl0_pic_idx_, 0x00};
  static constexpr std::array<uint8_t, 10> kKeyFrame{0x10, 0x02, 0x00, 0x9d, 0x01,
                                                     0x2a, 0x40, 0x01, 0xf0, 0x00};  // 320 x 240
  if (is_first && is_key) out.insert(out.end(), kKeyFrame.begin(), kKeyFrame.end());
  if (is_first && !is_key) out.push_back(0x11);
  out.resize(kVideoPayloadBytes, static_cast<uint8_t>(packets_));
  return out;
}

Bytes RtpSource::packet(bool marker, Bytes payload, uint16_t& transport_seq) {
  kept_.push_back({seq_, timestamp_, marker, std::move(payload)});
  if (kept_.size() > kHistoryPackets) kept_.pop_front();
  ++packets_;
  return write(section_.payload_type, section_.ssrc, seq_++, kept_.back(), {}, transport_seq);
}

Bytes RtpSource::repeat(uint16_t seq, uint16_t& transport_seq) {
  const auto found = std::ranges::find(kept_, seq, &Kept::seq);
  if (found == kept_.end() || section_.rtx_payload_type == 0 || section_.rtx_ssrc == 0) return {};
  const std::array<uint8_t, 2> original{static_cast<uint8_t>(seq >> 8),
                                        static_cast<uint8_t>(seq & 0xff)};
  return write(section_.rtx_payload_type, section_.rtx_ssrc, rtx_seq_++, *found, original,
               transport_seq);
}

Bytes RtpSource::write(uint8_t payload_type, uint32_t ssrc, uint16_t seq, const Kept& kept,
                       ByteView prefix, uint16_t& transport_seq) const {
  Bytes room(wire::kRtpHeaderBytes + wire::kExtensionBlockBytesMax + prefix.size() +
             kept.payload.size());
  ByteWriter writer(room);
  wire::write_rtp_header(writer, {.marker = kept.marker,
                                  .has_extension = true,
                                  .has_padding = false,
                                  .payload_type = payload_type,
                                  .seq = seq,
                                  .timestamp = kept.timestamp,
                                  .ssrc = ssrc});
  wire::OneByteExtensionWriter extensions(writer);
  extensions.mid(section_.extensions.mid, section_.mid);
  if (section_.transport_cc)
    extensions.transport_seq(section_.extensions.transport_seq, transport_seq++);
  if (section_.kind == negotiation::Kind::Audio)
    extensions.audio_level(section_.extensions.audio_level, kLevel);
  extensions.finish();
  writer.bytes(prefix);
  writer.bytes(kept.payload);
  room.resize(writer.position());
  return room;
}

}  // namespace atrium::client
