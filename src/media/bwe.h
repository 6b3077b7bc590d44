// BandwidthEstimate: what one subscriber's path is thought to carry.  For now it only keeps what receiver reports
// say and sets no limit; layer selection and the pacer ask `target_bitrate_bps`, so that an estimator (loss-based,
// or delay-based on transport-wide feedback that we would then negotiate downstream) replaces the inside and nothing
// else. Owner: Transport.  Thread: its shard.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/time.h"
#include "wire/rtcp.h"

namespace atrium::media {

class BandwidthEstimate {
 public:
  static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

  // One report block about a stream that we send; `ntp_now` on the clock that our sender reports carry.
  void on_report_block(const wire::ReportBlock& block, uint64_t ntp_now) {
    fraction_lost_ = block.fraction_lost;
    if (block.last_sr == 0) return;
    // RFC 3550 section 6.4.1: A - LSR - DLSR, in 1/65536 s.
    const uint32_t elapsed = wire::middle_ntp(ntp_now) - block.last_sr - block.delay_since_last_sr;
    if (elapsed > kLongest) return;  // a clock went backwards, or the peer makes it up
    rtt_ = Duration(static_cast<int64_t>(elapsed) * 1'000'000 / 65'536);
  }
  uint64_t target_bitrate_bps() const { return kUnlimited; }
  Duration rtt() const { return rtt_; }  // zero until the first report
  uint8_t fraction_lost() const { return fraction_lost_; }  // of 256

 private:
  static constexpr uint32_t kLongest = 10 * 65'536;
  Duration rtt_{0};
  uint8_t fraction_lost_ = 0;
};

}  // namespace atrium::media
