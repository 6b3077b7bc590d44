// NackGenerator: which packets of one uplink stream are missing and when to ask for them (RFC 4585 section 6.2.1).
// Owner: UplinkStream.  Thread: its shard.  Fixed memory.  Does not: write RTCP.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/limits.h"
#include "base/time.h"

namespace atrium::media {

class NackGenerator {
 public:
  enum class Verdict : uint8_t {
    Fine,
    GaveUp,  // too much is missing to be repaired: ask for a key frame
  };

  // A packet arrived, new or late, original or retransmitted.
  Verdict on_packet(uint64_t ext_seq, Mono now);
  // Fills `out` with the numbers to ask for now, lowest first; returns how many.  `gave_up` counts those that were
  // asked for kNackRetriesMax times and are forgotten.
  size_t take_due(Mono now, std::span<uint16_t> out, size_t& gave_up);
  // Nothing before `ext_seq` is needed any more: a key frame starts there.
  void forget_before(uint64_t ext_seq);
  Mono next_deadline() const;
  size_t missing() const { return count_; }

 private:
  struct Missing {
    uint64_t ext_seq = 0;
    Mono ask_at{};
    uint8_t asked = 0;
  };
  void erase(size_t index, size_t count);

  std::array<Missing, limits::kNackMissingMax> missing_{};  // ascending
  size_t count_ = 0;
  uint64_t highest_ = 0;
  bool started_ = false;
};

}  // namespace atrium::media
