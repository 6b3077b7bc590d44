// Per-SSRC memory of SRTP: which indices were seen (inbound) or used (outbound).  Owner:
// SrtpInbound, SrtpOutbound. RFC 3711 sections 3.3.1 (index guess) and 3.3.2 (replay).  Cost: one
// multiplicative hash and a short probe per packet; an entry is 144 bytes.
// Entries are never removed: forgetting one would permit a replay or a reuse.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/limits.h"

namespace atrium::media {

// SSRC → dense slot number 0, 1, 2…  Open addressing, at most half full.
class SsrcIndex {
 public:
  explicit SsrcIndex(size_t max) : max_(max) {}
  std::optional<uint32_t> find(uint32_t ssrc) const;
  // The SSRC must be absent and the index not full.
  uint32_t insert(uint32_t ssrc);
  bool is_full() const { return count_ >= max_; }
  size_t size() const { return count_; }

 private:
  struct Cell {
    uint32_t ssrc = 0;
    uint32_t slot_plus_one = 0;  // 0: empty
  };
  size_t first_cell(uint32_t ssrc) const;
  void place(uint32_t ssrc, uint32_t slot);

  size_t max_;
  size_t count_ = 0;
  std::vector<Cell> cells_;
};

enum class ReplayVerdict : uint8_t { Fresh, Seen, TooOld };

// A ring of bits below the highest index seen.
class ReplayWindow {
 public:
  ReplayVerdict check(uint64_t index) const;
  void mark(uint64_t index);
  bool is_started() const { return started_; }
  uint64_t highest() const { return highest_; }

 private:
  static constexpr uint64_t kBits = static_cast<uint64_t>(limits::kSrtpReplayWindow);
  static_assert(kBits % 64 == 0);
  void set(uint64_t index, bool value);

  uint64_t highest_ = 0;
  bool started_ = false;
  std::array<uint64_t, kBits / 64> bits_{};
};

// RFC 3711 section 3.3.1: the index nearest to `highest` that ends in `seq`; nullopt where it would
// be negative or would need a rollover counter of more than 32 bits.
std::optional<uint64_t> guess_srtp_index(uint64_t highest, uint16_t seq);

// Which of the newest indices were used.  The window reaches as far back as rewrites are remembered: a publisher's
// repair may come as late as that, and is encrypted for the first time then.
class UsedIndices {
 public:
  // False: used before, or too far behind to know.
  bool use(uint64_t index) {
    if (window_.check(index) != ReplayVerdict::Fresh) return false;
    window_.mark(index);
    return true;
  }

 private:
  static_assert(limits::kSrtpReplayWindow >= limits::kForwardHistory);
  ReplayWindow window_;
};

}  // namespace atrium::media
