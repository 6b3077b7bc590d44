// Pattern: what a synthetic payload carries, so that its receiver proves where it came from, that no byte changed, and
// what was lost, repeated or overtaken on the way.  Pure.
//
//    0      4        8      16        24      28     30        38
//    +------+--------+------+---------+-------+------+---------+----------------------------
//    | ATLD | source | seq  | sent_us | frame | size | check   | filler, from source and seq
//    +------+--------+------+---------+-------+------+---------+----------------------------
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace atrium::load {

inline constexpr size_t kPatternHeaderBytes = 38;

struct Pattern {
  uint32_t source = 0;   // who made it: one number per stream of the whole run
  uint64_t seq = 0;      // of that source, from 0 on without gaps
  uint64_t sent_us = 0;  // wall clock
  uint32_t frame = 0;
};

// Fills all of `out`, which has kPatternHeaderBytes or more and at most 65,535.
void write_pattern(ByteSpan out, const Pattern& pattern);
// nullopt: these are not, to the last byte, what write_pattern made.
std::optional<Pattern> read_pattern(ByteView payload);

enum class Arrived : uint8_t {
  InOrder,     // the next one, or one behind a gap
  Reordered,   // a later one came before it
  Duplicated,  // it was here already
  Stale,       // more than kRemembered behind: whether it was here is not known
};

// One stream as its receiver sees it.
class SequenceCheck {
 public:
  static constexpr uint64_t kRemembered = 2'048;

  Arrived on(uint64_t seq);
  // Of first to `last` (or to the highest seen where that is more), how many never came.
  uint64_t lost(uint64_t last) const;
  uint64_t lost() const { return lost(highest_); }
  bool has_started() const { return has_started_; }
  uint64_t first() const { return first_; }
  uint64_t highest() const { return highest_; }
  uint64_t unique() const { return unique_; }  // without repeats

 private:
  uint64_t& word(uint64_t seq) { return seen_[seq / 64 % seen_.size()]; }
  static uint64_t bit(uint64_t seq) { return uint64_t{1} << (seq % 64); }

  bool has_started_ = false;
  uint64_t first_ = 0, highest_ = 0, unique_ = 0;
  std::array<uint64_t, kRemembered / 64> seen_{};
};

}  // namespace atrium::load
