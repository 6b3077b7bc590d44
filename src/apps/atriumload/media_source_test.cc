// What is sent must be what the receiving side of the pattern finds, at the pace that was asked for.
#include "apps/atriumload/media_source.h"

#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"
#include "wire/rtp.h"
#include "wire/vp8.h"

namespace atrium::load {
namespace {

class MediaSourceTest : public ::testing::Test {
 protected:
  MediaSource make(Kind kind) {
    return MediaSource(
        {.kind = kind, .mid = "1", .ssrc = 9, .payload_type = 96, .extensions = {.mid = 4}}, 77, {},
        secrets_, Mono(1s));
  }
  size_t take(MediaSource& source, Mono now) {
    return source.take_frame(now, 5, packets_, transport_seq_);
  }

  SeededSecretSource secrets_{3};
  std::vector<MediaSource::Packet> packets_;
  uint16_t transport_seq_ = 0;
};

TEST_F(MediaSourceTest, video_of_a_second_has_its_bits_and_a_pattern_without_gaps) {
  MediaSource source = make(Kind::Video);
  uint64_t seq = 0, frames = 0, bytes = 0;
  for (Mono now = Mono(1s); now < Mono(2s); now += 1ms) {
    const size_t count = take(source, now);
    frames += count > 0 ? 1 : 0;
    for (size_t i = 0; i < count; ++i) {
      const auto pattern = read_pattern(pattern_of(PayloadUse::Video, packets_[i].payload).value());
      ASSERT_TRUE(pattern);
      EXPECT_EQ(pattern->seq, seq++);
      EXPECT_EQ(pattern->source, 77u);
      EXPECT_LE(packets_[i].payload.size(), 1'200u);
      bytes += packets_[i].payload.size() - 6;
    }
  }
  EXPECT_EQ(frames, 30u);
  EXPECT_NEAR(static_cast<double>(bytes * 8), 1'200'000.0, 12'000.0);
}

TEST_F(MediaSourceTest, a_frame_is_marked_at_its_end_and_a_key_frame_comes_first_and_when_asked) {
  MediaSource source = make(Kind::Video);
  const auto is_key = [&](Mono now) {
    const size_t count = take(source, now);
    for (size_t i = 0; i < count; ++i)
      EXPECT_EQ(wire::parse_rtp_header(packets_[i].header)->marker, i + 1 == count);
    return wire::parse_vp8(packets_[0].payload)->is_key_frame;
  };
  EXPECT_TRUE(is_key(Mono(1'000ms)));
  EXPECT_FALSE(is_key(Mono(1'040ms)));
  source.request_key_frame();
  EXPECT_TRUE(is_key(Mono(1'080ms)));
}

TEST_F(MediaSourceTest, audio_has_a_packet_every_20_ms) {
  MediaSource source = make(Kind::Audio);
  uint64_t packets = 0;
  for (Mono now = Mono(1s); now < Mono(2s); now += 1ms) {
    if (take(source, now) == 0) continue;
    ++packets;
    EXPECT_TRUE(read_pattern(pattern_of(PayloadUse::Audio, packets_[0].payload).value()));
  }
  EXPECT_EQ(packets, 50u);
}

TEST_F(MediaSourceTest, what_is_half_a_second_late_is_left_out_and_counted) {
  MediaSource source = make(Kind::Audio);
  EXPECT_EQ(take(source, Mono(3s)), 1u);
  EXPECT_EQ(source.skipped_frames(), 75u);
  EXPECT_GT(source.next_due(), Mono(2'500ms));
}

}  // namespace
}  // namespace atrium::load
