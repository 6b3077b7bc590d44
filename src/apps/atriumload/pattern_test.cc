// The pattern must notice every kind of damage that it is there to notice.
#include "apps/atriumload/pattern.h"

#include <gtest/gtest.h>

namespace atrium::load {
namespace {

Bytes made(size_t size, uint64_t seq = 7) {
  Bytes out(size);
  write_pattern(out, {.source = 3, .seq = seq, .sent_us = 1'000'000, .frame = 2});
  return out;
}

TEST(Pattern, comes_back_as_it_was_written) {
  for (const size_t size :
       {kPatternHeaderBytes, kPatternHeaderBytes + 1, size_t{80}, size_t{1'190}}) {
    const auto read = read_pattern(made(size));
    ASSERT_TRUE(read) << size;
    EXPECT_EQ(read->source, 3u);
    EXPECT_EQ(read->seq, 7u);
    EXPECT_EQ(read->sent_us, 1'000'000u);
    EXPECT_EQ(read->frame, 2u);
  }
}

TEST(Pattern, any_flipped_bit_is_found) {
  const Bytes good = made(101);
  for (size_t at = 0; at < good.size() * 8; ++at) {
    Bytes bent = good;
    bent[at / 8] ^= static_cast<uint8_t>(1u << (at % 8));
    EXPECT_FALSE(read_pattern(bent)) << "bit " << at;
  }
}

TEST(Pattern, a_payload_that_is_shorter_or_longer_is_found) {
  const Bytes good = made(101);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(read_pattern(ByteView(good).first(size)));
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_FALSE(read_pattern(longer));
}

TEST(Pattern, the_filler_of_another_packet_is_found) {
  Bytes mixed = made(200, 7);
  const Bytes other = made(200, 8);
  std::copy(other.begin() + 100, other.end(), mixed.begin() + 100);
  EXPECT_FALSE(read_pattern(mixed));
}

TEST(SequenceCheck, a_whole_stream_has_lost_nothing) {
  SequenceCheck check;
  for (uint64_t seq = 100; seq < 5'000; ++seq) EXPECT_EQ(check.on(seq), Arrived::InOrder);
  EXPECT_EQ(check.lost(), 0u);
  EXPECT_EQ(check.unique(), 4'900u);
}

TEST(SequenceCheck, a_gap_is_lost_until_what_was_missing_comes) {
  SequenceCheck check;
  check.on(0);
  EXPECT_EQ(check.on(3), Arrived::InOrder);
  EXPECT_EQ(check.lost(), 2u);
  EXPECT_EQ(check.on(1), Arrived::Reordered);
  EXPECT_EQ(check.lost(), 1u);
}

TEST(SequenceCheck, a_repeat_is_neither_new_nor_does_it_hide_a_loss) {
  SequenceCheck check;
  check.on(0);
  check.on(2);
  EXPECT_EQ(check.on(2), Arrived::Duplicated);
  EXPECT_EQ(check.on(0), Arrived::Duplicated);
  EXPECT_EQ(check.lost(), 1u);
}

TEST(SequenceCheck, the_end_that_never_came_is_lost) {
  SequenceCheck check;
  check.on(0);
  EXPECT_EQ(check.lost(10), 10u);
}

TEST(SequenceCheck, one_that_was_overtaken_before_the_first_counts) {
  SequenceCheck check;
  check.on(5);
  EXPECT_EQ(check.on(4), Arrived::Reordered);
  EXPECT_EQ(check.lost(), 0u);
  EXPECT_EQ(check.first(), 4u);
}

TEST(SequenceCheck, a_jump_beyond_what_is_remembered_forgets_what_was_before) {
  SequenceCheck check;
  for (uint64_t seq = 0; seq < 3'000; ++seq) check.on(seq);
  EXPECT_EQ(check.on(10'000), Arrived::InOrder);
  EXPECT_EQ(check.on(2'999), Arrived::Stale);
  EXPECT_EQ(check.on(9'999), Arrived::Reordered) << "not mistaken for one of the round before";
  EXPECT_EQ(check.lost(), 6'999u);
}

}  // namespace
}  // namespace atrium::load
