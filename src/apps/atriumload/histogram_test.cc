#include "apps/atriumload/histogram.h"

#include <gtest/gtest.h>

namespace atrium::load {
namespace {

TEST(Histogram, percentiles_of_small_values_are_exact) {
  Histogram h;
  for (uint64_t value = 1; value <= 50; ++value) h.add(value);
  EXPECT_EQ(h.percentile(0.5), 25u);
  EXPECT_EQ(h.percentile(0.98), 49u);
  EXPECT_EQ(h.percentile(1.0), 50u);
  EXPECT_EQ(h.percentile(0.0), 1u);
  EXPECT_EQ(h.max(), 50u);
}

TEST(Histogram, large_values_are_right_within_a_32nd) {
  for (uint64_t value = 1; value < Histogram::kValueMax; value = value * 3 + 1) {
    Histogram h;
    h.add(value);
    h.add(Histogram::kValueMax);  // so that max() does not hide the bucket's end
    const uint64_t found = h.percentile(0.5);
    EXPECT_GE(found, value);
    EXPECT_LE(found, value + value / 32);
  }
}

TEST(Histogram, nothing_added_is_nothing_found) {
  EXPECT_EQ(Histogram().percentile(0.99), 0u);
  EXPECT_EQ(Histogram().max(), 0u);
}

TEST(Histogram, one_outlier_in_a_hundred_is_seen_by_the_maximum_alone) {
  Histogram h;
  for (int i = 0; i < 99; ++i) h.add(10);
  h.add(1'000'000);
  EXPECT_EQ(h.percentile(0.99), 10u);
  EXPECT_EQ(h.max(), 1'000'000u);
}

TEST(Histogram, merging_counts_both) {
  Histogram a, b;
  a.add(1);
  b.add(3);
  b.add(5);
  a.merge(b);
  EXPECT_EQ(a.count(), 3u);
  EXPECT_EQ(a.percentile(0.5), 3u);
  EXPECT_EQ(a.max(), 5u);
}

TEST(Histogram, beyond_the_largest_value_is_the_largest_value) {
  Histogram h;
  h.add(UINT64_MAX);
  EXPECT_EQ(h.max(), Histogram::kValueMax);
}

}  // namespace
}  // namespace atrium::load
