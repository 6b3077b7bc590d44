// Packets and commands that the engine's tests share.  For tests alone.
#pragma once

#include <initializer_list>
#include <string_view>

#include "media/types.h"
#include "wire/header_extension.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

namespace atrium::media::testing_world {

inline constexpr ExtensionIds kExtensionIds{.mid = 1,
                                            .rid = 2,
                                            .repaired_rid = 3,
                                            .transport_seq = 4,
                                            .abs_send_time = 5,
                                            .audio_level = 6};
inline constexpr uint8_t kOpus = 111, kVp8 = 96, kRtx = 97;

struct RtpSpec {
  uint8_t payload_type = kOpus;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
  bool marker = false;
  std::string_view mid = {};
  std::string_view rid = {};
  std::string_view repaired_rid = {};
  int transport_seq = -1;
  int audio_level = -1;
  Bytes payload = {1, 2, 3};
  uint8_t padding = 0;
};

inline Bytes make_rtp(const RtpSpec& spec) {
  Bytes room(1'500);
  ByteWriter writer(room);
  wire::RtpHeader header;
  header.marker = spec.marker;
  header.has_padding = spec.padding > 0;
  header.payload_type = spec.payload_type;
  header.seq = spec.seq;
  header.timestamp = spec.timestamp;
  header.ssrc = spec.ssrc;
  header.has_extension = true;
  wire::write_rtp_header(writer, header);
  wire::OneByteExtensionWriter extensions(writer);
  extensions.mid(kExtensionIds.mid, spec.mid);
  extensions.rid(kExtensionIds.rid, spec.rid);
  extensions.rid(kExtensionIds.repaired_rid, spec.repaired_rid);
  if (spec.transport_seq >= 0)
    extensions.transport_seq(kExtensionIds.transport_seq,
                             static_cast<uint16_t>(spec.transport_seq));
  if (spec.audio_level >= 0)
    extensions.audio_level(kExtensionIds.audio_level,
                           {true, static_cast<uint8_t>(spec.audio_level)});
  extensions.finish();
  writer.bytes(spec.payload);
  if (spec.padding > 0) {
    writer.fill(0, spec.padding - 1u);
    writer.u8(spec.padding);
  }
  room.resize(writer.position());
  return room;
}

// A VP8 payload with a 15-bit picture id and TL0PICIDX; `tag` stands behind the frame header.
inline Bytes vp8_payload(bool is_key, uint16_t picture_id, uint8_t tl0, uint8_t tag) {
  const auto high = static_cast<uint8_t>(0x80 | (picture_id >> 8));
  Bytes payload{0x90, 0xe0, high, static_cast<uint8_t>(picture_id), tl0, 0x00};
  if (is_key) {
    const Bytes frame{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01};
    payload.insert(payload.end(), frame.begin(), frame.end());
  } else {
    payload.push_back(0x11);
  }
  payload.push_back(tag);
  return payload;
}

inline AddUplink opus_uplink(TransportId transport, TrackId track, uint32_t ssrc) {
  AddUplink uplink;
  uplink.transport = transport;
  uplink.track = track;
  uplink.kind = Kind::Audio;
  uplink.codec = Codec::Opus;
  uplink.payload_type = kOpus;
  uplink.clock_rate = 48'000;
  uplink.mid = "0";
  uplink.extensions = kExtensionIds;
  uplink.ssrc = ssrc;
  return uplink;
}

inline AddUplink vp8_uplink(TransportId transport, TrackId track) {
  AddUplink uplink;
  uplink.transport = transport;
  uplink.track = track;
  uplink.kind = Kind::Video;
  uplink.codec = Codec::Vp8;
  uplink.payload_type = kVp8;
  uplink.rtx_payload_type = kRtx;
  uplink.clock_rate = 90'000;
  uplink.mid = "1";
  uplink.extensions = kExtensionIds;
  uplink.nack = uplink.pli = uplink.transport_cc = true;
  return uplink;
}

inline AddForward forward_to(TransportId transport, TrackId track, uint32_t ssrc,
                             uint8_t payload_type) {
  AddForward forward;
  forward.transport = transport;
  forward.track = track;
  forward.payload_type = payload_type;
  forward.rtx_payload_type = payload_type == kVp8 ? kRtx : 0;
  forward.mid = "7";
  forward.extensions = {.mid = 9, .abs_send_time = 10, .audio_level = 11};
  forward.ssrc = ssrc;
  forward.rtx_ssrc = payload_type == kVp8 ? ssrc + 1 : 0;
  forward.cname = "publisher";
  return forward;
}

inline Bytes make_sender_report(uint32_t ssrc, uint64_t ntp, uint32_t rtp_timestamp) {
  Bytes room(200);
  ByteWriter writer(room);
  wire::write_sender_report(writer, {ssrc, ntp, rtp_timestamp, 1, 1}, {});
  wire::write_sdes_cname(writer, ssrc, "cname");
  room.resize(writer.position());
  return room;
}

inline Bytes make_nack(uint32_t media_ssrc, std::initializer_list<uint16_t> seqs) {
  Bytes room(200);
  ByteWriter writer(room);
  wire::write_nack(writer, 1, media_ssrc, std::span(seqs.begin(), seqs.size()));
  room.resize(writer.position());
  return room;
}

inline Bytes make_nack(uint32_t media_ssrc, std::span<const uint16_t> seqs) {
  Bytes room(1'400);
  ByteWriter writer(room);
  wire::write_nack(writer, 1, media_ssrc, seqs);
  room.resize(writer.position());
  return room;
}

inline Bytes make_pli(uint32_t media_ssrc) {
  Bytes room(12);
  ByteWriter writer(room);
  wire::write_pli(writer, 1, media_ssrc);
  return room;
}

}  // namespace atrium::media::testing_world
