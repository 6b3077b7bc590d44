#include "media/forwarding.h"

#include <array>
#include <span>

#include "media/streams.h"
#include "wire/header_extension.h"
#include "wire/rtp.h"

namespace atrium::media {
namespace {

constexpr size_t kHeaderBytesMax = wire::kRtpHeaderBytes + wire::kExtensionBlockBytesMax;

bool may_send_media(const EngineState& engine, const Transport& subscriber) {
  if (!subscriber.can_send() || !subscriber.is_admitted) return false;
  if (!subscriber.is_cut) return true;
  return engine.is_late_send_planted && subscriber.life->is_cut && !subscriber.life->has_sent_late;
}

struct HeaderFields {
  uint8_t payload_type = 0;
  uint32_t ssrc = 0;
  uint64_t ext_seq = 0;
  uint32_t timestamp = 0;
  bool marker = false;
  uint8_t audio_level = kNoAudioLevel;
};

ByteView write_header(const AddForward& downlink, const HeaderFields& fields, ByteSpan out,
                      Now now) {
  const ExtensionIds& ids = downlink.extensions;
  const bool has_level = ids.audio_level != 0 && fields.audio_level != kNoAudioLevel;
  ByteWriter writer(out);
  wire::RtpHeader header;
  header.marker = fields.marker;
  header.has_extension = ids.mid != 0 || ids.abs_send_time != 0 || has_level;
  header.payload_type = fields.payload_type;
  header.seq = static_cast<uint16_t>(fields.ext_seq);
  header.timestamp = fields.timestamp;
  header.ssrc = fields.ssrc;
  wire::write_rtp_header(writer, header);
  if (header.has_extension) {
    wire::OneByteExtensionWriter extensions(writer);
    extensions.mid(ids.mid, downlink.mid);
    extensions.abs_send_time(ids.abs_send_time,
                             wire::abs_send_time_from_us(now.mono.time_since_epoch().count()));
    if (has_level)
      extensions.audio_level(ids.audio_level, {(fields.audio_level & 0x80) != 0,
                                               static_cast<uint8_t>(fields.audio_level & 0x7f)});
    extensions.finish();
  }
  return writer.written();
}

// False, with a count, when the packet could not be made.
bool protect(EngineState& engine, Transport& subscriber, ByteView header,
             std::span<const ByteView> parts, uint64_t ext_seq) {
  size_t size = header.size() + kSrtpOverheadMax;
  for (const ByteView part : parts) size += part.size();
  const ByteSpan out = engine.outbox.reserve(size);
  if (out.empty()) {
    engine.drop(DropReason::OutputFull);
    return false;
  }
  const auto written = subscriber.outbound->protect_rtp(header, parts, ext_seq, out);
  if (!written) {
    engine.drop(DropReason::EncryptFailed);
    return false;
  }
  engine.outbox.commit(*written, *subscriber.ice.send_path(), OutKind::Media, &subscriber);
  return true;
}

void note_late_send(const EngineState& engine, Life& life) {
  if (life.is_cut && engine.is_late_send_planted) life.has_sent_late = true;
}

bool send_original(EngineState& engine, Forwarder& forwarder, const StoredPacket& packet,
                   ByteView payload, const Outgoing& numbers, Now now) {
  const AddForward& downlink = forwarder.parameters();
  std::array<uint8_t, kHeaderBytesMax> header_room;
  const HeaderFields fields{downlink.payload_type, downlink.ssrc, numbers.ext_seq,
                            numbers.timestamp,     packet.marker, packet.audio_level};
  const ByteView header = write_header(downlink, fields, header_room, now);
  std::array<uint8_t, kVp8DescriptorBytesMax> descriptor;
  const size_t descriptor_bytes = rewrite_descriptor(packet.video, payload, numbers.picture_id,
                                                     numbers.tl0_pic_idx, descriptor);
  const std::array<ByteView, 2> parts{ByteView(descriptor).first(descriptor_bytes),
                                      payload.subspan(descriptor_bytes)};
  Transport& subscriber = forwarder.subscriber();
  if (!protect(engine, subscriber, header, parts, numbers.ext_seq)) return false;
  forwarder.on_sent(payload.size(), now.mono);
  ++engine.counters.rtp_forwarded;
  ++subscriber.life->packets_forwarded;
  note_late_send(engine, *subscriber.life);
  return true;
}

// RFC 4588 section 4: the original sequence number, then the packet as it was rewritten the first time.
bool send_repeat(EngineState& engine, Forwarder& forwarder, const StoredPacket& packet,
                 ByteView payload, const Repeat& repeat, Now now) {
  const AddForward& downlink = forwarder.parameters();
  std::array<uint8_t, kHeaderBytesMax> header_room;
  const HeaderFields fields{downlink.rtx_payload_type, downlink.rtx_ssrc, repeat.rtx_ext_seq,
                            repeat.numbers.timestamp,  packet.marker,     packet.audio_level};
  const ByteView header = write_header(downlink, fields, header_room, now);
  std::array<uint8_t, 2 + kVp8DescriptorBytesMax> prefix;
  prefix[0] = static_cast<uint8_t>(repeat.original_seq >> 8);
  prefix[1] = static_cast<uint8_t>(repeat.original_seq);
  const size_t descriptor_bytes =
      rewrite_descriptor(packet.video, payload, repeat.numbers.picture_id,
                         repeat.numbers.tl0_pic_idx, ByteSpan(prefix).subspan(2));
  const std::array<ByteView, 2> parts{ByteView(prefix).first(2 + descriptor_bytes),
                                      payload.subspan(descriptor_bytes)};
  if (!protect(engine, forwarder.subscriber(), header, parts, repeat.rtx_ext_seq)) return false;
  ++engine.counters.rtx_out;
  return true;
}

UplinkStream* stream_of(Track& track, const QueuedPacket& queued) {
  if (queued.layer >= track.layers.size()) return nullptr;
  UplinkStream* stream = track.layers[queued.layer].stream.get();
  return stream != nullptr && stream->ssrc() == queued.ssrc ? stream : nullptr;
}

void forward_one(EngineState& engine, Track& track, Forwarder& forwarder,
                 const QueuedPacket& queued, const UplinkStream& stream, const StoredPacket& packet,
                 size_t& budget, Now now) {
  if (!may_send_media(engine, forwarder.subscriber()))
    return engine.drop(DropReason::SubscriberNotReady);
  const Decision decision = forwarder.on_packet(packet, queued.layer, stream, now.mono);
  if (decision.out) {
    if (send_original(engine, forwarder, packet, stream.history().payload(packet), *decision.out,
                      now))
      --budget;
    return;
  }
  engine.drop(decision.reason);
  if (decision.reason == DropReason::WaitingForKeyFrame)
    want_key_frame(engine, track, queued.layer, now);
}

// True when the packet is done with; false when the budget ended before its last forwarder.
bool forward(EngineState& engine, QueuedPacket& queued, size_t& budget, Now now) {
  Track* track = engine.find_track(queued.track);
  UplinkStream* stream = track ? stream_of(*track, queued) : nullptr;
  if (stream == nullptr) {
    engine.drop(DropReason::HistoryOverrun);
    return true;
  }
  const StoredPacket* packet = stream->history().find(queued.ext_seq);
  if (packet == nullptr) {
    engine.drop(DropReason::HistoryOverrun);
    return true;
  }
  if (packet->video.starts_key_frame && queued.next_forwarder == 0)
    track->layers[queued.layer].wants_key_frame = false;
  for (; queued.next_forwarder < track->forwarders.size(); ++queued.next_forwarder) {
    if (budget == 0) return false;
    forward_one(engine, *track, track->forwarders[queued.next_forwarder], queued, *stream, *packet,
                budget, now);
  }
  return true;
}

void skip(EngineState& engine, const QueuedPacket& queued) {
  Track* track = engine.find_track(queued.track);
  if (track == nullptr || stream_of(*track, queued) == nullptr) return;
  for (Forwarder& forwarder : track->forwarders) forwarder.on_skip(queued.layer, queued.ext_seq);
}

void repeat(EngineState& engine, const QueuedPacket& queued, size_t& budget, Now now) {
  Transport* subscriber = engine.find_transport(queued.subscriber);
  if (subscriber != nullptr && subscriber->repeats_queued > 0) --subscriber->repeats_queued;
  if (subscriber == nullptr || subscriber->is_cut || !subscriber->can_send() ||
      !subscriber->is_admitted)
    return engine.drop(DropReason::SubscriberNotReady);
  const auto downlink = subscriber->downlink_ssrcs.find(queued.ssrc);
  if (downlink == subscriber->downlink_ssrcs.end()) return engine.drop(DropReason::NackUnknownSeq);
  Track& track = *downlink->second.track;
  Forwarder& forwarder = track.forwarders[downlink->second.forwarder];
  const auto found = forwarder.take_repeat(queued.seq);
  if (!found) return engine.drop(DropReason::NackUnknownSeq);
  const UplinkStream* stream = track.layers[found->layer].stream.get();
  const StoredPacket* packet = stream ? stream->history().find(found->source_ext_seq) : nullptr;
  if (packet == nullptr || packet->size == 0) return engine.drop(DropReason::HistoryOverrun);
  if (send_repeat(engine, forwarder, *packet, stream->history().payload(*packet), *found, now))
    --budget;
}

}  // namespace

void forward_queued(EngineState& engine, size_t& budget, Now now) {
  while (budget > 0 && !engine.pacer.is_empty()) {
    QueuedPacket& queued = engine.pacer.front();
    if (queued.kind == QueuedPacket::Kind::Forward && !forward(engine, queued, budget, now)) return;
    if (queued.kind == QueuedPacket::Kind::Skip) skip(engine, queued);
    if (queued.kind == QueuedPacket::Kind::Repeat) repeat(engine, queued, budget, now);
    engine.pacer.pop();
  }
}

}  // namespace atrium::media
