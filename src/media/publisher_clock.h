// PublisherClock: how a publisher's NTP clock lies against ours.  One per publishing transport and shared by all its
// streams, so that whatever error it has is the same for audio and video and their distance stays what the publisher
// said. RFC 3550 section 6.4.1.  All times are 32.32 fixed point seconds.
#pragma once

#include <cstdint>
#include <optional>

namespace atrium::media {

class PublisherClock {
 public:
  // `ours` is our NTP time at the arrival of a sender report that says `theirs`: whatever the publisher likes.  NTP
  // times lie on a circle of 2^64, so offsets are subtracted there, unsigned, and the shorter way round counts.
  void on_sender_report(uint64_t theirs, uint64_t ours) {
    const uint64_t sample = ours - theirs;
    const auto distance = static_cast<int64_t>(sample - offset_.value_or(0));
    if (!offset_ || distance > kStep || distance < -kStep) {
      offset_ = sample;  // the first, or the publisher's clock was set
      return;
    }
    *offset_ += static_cast<uint64_t>(distance / kSmoothing);
  }
  // What the publisher's clock shows when ours shows `ours`.
  std::optional<uint64_t> theirs(uint64_t ours) const {
    if (!offset_) return std::nullopt;
    return ours - *offset_;
  }

 private:
  static constexpr int64_t kStep = int64_t{1} << 32;  // one second
  static constexpr int64_t kSmoothing =
      32;  // network jitter is followed slowly: two reports a second, 16 s
  std::optional<uint64_t> offset_;
};

// RTP ticks of `clock_rate` in a span of NTP time.
constexpr int64_t rtp_ticks(int64_t ntp_span, uint32_t clock_rate) {
  const int64_t seconds = ntp_span >> 32;
  const auto fraction = static_cast<uint64_t>(ntp_span) & 0xffff'ffffu;
  return seconds * clock_rate + static_cast<int64_t>((fraction * clock_rate) >> 32);
}

}  // namespace atrium::media
