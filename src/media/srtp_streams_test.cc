#include "media/srtp_streams.h"

#include <gtest/gtest.h>

#include <set>

#include "base/seeded_secret_source.h"

namespace atrium::media {
namespace {

TEST(GuessSrtpIndex, takes_the_rollover_counter_that_is_nearest) {
  EXPECT_EQ(guess_srtp_index(0, 32'768), 32'768u);
  EXPECT_EQ(guess_srtp_index(65'535, 0), 65'536u);
  EXPECT_EQ(guess_srtp_index(65'536, 65'535), 65'535u);
  EXPECT_EQ(guess_srtp_index(3 * 65'536 + 40'000, 10), 4 * 65'536u + 10);
  EXPECT_EQ(guess_srtp_index(3 * 65'536 + 40'000, 7'232), 3 * 65'536u + 7'232);
}

TEST(GuessSrtpIndex, has_no_answer_outside_the_48_bits) {
  EXPECT_EQ(guess_srtp_index(5, 65'535), std::nullopt);
  EXPECT_EQ(guess_srtp_index(0xffff'ffff'ffff, 0), std::nullopt);
}

TEST(ReplayWindow, agrees_with_a_set_of_all_indices_ever_seen) {
  SeededSecretSource random(7);
  ReplayWindow window;
  std::set<uint64_t> seen;
  uint64_t centre = 10'000;
  for (int n = 0; n < 200'000; ++n) {
    centre += random.next() % 4;
    if (random.next() % 1'000 == 0) centre += random.next() % 5'000;
    const uint64_t index = centre - random.next() % 1'500;
    const uint64_t highest = seen.empty() ? index : *seen.rbegin();
    const ReplayVerdict expected = index + 1024 <= highest ? ReplayVerdict::TooOld
                                   : seen.contains(index)  ? ReplayVerdict::Seen
                                                           : ReplayVerdict::Fresh;
    ASSERT_EQ(window.check(index), expected) << n;
    if (expected == ReplayVerdict::Fresh) window.mark(index), seen.insert(index);
    if (seen.size() > 3'000) seen.erase(seen.begin());
  }
}

TEST(UsedIndices, never_lets_an_index_through_twice) {
  SeededSecretSource random(8);
  UsedIndices used;
  std::set<uint64_t> passed;
  uint64_t centre = 2'000;
  for (int n = 0; n < 100'000; ++n) {
    centre += random.next() % 3;
    if (random.next() % 500 == 0) centre += random.next() % 100;
    const uint64_t index = centre - random.next() % 1'200;
    const bool fresh = !passed.contains(index);
    const bool near = passed.empty() || index + 1'024 > *passed.rbegin();
    ASSERT_EQ(used.use(index), fresh && near) << n;
    if (fresh && near) passed.insert(index);
  }
}

TEST(UsedIndices, the_first_index_may_be_zero) {
  UsedIndices used;
  EXPECT_TRUE(used.use(0));
  EXPECT_FALSE(used.use(0));
}

TEST(SsrcIndex, finds_every_inserted_ssrc_again_and_no_other) {
  SsrcIndex index(4'096);
  for (uint32_t n = 0; n < 4'096; ++n) ASSERT_EQ(index.insert(n * 65'536 + 7), n);
  EXPECT_TRUE(index.is_full());
  for (uint32_t n = 0; n < 4'096; ++n) {
    ASSERT_EQ(index.find(n * 65'536 + 7), n);
    ASSERT_EQ(index.find(n * 65'536 + 8), std::nullopt);
  }
}

}  // namespace
}  // namespace atrium::media
