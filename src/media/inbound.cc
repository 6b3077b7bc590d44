#include "media/inbound.h"

#include <algorithm>
#include <expected>
#include <string_view>
#include <utility>

#include "media/connectivity.h"
#include "media/feedback.h"
#include "media/rtx.h"
#include "media/streams.h"
#include "wire/header_extension.h"
#include "wire/rtp.h"

namespace atrium::media {
namespace {

constexpr auto kRelatchInterval = std::chrono::milliseconds(limits::kRelatchIntervalMs);
constexpr auto kLevelInterval = std::chrono::milliseconds(limits::kAudioLevelReportMs);

// The elements that we understand, read once per packet.
struct Extensions {
  std::string_view mid, rid, repaired_rid;
  std::optional<uint16_t> transport_seq;
  std::optional<wire::AudioLevel> audio_level;
  uint8_t audio_level_octet = kNoAudioLevel;
};

Extensions read_extensions(const wire::RtpHeaderView& header, const ExtensionIds& ids) {
  Extensions read;
  wire::ExtensionReader reader(header);
  while (const auto element = reader.next()) {
    const uint8_t id = element->id;
    if (id == 0) continue;
    if (id == ids.transport_seq) read.transport_seq = wire::read_transport_seq(element->data);
    if (id == ids.mid) read.mid = wire::read_text(element->data).value_or("");
    if (id == ids.rid) read.rid = wire::read_text(element->data).value_or("");
    if (id == ids.repaired_rid) read.repaired_rid = wire::read_text(element->data).value_or("");
    if (id == ids.audio_level) read.audio_level = wire::read_audio_level(element->data);
  }
  if (read.audio_level)
    read.audio_level_octet =
        static_cast<uint8_t>((read.audio_level->voice ? 0x80 : 0) | read.audio_level->level_dbov);
  return read;
}

bool carries(const Track& track, uint8_t payload_type) {
  const AddUplink& given = track.given;
  return payload_type == given.payload_type ||
         (given.rtx_payload_type != 0 && payload_type == given.rtx_payload_type) ||
         (given.red_payload_type != 0 && payload_type == given.red_payload_type);
}

// RFC 9143 section 9.2: by MID; without one by payload type, where only one section has it.
Track* find_section(const Transport& transport, const Extensions& extensions,
                    uint8_t payload_type) {
  Track* found = nullptr;
  for (Track* track : transport.published) {
    if (!extensions.mid.empty()) {
      if (track->given.mid == extensions.mid && carries(*track, payload_type)) return track;
      continue;
    }
    if (!carries(*track, payload_type)) continue;
    if (found != nullptr) return nullptr;  // ambiguous
    found = track;
  }
  return found;
}

// The layer's former SSRC, if any, is over: one SSRC per layer, so that a publisher cannot fill the table.  Each change
// clears the layer's history, so that they are taken at intervals.
bool release_former(Transport& transport, const UplinkRef& ref, Now now) {
  const auto is_former = [&](const auto& entry) {
    return entry.second.track == ref.track && entry.second.layer == ref.layer &&
           entry.second.is_rtx == ref.is_rtx;
  };
  if (std::ranges::none_of(transport.uplink_ssrcs, is_former)) return true;
  std::optional<Mono>& relatched_at = ref.track->layers[ref.layer].relatched_at[ref.is_rtx];
  if (relatched_at && now.mono - *relatched_at < kRelatchInterval) return false;
  relatched_at = now.mono;
  std::erase_if(transport.uplink_ssrcs, is_former);
  return true;
}

// A stream without SSRC line: its first packets name it by MID and RID (RFC 8852), repairs by repaired RID.
std::expected<UplinkRef, DropReason> latch(Transport& transport, const wire::RtpHeaderView& header,
                                           const Extensions& extensions, Now now) {
  const std::unexpected unknown(DropReason::RtpUnknownStream);
  Track* track = find_section(transport, extensions, header.payload_type);
  if (track == nullptr) return unknown;
  UplinkRef ref{
      track, 0,
      track->given.rtx_payload_type != 0 && header.payload_type == track->given.rtx_payload_type};
  if (!track->given.rids.empty()) {
    const bool is_repair_named = ref.is_rtx && !extensions.repaired_rid.empty();
    const std::string_view rid = is_repair_named ? extensions.repaired_rid : extensions.rid;
    const auto layer = std::ranges::find(track->layers, rid, &Layer::rid);
    if (rid.empty() || layer == track->layers.end()) return unknown;
    ref.layer = static_cast<uint8_t>(layer - track->layers.begin());
  }
  if (!release_former(transport, ref, now)) return std::unexpected(DropReason::RelatchTooSoon);
  if (static_cast<int64_t>(transport.uplink_ssrcs.size()) >= limits::kUplinkSsrcsMax)
    return std::unexpected(DropReason::SsrcTableFull);
  transport.uplink_ssrcs[header.ssrc] = ref;
  return ref;
}

// The layer's stream under this SSRC: made at its first packet, restarted when the publisher took another SSRC.
UplinkStream& stream_of(Track& track, Layer& layer, uint32_t ssrc) {
  if (!layer.stream) {
    const bool is_audio = track.given.kind == Kind::Audio;
    const int64_t bytes = is_audio ? limits::kRtpHistoryAudioBytes : limits::kRtpHistoryVideoBytes;
    layer.stream =
        std::make_unique<UplinkStream>(ssrc, track.given.clock_rate, static_cast<size_t>(bytes));
  } else if (layer.stream->ssrc() != ssrc) {
    layer.stream->restart(ssrc);
    for (Forwarder& forwarder : track.forwarders)
      if (forwarder.current_layer() == &layer - track.layers.data())
        forwarder.restart(Forwarder::Break::NewSource);
  }
  return *layer.stream;
}

void note_level(EngineState& engine, Track& track, const wire::AudioLevel& level, Now now) {
  track.loudest = std::min(track.loudest, level.level_dbov);
  track.has_level = true;
  if (now.mono - track.level_reported_at < kLevelInterval) return;
  engine.report(AudioLevel{track.id(), track.loudest});
  track.level_reported_at = now.mono;
  track.loudest = 127;
}

void note_started(EngineState& engine, Track& track, uint8_t layer, Now now) {
  if (!track.has_started) {
    track.has_started = true;
    engine.report(UplinkStarted{track.id()});
  }
  if ((track.live_layers & (1u << layer)) != 0) return;
  track.live_layers |= 1u << layer;
  retarget_forwarders(engine, track, now);
}

// One original packet, whether it came as itself or inside a retransmission.
struct MediaPacket {
  UplinkRef ref;
  uint32_t ssrc = 0;
  uint16_t seq = 0;
  uint32_t timestamp = 0;
  bool marker = false, is_retransmission = false;
  uint8_t audio_level_octet = kNoAudioLevel;
  ByteView payload;
};

void enqueue(EngineState& engine, const Track& track, const MediaPacket& packet, uint64_t ext_seq) {
  QueuedPacket queued;
  queued.kind = packet.payload.empty() ? QueuedPacket::Kind::Skip : QueuedPacket::Kind::Forward;
  queued.layer = packet.ref.layer;
  queued.ssrc = packet.ssrc;
  queued.life = track.life->id;
  queued.track = track.id();
  queued.ext_seq = ext_seq;
  if (!engine.pacer.push(queued)) engine.drop(DropReason::PacerFull);
}

// Numbers, history, queue.
void receive_media(EngineState& engine, const MediaPacket& packet, Now now) {
  Track& track = *packet.ref.track;
  Layer& layer = track.layers[packet.ref.layer];
  UplinkStream& stream = stream_of(track, layer, packet.ssrc);
  StoredPacket stored;
  if (track.given.kind == Kind::Video && !packet.payload.empty()) {
    const auto video = read_video_payload(track.given.codec, packet.payload);
    if (!video) return engine.drop(DropReason::RtpMalformed);
    stored.video = *video;
  }
  const auto received =
      stream.on_packet(packet.seq, packet.timestamp, packet.is_retransmission, now.mono);
  if (received.arrival == UplinkStream::Arrival::Duplicate)
    return engine.drop(DropReason::RtpDuplicate);
  if (received.arrival == UplinkStream::Arrival::TooOld) return engine.drop(DropReason::RtpTooOld);
  stored.ext_seq = received.ext_seq;
  stored.timestamp = packet.timestamp;
  stored.marker = packet.marker;
  stored.audio_level = packet.audio_level_octet;
  stream.history().store(stored, packet.payload);

  if (stored.video.starts_key_frame) stream.nack().forget_before(received.ext_seq);
  if (received.too_many_missing && track.given.kind == Kind::Video)
    want_key_frame(engine, track, packet.ref.layer, now);
  if (track.given.nack && stream.nack().missing() > 0)
    engine.deadlines.bring_forward(*track.publisher, stream.nack().next_deadline());
  note_started(engine, track, packet.ref.layer, now);
  if (packet.payload.empty()) engine.drop(DropReason::PaddingOnly);
  if (track.is_muted) return engine.drop(DropReason::UplinkMuted);
  if (track.forwarders.empty())
    return packet.payload.empty() ? void() : engine.drop(DropReason::NoForwarder);
  enqueue(engine, track, packet, received.ext_seq);
}

void receive_repair(EngineState& engine, const wire::RtpHeaderView& header, MediaPacket packet,
                    Now now) {
  const Layer& layer = packet.ref.track->layers[packet.ref.layer];
  const auto wrapped = unwrap_rtx(header.payload);
  if (!wrapped) return engine.drop(DropReason::RtxPadding);
  if (!layer.stream) return engine.drop(DropReason::RtxUnknownStream);
  ++engine.counters.rtx_in;
  packet.ssrc = layer.stream->ssrc();
  packet.seq = wrapped->original_seq;
  packet.payload = wrapped->payload;
  packet.is_retransmission = true;
  receive_media(engine, packet, now);
}

// A decrypted packet of a stream that is known.
void receive_stream_packet(EngineState& engine, const wire::RtpHeaderView& header,
                           const Extensions& extensions, UplinkRef ref, Now now) {
  const AddUplink& given = ref.track->given;
  MediaPacket packet;
  packet.ref = ref;
  packet.ssrc = header.ssrc;
  packet.seq = header.seq;
  packet.timestamp = header.timestamp;
  packet.marker = header.marker;
  packet.audio_level_octet = extensions.audio_level_octet;
  packet.payload = header.payload;
  if (ref.is_rtx) {
    if (header.payload_type != given.rtx_payload_type)
      return engine.drop(DropReason::RtpUnknownPayloadType);
    return receive_repair(engine, header, packet, now);
  }
  if (given.red_payload_type != 0 && header.payload_type == given.red_payload_type &&
      !header.payload.empty()) {
    const auto red = primary_of_red(header.payload);
    if (!red) return engine.drop(DropReason::RtpMalformed);
    if (red->payload_type != given.payload_type)
      return engine.drop(DropReason::RtpUnknownPayloadType);
    packet.payload = red->primary;
  } else if (header.payload_type != given.payload_type) {
    return engine.drop(DropReason::RtpUnknownPayloadType);
  }
  if (given.kind == Kind::Audio && extensions.audio_level && !ref.track->is_muted)
    note_level(engine, *ref.track, *extensions.audio_level, now);
  receive_media(engine, packet, now);
}

void receive_plain_rtp(EngineState& engine, Transport& transport, ByteView plain, Now now) {
  const auto header = wire::parse_rtp(plain);
  if (!header) return engine.drop(DropReason::RtpMalformed);
  const Extensions extensions = read_extensions(*header, transport.uplink_extensions);
  if (transport.twcc && extensions.transport_seq) {
    transport.twcc->on_packet(*extensions.transport_seq, header->ssrc, now.mono);
    engine.deadlines.bring_forward(transport, transport.twcc->next_deadline());
  }
  const auto known = transport.uplink_ssrcs.find(header->ssrc);
  if (known != transport.uplink_ssrcs.end())
    return receive_stream_packet(engine, *header, extensions, known->second, now);
  const auto latched = latch(transport, *header, extensions, now);
  if (!latched) return engine.drop(latched.error());
  receive_stream_packet(engine, *header, extensions, *latched, now);
}

// A life that is cut takes no media, but for the one packet that a test planted.
bool is_cut_for_media(const EngineState& engine, const Transport& transport) {
  if (!transport.is_cut) return false;
  const Life& life = *transport.life;
  return !(engine.is_late_send_planted && life.is_cut && !life.has_sent_late);
}

void receive_srtp(EngineState& engine, Transport& transport, ByteSpan packet, Now now) {
  if (is_cut_for_media(engine, transport)) return engine.drop(DropReason::TransportCut);
  if (!transport.inbound) return engine.drop(DropReason::SrtpNoKeys);
  if (!transport.is_admitted) return engine.drop(DropReason::PathNotAdmitted);
  const auto header = wire::parse_rtp_header(packet);
  if (!header) return engine.drop(DropReason::RtpMalformed);
  size_t plain_size = 0;
  if (transport.inbound->unprotect_rtp(packet, header->header_bytes, plain_size) != SrtpVerdict::Ok)
    return engine.drop(DropReason::SrtpRefused);
  ++engine.counters.rtp_in;
  const ByteView plain = packet.first(plain_size);
  if (transport.given.deliver_to_owner)
    return engine.report(RtpReceived{transport.id(), Bytes(plain.begin(), plain.end())});
  receive_plain_rtp(engine, transport, plain, now);
}

void receive_srtcp(EngineState& engine, Transport& transport, ByteSpan packet, Now now) {
  if (transport.is_cut) return engine.drop(DropReason::TransportCut);
  if (!transport.inbound) return engine.drop(DropReason::SrtpNoKeys);
  size_t plain_size = 0;
  if (transport.inbound->unprotect_rtcp(packet, plain_size) != SrtpVerdict::Ok)
    return engine.drop(DropReason::SrtpRefused);
  ++engine.counters.rtcp_in;
  const ByteView plain = packet.first(plain_size);
  if (transport.given.deliver_to_owner)
    return engine.report(RtpReceived{transport.id(), Bytes(plain.begin(), plain.end())});
  receive_rtcp(engine, transport, plain, now);
}

}  // namespace

void receive_datagram(EngineState& engine, const Datagram& datagram, Now now) {
  ++engine.counters.datagrams_in;
  engine.counters.bytes_in += datagram.bytes.size();
  if (datagram.bytes.empty()) return engine.drop(DropReason::DatagramEmpty);
  if (static_cast<int64_t>(datagram.bytes.size()) > limits::kDatagramBytesMax)
    return engine.drop(DropReason::DatagramTooLong);
  const wire::DatagramKind kind = wire::classify_datagram(datagram.bytes);
  if (kind == wire::DatagramKind::Unknown) return engine.drop(DropReason::UnknownProtocol);
  if (kind == wire::DatagramKind::Stun)
    return receive_stun(engine, datagram.bytes, datagram.path, now);
  const auto it = engine.paths.find(datagram.path);
  if (it == engine.paths.end()) return engine.drop(DropReason::UnknownTuple);
  Transport& transport = *it->second;
  if (kind == wire::DatagramKind::Dtls) return receive_dtls(engine, transport, datagram.bytes, now);
  if (kind == wire::DatagramKind::Rtp) return receive_srtp(engine, transport, datagram.bytes, now);
  receive_srtcp(engine, transport, datagram.bytes, now);
}

}  // namespace atrium::media
