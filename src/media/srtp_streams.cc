#include "media/srtp_streams.h"

#include <utility>

#include "base/check.h"

namespace atrium::media {

size_t SsrcIndex::first_cell(uint32_t ssrc) const {
  const uint64_t mixed = uint64_t{ssrc} * 0x9e3779b97f4a7c15ull;
  return static_cast<size_t>(mixed >> 32) & (cells_.size() - 1);
}

std::optional<uint32_t> SsrcIndex::find(uint32_t ssrc) const {
  if (cells_.empty()) return std::nullopt;
  for (size_t at = first_cell(ssrc);; at = (at + 1) & (cells_.size() - 1)) {
    const Cell& cell = cells_[at];
    if (cell.slot_plus_one == 0) return std::nullopt;
    if (cell.ssrc == ssrc) return cell.slot_plus_one - 1;
  }
}

void SsrcIndex::place(uint32_t ssrc, uint32_t slot) {
  size_t at = first_cell(ssrc);
  while (cells_[at].slot_plus_one != 0) at = (at + 1) & (cells_.size() - 1);
  cells_[at] = {.ssrc = ssrc, .slot_plus_one = slot + 1};
}

uint32_t SsrcIndex::insert(uint32_t ssrc) {
  CHECK(!is_full());
  if ((count_ + 1) * 2 > cells_.size()) {
    std::vector<Cell> old =
        std::exchange(cells_, std::vector<Cell>(cells_.empty() ? 8 : cells_.size() * 2));
    for (const Cell& cell : old)
      if (cell.slot_plus_one != 0) place(cell.ssrc, cell.slot_plus_one - 1);
  }
  const auto slot = static_cast<uint32_t>(count_++);
  place(ssrc, slot);
  return slot;
}

void ReplayWindow::set(uint64_t index, bool value) {
  const uint64_t bit = index % kBits;
  const uint64_t mask = uint64_t{1} << (bit % 64);
  uint64_t& word = bits_[bit / 64];
  word = value ? word | mask : word & ~mask;
}

ReplayVerdict ReplayWindow::check(uint64_t index) const {
  if (!started_ || index > highest_) return ReplayVerdict::Fresh;
  if (highest_ - index >= kBits) return ReplayVerdict::TooOld;
  const uint64_t bit = index % kBits;
  const bool seen = (bits_[bit / 64] >> (bit % 64)) & 1;
  return seen ? ReplayVerdict::Seen : ReplayVerdict::Fresh;
}

void ReplayWindow::mark(uint64_t index) {
  if (!started_ || (index > highest_ && index - highest_ >= kBits)) {
    bits_.fill(0);
    highest_ = index;
    started_ = true;
  }
  while (highest_ < index) set(++highest_, false);
  set(index, true);
}

std::optional<uint64_t> guess_srtp_index(uint64_t highest, uint16_t seq) {
  const uint64_t roc = highest >> 16;
  const auto highest_seq = static_cast<uint32_t>(highest & 0xffff);
  uint64_t guess = roc;
  if (highest_seq < 0x8000) {
    if (seq > highest_seq + 0x8000) {
      if (roc == 0) return std::nullopt;
      guess = roc - 1;
    }
  } else if (seq < highest_seq - 0x8000) {
    if (roc == 0xffff'ffff) return std::nullopt;
    guess = roc + 1;
  }
  return (guess << 16) | seq;
}

}  // namespace atrium::media
