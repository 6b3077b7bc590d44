#include "media/forwarder.h"

#include <algorithm>
#include <utility>

#include "wire/seq.h"

namespace atrium::media {
namespace {

// Wraps after 49 days, never zero.
uint32_t ms_of(Mono now) {
  return static_cast<uint32_t>(now.time_since_epoch().count() / 1'000) | 1;
}

// A downlink that was silent for so long gets no sender reports: nothing is to be kept in step.
constexpr auto kReportWindow = std::chrono::seconds(5);
// Numbers begin in the lower quarter of the space, so that a peer that guesses the rollover counter from zero is
// right even when the first packets are lost (RFC 3711 section 3.3.1).
constexpr uint64_t kFirstSeqMask = 0x3fff;

}  // namespace

Forwarder::Forwarder(Transport& subscriber, Given given)
    : subscriber_(&subscriber),
      parameters_(std::move(given.command)),
      kind_(given.kind),
      clock_rate_(given.clock_rate),
      numbers_(1 + (given.random & kFirstSeqMask)),
      timestamp_offset_(static_cast<uint32_t>(given.random >> 32)),
      last_picture_id_(static_cast<uint16_t>((given.random >> 14) & 0x7fff)),
      last_tl0_(static_cast<uint8_t>(given.random >> 29)),
      rtx_ext_seq_(1 + ((given.random >> 16) & kFirstSeqMask)) {
  if (parameters_.rtx_payload_type != 0) sent_.resize(limits::kForwardHistory);
}

Decision Forwarder::on_packet(const StoredPacket& packet, uint8_t layer, const UplinkStream& stream,
                              Mono now) {
  if (const auto reason = admit(packet, layer, stream, now)) return {std::nullopt, *reason};
  const std::optional<uint64_t> ext_seq = numbers_.map(packet.ext_seq);
  if (!ext_seq) return {std::nullopt, DropReason::BeforeStart};

  Outgoing out;
  out.ext_seq = *ext_seq;
  out.timestamp = packet.timestamp + timestamp_offset_;
  out.picture_id = static_cast<uint16_t>((packet.video.picture_id + picture_id_offset_) & 0x7fff);
  out.tl0_pic_idx = static_cast<uint8_t>(packet.video.tl0_pic_idx + tl0_offset_);
  if (!has_sent_ || wire::is_timestamp_newer(out.timestamp, last_timestamp_) ||
      out.timestamp == last_timestamp_) {
    last_timestamp_ = out.timestamp;
    last_picture_id_ = out.picture_id;
    last_tl0_ = out.tl0_pic_idx;
  }
  has_sent_ = true;
  last_sent_at_ = now;
  last_clock_ = stream.clock();
  remember(out, packet.ext_seq, layer);
  return {out, DropReason::Count};
}

// Starts or switches where that is due; otherwise says why the packet stays.
std::optional<DropReason> Forwarder::admit(const StoredPacket& packet, uint8_t layer,
                                           const UplinkStream& stream, Mono now) {
  if (is_paused()) return DropReason::ForwardPaused;
  if (kind_ == Kind::Audio) {
    if (needs_start_) start(packet, layer, stream, now);
    return std::nullopt;
  }
  const bool is_target = layer == target_layer_;
  if (needs_start_ || layer != current_layer_) {
    if (!is_target) return DropReason::LayerNotSelected;
    if (!can_start_at(packet)) return DropReason::WaitingForKeyFrame;
    start(packet, layer, stream, now);
  }
  return std::nullopt;
}

// A key frame whose first packet comes late has lost the packets behind it to this downlink: the next one is waited
// for.
bool Forwarder::can_start_at(const StoredPacket& packet) {
  if (packet.video.starts_key_frame && packet.ext_seq > newest_refused_) return true;
  newest_refused_ = std::max(newest_refused_, packet.ext_seq);
  return false;
}

void Forwarder::start(const StoredPacket& packet, uint8_t layer, const UplinkStream& stream,
                      Mono now) {
  if (has_sent_ && (layer != current_layer_ || has_new_source_))
    timestamp_offset_ = timestamp_after_switch(packet, stream, now) - packet.timestamp;
  picture_id_offset_ = static_cast<uint16_t>(last_picture_id_ + 1 - packet.video.picture_id);
  tl0_offset_ = static_cast<uint8_t>(last_tl0_ + 1 - packet.video.tl0_pic_idx);
  numbers_.start_at(packet.ext_seq);
  current_layer_ = layer;
  needs_start_ = has_new_source_ = false;
  newest_refused_ = 0;
}

// Where the packet lies on the timeline that the subscriber knows.  By the publisher's clock when both layers have
// it (they share it), else by time of arrival; always later than what was sent.
uint32_t Forwarder::timestamp_after_switch(const StoredPacket& packet, const UplinkStream& stream,
                                           Mono now) const {
  uint32_t timestamp = 0;
  if (last_clock_ && stream.clock()) {
    const SenderClock& old_clock = *last_clock_;
    const SenderClock& new_clock = *stream.clock();
    const auto ahead = static_cast<int32_t>(packet.timestamp - new_clock.rtp_timestamp);
    const int64_t between =
        rtp_ticks(static_cast<int64_t>(new_clock.ntp - old_clock.ntp), clock_rate_);
    timestamp =
        old_clock.rtp_timestamp + static_cast<uint32_t>(between + ahead) + timestamp_offset_;
  } else {
    const int64_t us = (now - last_sent_at_).count();
    timestamp = last_timestamp_ + static_cast<uint32_t>(us * clock_rate_ / 1'000'000);
  }
  return wire::is_timestamp_newer(timestamp, last_timestamp_) ? timestamp : last_timestamp_ + 1;
}

void Forwarder::remember(const Outgoing& out, uint64_t source_ext_seq, uint8_t layer) {
  if (sent_.empty()) return;
  sent_[out.ext_seq % sent_.size()] = {static_cast<uint32_t>(out.ext_seq),
                                       static_cast<uint32_t>(source_ext_seq),
                                       out.timestamp,
                                       out.picture_id,
                                       out.tl0_pic_idx,
                                       layer,
                                       0};
}

void Forwarder::on_skip(uint8_t layer, uint64_t ext_seq) {
  if (!needs_start_ && layer == current_layer_) numbers_.skip(ext_seq);
}

Forwarder::Sent* Forwarder::find_sent(uint16_t seq) {
  if (sent_.empty()) return nullptr;
  const uint64_t ext_seq = wire::ext_seq_near(numbers_.highest_out(), seq);
  Sent& row = sent_[ext_seq % sent_.size()];
  return row.ext_seq == static_cast<uint32_t>(ext_seq) ? &row : nullptr;
}

std::optional<DropReason> Forwarder::on_nack(uint16_t seq, Mono now) {
  if (sent_.empty()) return DropReason::NackNoRtx;
  Sent* row = find_sent(seq);
  if (row == nullptr) return DropReason::NackUnknownSeq;
  const uint32_t now_ms = ms_of(now);
  if (row->repeated_at_ms != 0 && now_ms - row->repeated_at_ms < limits::kRetransmitSpacingMs)
    return DropReason::NackTooSoon;
  row->repeated_at_ms = now_ms;
  return std::nullopt;
}

std::optional<Repeat> Forwarder::take_repeat(uint16_t seq) {
  const Sent* row = find_sent(seq);
  if (row == nullptr) return std::nullopt;
  Repeat repeat;
  repeat.layer = row->layer;
  repeat.source_ext_seq = row->source_ext_seq;
  repeat.original_seq = seq;
  repeat.rtx_ext_seq = ++rtx_ext_seq_;
  repeat.numbers = {wire::ext_seq_near(numbers_.highest_out(), seq), row->timestamp,
                    row->picture_id, row->tl0_pic_idx};
  return repeat;
}

void Forwarder::on_sent(size_t payload_bytes, Mono now) {
  ++packets_sent_;
  octets_sent_ += static_cast<uint32_t>(payload_bytes);
  last_sent_at_ = now;
}

void Forwarder::restart(Break kind) {
  needs_start_ = true;
  newest_refused_ = 0;
  if (kind == Break::Gap) return;
  has_new_source_ = true;
  // The source's numbers mean other packets from now on: nothing sent before can be sent again.
  std::ranges::fill(sent_, Sent());
}

void Forwarder::set_paused(bool paused) {
  if (parameters_.paused != paused) restart(Break::Gap);
  parameters_.paused = paused;
}

bool Forwarder::retarget(uint32_t live_layers) {
  if (kind_ == Kind::Audio) return false;
  const int target = select_layer(live_layers, wanted_layer_);
  if (target == kNoLayer || target == target_layer_) return false;
  target_layer_ = target;
  newest_refused_ = 0;
  return target != current_layer_;
}

void Forwarder::update(const AddForward& command) {
  set_paused(command.paused);
  parameters_.payload_type = command.payload_type;
  parameters_.extensions = command.extensions;
  parameters_.mid = command.mid;
}

std::optional<wire::SenderInfo> Forwarder::sender_info(const UplinkStream& source,
                                                       const PublisherClock& clock,
                                                       uint64_t ntp_now, Mono now) const {
  if (packets_sent_ == 0 || needs_start_ || now - last_sent_at_ > kReportWindow)
    return std::nullopt;
  const auto theirs = clock.theirs(ntp_now);
  if (!theirs || !source.clock()) return std::nullopt;
  wire::SenderInfo info;
  info.ssrc = parameters_.ssrc;
  info.ntp_time = ntp_now;
  const int64_t since_report =
      rtp_ticks(static_cast<int64_t>(*theirs - source.clock()->ntp), clock_rate_);
  info.rtp_timestamp =
      source.clock()->rtp_timestamp + static_cast<uint32_t>(since_report) + timestamp_offset_;
  info.packet_count = packets_sent_;
  info.octet_count = octets_sent_;
  return info;
}

}  // namespace atrium::media
