#include "apps/atriumload/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace atrium::load {

// Values below 2^(kSubBits+1) have a bucket each; above, the kSubBits bits behind the leading one choose.
size_t Histogram::bucket_of(uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kSubBits + 1) return static_cast<size_t>(value);
  const unsigned shift = width - kSubBits - 1;
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::last_of(size_t bucket) {
  if (bucket < (size_t{2} << kSubBits)) return bucket;
  const size_t shift = (bucket >> kSubBits) - 1;
  const uint64_t head = bucket - (shift << kSubBits);
  return ((head + 1) << shift) - 1;
}

void Histogram::add(uint64_t value) {
  value = std::min(value, kValueMax);
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

uint64_t Histogram::percentile(double share) const {
  const auto wanted =
      static_cast<uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= std::max<uint64_t>(wanted, 1)) return std::min(last_of(i), max_);
  }
  return max_;
}

}  // namespace atrium::load
