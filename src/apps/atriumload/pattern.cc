#include "apps/atriumload/pattern.h"

#include <algorithm>
#include <cstring>

namespace atrium::load {
namespace {

constexpr uint32_t kMagic = 0x41544c44;  // "ATLD"
constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;

// The finaliser of SplitMix64: every bit of the result depends on every bit of `x`.
constexpr uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t check_of(const Pattern& p, size_t size) {
  return mix(mix(mix(mix(p.source + kOdd) ^ p.seq) ^ p.sent_us) ^ (uint64_t{p.frame} << 16 | size));
}

uint64_t filler(uint64_t key, size_t index) {
  return key + kOdd * (index + 1);
}
uint64_t filler_key(const Pattern& p) {
  return mix((uint64_t{p.source} << 40) ^ p.seq);
}

}  // namespace

void write_pattern(ByteSpan out, const Pattern& pattern) {
  CHECK(out.size() >= kPatternHeaderBytes && out.size() <= 0xffff);
  ByteWriter writer(out);
  writer.u32(kMagic), writer.u32(pattern.source), writer.u64(pattern.seq);
  writer.u64(pattern.sent_us), writer.u32(pattern.frame);
  writer.u16(static_cast<uint16_t>(out.size())), writer.u64(check_of(pattern, out.size()));
  const uint64_t key = filler_key(pattern);
  const ByteSpan rest = out.subspan(kPatternHeaderBytes);
  const size_t words = rest.size() / sizeof key;
  for (size_t i = 0; i < words; ++i) {
    const uint64_t word = filler(key, i);
    std::memcpy(rest.data() + i * sizeof word, &word, sizeof word);
  }
  const uint64_t last = filler(key, words);
  std::memcpy(rest.data() + words * sizeof last, &last, rest.size() % sizeof last);
}

std::optional<Pattern> read_pattern(ByteView payload) {
  ByteReader reader(payload);
  if (payload.size() < kPatternHeaderBytes || *reader.u32() != kMagic) return std::nullopt;
  Pattern pattern;
  pattern.source = *reader.u32(), pattern.seq = *reader.u64();
  pattern.sent_us = *reader.u64(), pattern.frame = *reader.u32();
  if (*reader.u16() != payload.size()) return std::nullopt;
  if (*reader.u64() != check_of(pattern, payload.size())) return std::nullopt;
  const uint64_t key = filler_key(pattern);
  const ByteView rest = reader.rest();
  const size_t words = rest.size() / sizeof key;
  uint64_t difference = 0;
  for (size_t i = 0; i < words; ++i) {
    uint64_t found = 0;
    std::memcpy(&found, rest.data() + i * sizeof found, sizeof found);
    difference |= found ^ filler(key, i);
  }
  const uint64_t last = filler(key, words);
  if (std::memcmp(rest.data() + words * sizeof last, &last, rest.size() % sizeof last) != 0)
    return std::nullopt;
  if (difference != 0) return std::nullopt;
  return pattern;
}

Arrived SequenceCheck::on(uint64_t seq) {
  if (!has_started_) {
    has_started_ = true;
    first_ = highest_ = seq;
    seen_.fill(0);
    word(seq) |= bit(seq);
    unique_ = 1;
    return Arrived::InOrder;
  }
  if (seq > highest_) {
    const uint64_t step = std::min(seq - highest_, kRemembered);
    for (uint64_t i = 1; i <= step; ++i) word(seq - step + i) &= ~bit(seq - step + i);
    highest_ = seq;
    word(seq) |= bit(seq);
    ++unique_;
    return Arrived::InOrder;
  }
  if (highest_ - seq >= kRemembered) return Arrived::Stale;
  if ((word(seq) & bit(seq)) != 0) return Arrived::Duplicated;
  word(seq) |= bit(seq);
  ++unique_;
  first_ = std::min(first_, seq);
  return Arrived::Reordered;
}

uint64_t SequenceCheck::lost(uint64_t last) const {
  if (!has_started_) return 0;
  return std::max(last, highest_) - first_ + 1 - unique_;
}

}  // namespace atrium::load
