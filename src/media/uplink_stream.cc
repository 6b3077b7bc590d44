#include "media/uplink_stream.h"

#include <algorithm>
#include <cstdlib>

namespace atrium::media {

UplinkStream::Received UplinkStream::on_packet(uint16_t seq, uint32_t timestamp, bool is_retransmission,
                                               Mono now) {
  Received result;
  const std::optional<uint64_t> highest = unwrapper_.highest();
  const bool is_first = !highest.has_value();
  result.ext_seq = is_first ? 0x1'0000u + seq : wire::ext_seq_near(*highest, seq);
  if (!is_first && result.ext_seq + limits::kRtpHistoryPackets <= *highest) {
    result.arrival = Arrival::TooOld;
    return result;
  }
  if (history_.contains(result.ext_seq)) {
    result.arrival = Arrival::Duplicate;
    return result;
  }
  unwrapper_.unwrap(seq);
  if (is_first) base_seq_ = result.ext_seq;
  base_seq_ = std::min(base_seq_, result.ext_seq);
  ++received_;
  last_packet_at_ = now;
  result.too_many_missing = nack_.on_packet(result.ext_seq, now) == NackGenerator::Verdict::GaveUp;
  if (!is_retransmission) update_jitter(timestamp, now);
  return result;
}

// RFC 3550 appendix A.8, in integers: J += (|D| - J) / 16, kept times sixteen.
void UplinkStream::update_jitter(uint32_t timestamp, Mono now) {
  const int64_t us = now.time_since_epoch().count();
  const auto arrival = static_cast<uint32_t>(us / 1'000'000 * clock_rate_ + us % 1'000'000 * clock_rate_ / 1'000'000);
  const uint32_t transit = arrival - timestamp;
  if (has_transit_) {
    const auto step = static_cast<int32_t>(transit - last_transit_);
    const auto distance = static_cast<uint32_t>(std::abs(static_cast<int64_t>(step)));
    // A jump of the sender's timestamps (a track that was replaced) is not jitter.
    if (distance < 5 * clock_rate_) jitter_times_16_ += distance - ((jitter_times_16_ + 8) >> 4);
  }
  last_transit_ = transit;
  has_transit_ = true;
}

void UplinkStream::on_sender_report(uint64_t ntp, uint32_t rtp_timestamp, Mono now) {
  clock_ = SenderClock{ntp, rtp_timestamp, now};
}

void UplinkStream::restart(uint32_t ssrc) {
  ssrc_ = ssrc;
  history_.clear();
  nack_ = NackGenerator();
  unwrapper_ = wire::SeqUnwrapper();
  clock_.reset();
  base_seq_ = received_ = expected_before_ = received_before_ = 0;
  jitter_times_16_ = 0;
  has_transit_ = false;
}

ReceptionReport UplinkStream::take_report(Mono now) {
  ReceptionReport report;
  const bool has_started = unwrapper_.highest().has_value();
  const uint64_t expected = has_started ? highest() - base_seq_ + 1 : 0;
  const auto lost = static_cast<int64_t>(expected - received_);
  report.cumulative_lost = static_cast<int32_t>(std::clamp<int64_t>(lost, -0x800000, 0x7fffff));
  report.highest_seq = has_started ? static_cast<uint32_t>(highest() - 0x1'0000u) : 0;
  report.jitter = jitter_times_16_ >> 4;

  const auto expected_now = static_cast<int64_t>(expected - expected_before_);
  const int64_t lost_now = expected_now - static_cast<int64_t>(received_ - received_before_);
  if (expected_now > 0 && lost_now > 0)
    report.fraction_lost = static_cast<uint8_t>(std::min<int64_t>(255, lost_now * 256 / expected_now));
  expected_before_ = expected;
  received_before_ = received_;

  if (clock_) {
    report.last_sr = static_cast<uint32_t>(clock_->ntp >> 16);
    const int64_t us = (now - clock_->received_at).count();
    report.delay_since_last_sr = static_cast<uint32_t>(us * 65'536 / 1'000'000);
  }
  return report;
}

bool UplinkStream::is_live(Mono now) const {
  return unwrapper_.highest() && now - last_packet_at_ < std::chrono::milliseconds(limits::kLayerLiveMs);
}

}  // namespace atrium::media
