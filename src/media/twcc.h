// TwccCollector: when each packet of a publisher arrived, for transport-wide feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).  libwebrtc's estimate does not grow without it.
// Owner: Transport.  Thread: its shard.  Memory: fixed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/time.h"
#include "wire/rtcp.h"

namespace atrium::media {

class TwccCollector {
 public:
  // `media_ssrc`: any stream of the publisher; feedback names it though it speaks about all of them.
  void on_packet(uint16_t transport_seq, uint32_t media_ssrc, Mono now);
  bool has_news() const { return news_ > 0; }
  Mono next_deadline() const { return deadline_; }  // kNever without news
  // Appends one feedback packet; false when nothing is left to say or there was no room.  Call until false, or until
  // out of room; what is not written waits for the next deadline.
  bool write_feedback(ByteWriter& out, uint32_t sender_ssrc, Mono now);

 private:
  struct Slot {
    uint64_t ext_seq = 0;  // 0 = not received
    Mono at{};
  };
  static constexpr size_t kSlots = static_cast<size_t>(limits::kTwccPacketsMax);
  Slot& slot_of(uint64_t ext_seq) { return slots_[ext_seq % kSlots]; }

  std::array<Slot, kSlots> slots_{};
  std::optional<uint64_t> highest_;
  uint64_t base_ = 0;   // first number not yet reported
  size_t news_ = 0;     // received since the last feedback
  uint32_t media_ssrc_ = 0;
  uint8_t feedback_count_ = 0;
  Mono deadline_ = kNever;
};

}  // namespace atrium::media
