#include "media/feedback.h"

#include <algorithm>
#include <array>
#include <span>

#include "media/streams.h"
#include "wire/rtcp.h"

namespace atrium::media {
namespace {

constexpr auto kPliInterval = std::chrono::milliseconds(limits::kPliIntervalMs);
constexpr auto kReportInterval = std::chrono::milliseconds(limits::kRtcpReportMs);
// Compounds stay within one datagram on every path: 1 200 bytes with SRTCP's trailer.
constexpr size_t kCompoundBytesMax = 1'160;
constexpr size_t kReportBlocksMax = 31;
// A sender report of 28 bytes, and a source description with a CNAME of up to 40 bytes.
constexpr size_t kReportRoom = 28 + 8 + 2 + 255 + 4;

// Collects packets into compounds and sends each when it is full.
class Compound {
 public:
  Compound(EngineState& engine, Transport& transport)
      : engine_(engine), transport_(transport), writer_(room_) {}
  ~Compound() = default;

  // A writer with room for at least `bytes`.
  ByteWriter& with_room(size_t bytes) {
    if (writer_.remaining() < bytes) flush();
    return writer_;
  }
  void flush() {
    if (writer_.position() > 0) send_rtcp(engine_, transport_, writer_.written());
    writer_ = ByteWriter(room_);
  }

 private:
  EngineState& engine_;
  Transport& transport_;
  std::array<uint8_t, kCompoundBytesMax> room_;
  ByteWriter writer_;
};

// --- received ------------------------------------------------------------------------------------------------------

void on_sender_report(EngineState& engine, Transport& transport, const wire::SenderInfo& sender,
                      Now now) {
  const auto it = transport.uplink_ssrcs.find(sender.ssrc);
  if (it == transport.uplink_ssrcs.end() || it->second.is_rtx) return;
  const Layer& layer = it->second.track->layers[it->second.layer];
  if (!layer.stream || sender.ntp_time == 0) return;
  layer.stream->on_sender_report(sender.ntp_time, sender.rtp_timestamp, now.mono);
  transport.clock.on_sender_report(sender.ntp_time, engine.ntp(now));
}

void on_report_blocks(EngineState& engine, Transport& transport, const wire::ReportBlocks& blocks,
                      Now now) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const wire::ReportBlock block = blocks[i];
    if (transport.downlink_ssrcs.contains(block.ssrc))
      transport.bandwidth.on_report_block(block, engine.ntp(now));
  }
}

// What is asked for in vain is refused here, so that it takes no place in the queue that all rooms of the shard share;
// and what may be asked for takes a bounded part of it.
void on_nack(EngineState& engine, Transport& transport, wire::NackView nack, Now now) {
  const auto it = transport.downlink_ssrcs.find(nack.media_ssrc);
  if (it == transport.downlink_ssrcs.end()) return engine.drop(DropReason::RtcpUnknownSsrc);
  Forwarder& forwarder = it->second.track->forwarders[it->second.forwarder];
  QueuedPacket queued;
  queued.kind = QueuedPacket::Kind::Repeat;
  queued.life = transport.life->id;
  queued.subscriber = transport.id();
  queued.ssrc = nack.media_ssrc;
  // A compound of 1 500 bytes can name some 6 000 numbers; more than a stream remembers is not asked in good faith.
  for (int64_t asked = 0; asked < limits::kForwardHistory; ++asked) {
    const auto seq = nack.next_seq();
    if (!seq) return;
    ++engine.counters.nacks_received;
    if (transport.repeats_queued >= limits::kRepeatsQueuedMax) {
      engine.drop(DropReason::RepeatsFull);
      continue;
    }
    if (const auto reason = forwarder.on_nack(*seq, now.mono)) {
      engine.drop(*reason);
      continue;
    }
    queued.seq = *seq;
    if (!engine.pacer.push(queued)) return engine.drop(DropReason::PacerFull);
    ++transport.repeats_queued;
  }
}

void on_key_frame_request(EngineState& engine, Transport& transport, uint32_t ssrc, Now now) {
  ++engine.counters.plis_received;
  const auto it = transport.downlink_ssrcs.find(ssrc);
  if (it == transport.downlink_ssrcs.end()) return engine.drop(DropReason::RtcpUnknownSsrc);
  Track& track = *it->second.track;
  const Forwarder& forwarder = track.forwarders[it->second.forwarder];
  if (forwarder.kind() != Kind::Video || forwarder.is_paused()) return;
  if (forwarder.current_layer() == kNoLayer)
    return request_for_subscriber(engine, track, transport, now);
  want_key_frame(engine, track, static_cast<uint8_t>(forwarder.current_layer()), now);
}

void on_transport_feedback(EngineState& engine, Transport& transport,
                           const wire::RtcpPacketView& packet, Now now) {
  if (!packet.is_transport_feedback(wire::kFormatNack))
    return;  // transport-wide feedback: see bwe.h
  const auto nack = wire::NackView::create(packet);
  if (!nack) return engine.drop(DropReason::RtcpMalformed);
  on_nack(engine, transport, *nack, now);
}

void on_payload_feedback(EngineState& engine, Transport& transport,
                         const wire::RtcpPacketView& packet, Now now) {
  if (packet.is_payload_feedback(wire::kFormatPli)) {
    const auto pli = wire::parse_pli(packet);
    if (!pli) return engine.drop(DropReason::RtcpMalformed);
    return on_key_frame_request(engine, transport, pli->media_ssrc, now);
  }
  if (packet.is_payload_feedback(wire::kFormatFir)) {
    const auto fir = wire::parse_fir(packet);
    if (!fir) return engine.drop(DropReason::RtcpMalformed);
    for (size_t i = 0; i < fir->size(); ++i)
      on_key_frame_request(engine, transport, (*fir)[i].ssrc, now);
  }
}

void on_report(EngineState& engine, Transport& transport, const wire::RtcpPacketView& packet,
               Now now) {
  if (packet.type == wire::RtcpType::SenderReport) {
    const auto report = wire::parse_sender_report(packet);
    if (!report) return engine.drop(DropReason::RtcpMalformed);
    on_sender_report(engine, transport, report->sender, now);
    return on_report_blocks(engine, transport, report->blocks, now);
  }
  const auto report = wire::parse_receiver_report(packet);
  if (!report) return engine.drop(DropReason::RtcpMalformed);
  on_report_blocks(engine, transport, report->blocks, now);
}

// --- sent ----------------------------------------------------------------------------------------------------------

void write_nacks(EngineState& engine, Transport& transport, Compound& compound, Now now) {
  for (Track* track : transport.published) {
    if (!track->given.nack || track->is_muted) continue;
    for (Layer& layer : track->layers) {
      if (!layer.stream || layer.stream->nack().next_deadline() > now.mono) continue;
      std::array<uint16_t, limits::kNackMissingMax> seqs;
      size_t gave_up = 0;
      const size_t count = layer.stream->nack().take_due(now.mono, seqs, gave_up);
      engine.counters.nacks_given_up += gave_up;
      if (gave_up > 0 && track->given.kind == Kind::Video)
        want_key_frame(engine, *track, static_cast<uint8_t>(&layer - track->layers.data()), now);
      if (count == 0) continue;
      ByteWriter& writer = compound.with_room(kCompoundBytesMax / 2);
      engine.counters.nacks_sent += wire::write_nack(
          writer, transport.rtcp_ssrc, layer.stream->ssrc(), std::span(seqs).first(count));
    }
  }
}

void write_key_frame_requests(EngineState& engine, Transport& transport, Now now) {
  for (Track* track : transport.published)
    for (Layer& layer : track->layers) {
      if (!layer.wants_key_frame || !layer.stream || track->is_muted) continue;
      if (track->forwarders.empty()) {
        layer.wants_key_frame = false;  // who waited is gone
        continue;
      }
      if (!layer.has_requested || now.mono - layer.requested_at >= kPliInterval)
        send_key_frame_request(engine, *track, layer, now);
    }
}

void write_transport_wide(EngineState& engine, Transport& transport, Compound& compound, Now now) {
  if (!transport.twcc || transport.twcc->next_deadline() > now.mono) return;
  // Every call takes at least one arrival, and there are at most kTwccPacketsMax.
  while (transport.twcc->write_feedback(compound.with_room(kCompoundBytesMax), transport.rtcp_ssrc,
                                        now.mono))
    ++engine.counters.twcc_feedback_sent;
}

void write_receiver_report(EngineState&, Transport& transport, Compound& compound, Now now) {
  std::array<wire::ReportBlock, kReportBlocksMax> blocks;
  size_t count = 0;
  for (Track* track : transport.published)
    for (Layer& layer : track->layers) {
      if (!layer.stream || !layer.stream->is_live(now.mono) || count == blocks.size()) continue;
      const ReceptionReport report = layer.stream->take_report(now.mono);
      blocks[count++] = {layer.stream->ssrc(),      report.fraction_lost, report.cumulative_lost,
                         report.highest_seq,        report.jitter,        report.last_sr,
                         report.delay_since_last_sr};
    }
  if (count == 0) return;
  ByteWriter& writer = compound.with_room(8 + 24 * count + 8 + 255);
  wire::write_receiver_report(writer, transport.rtcp_ssrc, std::span(blocks).first(count));
  wire::write_sdes_cname(writer, transport.rtcp_ssrc, "atrium");
}

void write_sender_reports(EngineState& engine, Transport& transport, Compound& compound, Now now) {
  const uint64_t ntp_now = engine.ntp(now);
  for (const auto& [ssrc, downlink] : transport.downlink_ssrcs) {
    const Forwarder& forwarder = downlink.track->forwarders[downlink.forwarder];
    if (ssrc != forwarder.parameters().ssrc || forwarder.current_layer() == kNoLayer) continue;
    const auto layer = static_cast<size_t>(forwarder.current_layer());
    const UplinkStream* stream = downlink.track->layers[layer].stream.get();
    if (stream == nullptr) continue;
    const auto info =
        forwarder.sender_info(*stream, downlink.track->publisher->clock, ntp_now, now.mono);
    if (!info) continue;
    ByteWriter& writer = compound.with_room(kReportRoom);
    wire::write_sender_report(writer, *info, {});
    wire::write_sdes_cname(writer, ssrc, forwarder.parameters().cname);
    ++engine.counters.sender_reports_sent;
  }
}

void write_reports(EngineState& engine, Transport& transport, Compound& compound, Now now) {
  if (transport.report_at > now.mono) return;
  transport.report_at = now.mono + kReportInterval;
  for (Track* track : transport.published) refresh_live_layers(engine, *track, now);
  write_receiver_report(engine, transport, compound, now);
  compound.flush();
  write_sender_reports(engine, transport, compound, now);
}

}  // namespace

void receive_rtcp(EngineState& engine, Transport& transport, ByteView compound, Now now) {
  auto reader = wire::RtcpReader::create(compound);
  if (!reader) return engine.drop(DropReason::RtcpMalformed);
  while (const auto packet = reader->next()) {
    switch (packet->type) {
      case wire::RtcpType::SenderReport:
      case wire::RtcpType::ReceiverReport:
        on_report(engine, transport, *packet, now);
        break;
      case wire::RtcpType::TransportFeedback:
        on_transport_feedback(engine, transport, *packet, now);
        break;
      case wire::RtcpType::PayloadFeedback:
        on_payload_feedback(engine, transport, *packet, now);
        break;
      default:
        break;  // names, goodbyes and extended reports change nothing here
    }
  }
}

void send_rtcp(EngineState& engine, Transport& transport, ByteView compound) {
  if (!transport.outbound || !transport.can_send()) return;
  const ByteSpan out = engine.outbox.reserve(compound.size() + kSrtcpOverheadMax);
  if (out.empty()) return engine.drop(DropReason::OutputFull);
  const auto written = transport.outbound->protect_rtcp(compound, out);
  if (!written) return engine.drop(DropReason::EncryptFailed);
  engine.outbox.commit(*written, *transport.ice.send_path(), OutKind::Control, &transport);
  ++engine.counters.rtcp_out;
}

void send_key_frame_request(EngineState& engine, Track& track, Layer& layer, Now now) {
  std::array<uint8_t, 12> room;
  ByteWriter writer(room);
  wire::write_pli(writer, track.publisher->rtcp_ssrc, layer.stream->ssrc());
  send_rtcp(engine, *track.publisher, writer.written());
  layer.has_requested = true;
  layer.requested_at = now.mono;
  ++engine.counters.plis_sent;
}

void send_due_feedback(EngineState& engine, Transport& transport, Now now) {
  if (transport.is_cut || transport.has_lost_consent) return;
  Compound compound(engine, transport);
  write_nacks(engine, transport, compound, now);
  write_key_frame_requests(engine, transport, now);
  compound.flush();
  write_transport_wide(engine, transport, compound, now);
  compound.flush();
  write_reports(engine, transport, compound, now);
  compound.flush();
}

Mono feedback_deadline(const Transport& transport) {
  if (transport.has_lost_consent) return kNever;
  Mono earliest = transport.report_at;
  if (transport.twcc) earliest = std::min(earliest, transport.twcc->next_deadline());
  for (const Track* track : transport.published) {
    if (track->is_muted) continue;
    for (const Layer& layer : track->layers) {
      if (!layer.stream) continue;
      if (track->given.nack) earliest = std::min(earliest, layer.stream->nack().next_deadline());
      if (layer.wants_key_frame && !track->forwarders.empty())
        earliest = std::min(earliest, layer.requested_at + kPliInterval);
    }
  }
  return earliest;
}

}  // namespace atrium::media
