#include "media/nack.h"

#include <algorithm>

namespace atrium::media {
namespace {
constexpr auto kDelay = std::chrono::milliseconds(limits::kNackDelayMs);
constexpr auto kRetry = std::chrono::milliseconds(limits::kNackRetryMs);
}  // namespace

NackGenerator::Verdict NackGenerator::on_packet(uint64_t ext_seq, Mono now) {
  if (!started_) {
    started_ = true;
    highest_ = ext_seq;
    return Verdict::Fine;
  }
  if (ext_seq <= highest_) {
    const auto end = missing_.begin() + static_cast<ptrdiff_t>(count_);
    const auto it = std::lower_bound(missing_.begin(), end, ext_seq,
                                     [](const Missing& m, uint64_t seq) { return m.ext_seq < seq; });
    if (it != end && it->ext_seq == ext_seq) erase(static_cast<size_t>(it - missing_.begin()), 1);
    return Verdict::Fine;
  }
  const uint64_t gap = ext_seq - highest_ - 1;
  const uint64_t first = highest_ + 1;
  highest_ = ext_seq;
  if (gap + count_ > missing_.size()) {
    count_ = 0;
    return Verdict::GaveUp;
  }
  for (uint64_t i = 0; i < gap; ++i) missing_[count_++] = {first + i, now + kDelay, 0};
  return Verdict::Fine;
}

size_t NackGenerator::take_due(Mono now, std::span<uint16_t> out, size_t& gave_up) {
  size_t filled = 0, kept = 0;
  for (size_t i = 0; i < count_; ++i) {
    Missing entry = missing_[i];
    if (entry.ask_at <= now && filled < out.size()) {
      if (entry.asked >= limits::kNackRetriesMax) {
        ++gave_up;
        continue;
      }
      out[filled++] = static_cast<uint16_t>(entry.ext_seq);
      ++entry.asked;
      entry.ask_at = now + kRetry;
    }
    missing_[kept++] = entry;
  }
  count_ = kept;
  return filled;
}

void NackGenerator::forget_before(uint64_t ext_seq) {
  size_t older = 0;
  while (older < count_ && missing_[older].ext_seq < ext_seq) ++older;
  erase(0, older);
}

Mono NackGenerator::next_deadline() const {
  Mono earliest = kNever;
  for (size_t i = 0; i < count_; ++i) earliest = std::min(earliest, missing_[i].ask_at);
  return earliest;
}

void NackGenerator::erase(size_t index, size_t count) {
  const auto begin = missing_.begin() + static_cast<ptrdiff_t>(index);
  std::move(begin + static_cast<ptrdiff_t>(count), missing_.begin() + static_cast<ptrdiff_t>(count_), begin);
  count_ -= count;
}

}  // namespace atrium::media
