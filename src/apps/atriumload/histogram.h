// Histogram: how often which duration was seen, with a relative error below 1/32.  Adding is a few instructions and
// takes no memory.  One thread; merged at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace atrium::load {

class Histogram {
 public:
  static constexpr uint64_t kValueMax = (uint64_t{1} << 40) - 1;  // larger ones count as this

  void add(uint64_t value);
  void merge(const Histogram& other);
  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  // The smallest value that is not exceeded by `share` (0 to 1) of all, rounded up to its bucket's end but not beyond
  // max(); 0 when there are none.
  uint64_t percentile(double share) const;

 private:
  static constexpr unsigned kSubBits = 5;  // 32 buckets for each doubling
  static constexpr std::size_t kBuckets = (40 - kSubBits + 1) << kSubBits;
  static std::size_t bucket_of(uint64_t value);
  static uint64_t last_of(std::size_t bucket);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0, max_ = 0;
};

}  // namespace atrium::load
