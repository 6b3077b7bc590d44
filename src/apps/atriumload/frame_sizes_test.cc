#include "apps/atriumload/frame_sizes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace atrium::load {
namespace {

using testing::ElementsAre;

TEST(SplitFrame, packets_are_about_equal_and_the_larger_ones_last) {
  EXPECT_THAT(split_frame(5'000, 1'200), ElementsAre(1'000, 1'000, 1'000, 1'000, 1'000));
  EXPECT_THAT(split_frame(2'401, 1'200), ElementsAre(800, 800, 801));
  EXPECT_THAT(split_frame(1'200, 1'200), ElementsAre(1'200));
  EXPECT_THAT(split_frame(1'201, 1'200), ElementsAre(600, 601));
  EXPECT_THAT(split_frame(1, 1'200), ElementsAre(1));
}

TEST(SplitFrame, no_byte_is_lost_and_no_packet_too_large) {
  for (size_t bytes = 1; bytes < 12'000; bytes += 37) {
    const auto sizes = split_frame(bytes, 1'194);
    EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), size_t{0}), bytes);
    EXPECT_LE(*std::max_element(sizes.begin(), sizes.end()), 1'194u);
    EXPECT_EQ(sizes.size(), (bytes + 1'193) / 1'194);
  }
}

TEST(FrameBytes, the_usual_video_takes_four_or_five_packets_a_frame) {
  size_t bytes = 0;
  for (uint32_t frame = 0; frame < 30; ++frame) {
    const size_t size = frame_bytes(1'200'000, 30, frame);
    const size_t packets = split_frame(size, 1'194).size();
    EXPECT_TRUE(packets == 4 || packets == 5) << frame << ": " << packets;
    bytes += size;
  }
  EXPECT_EQ(bytes * 8, 1'200'000u);
}

TEST(AudioBytes, stays_between_80_and_120_and_reaches_both) {
  size_t smallest = 1'000, largest = 0, sum = 0;
  for (uint64_t packet = 0; packet < 41; ++packet) {
    smallest = std::min(smallest, audio_bytes(packet));
    largest = std::max(largest, audio_bytes(packet));
    sum += audio_bytes(packet);
  }
  EXPECT_EQ(smallest, 80u);
  EXPECT_EQ(largest, 120u);
  EXPECT_EQ(sum, 41u * 100u);
}

}  // namespace
}  // namespace atrium::load
