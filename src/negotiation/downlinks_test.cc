#include "negotiation/downlinks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/limits.h"
#include "base/seeded_secret_source.h"

namespace atrium::negotiation {
namespace {

// Gives the numbers of a list as its next u32 values.
class ListedSecretSource final : public SecretSource {
 public:
  explicit ListedSecretSource(std::deque<uint32_t> numbers) : numbers_(std::move(numbers)) {}
  void fill(std::span<uint8_t> out) override {
    uint32_t number = numbers_.empty() ? 0 : numbers_.front();
    if (!numbers_.empty()) numbers_.pop_front();
    // Each byte is the number, so that the reader's byte order does not matter.
    std::ranges::fill(out, static_cast<uint8_t>(number));
  }

 private:
  std::deque<uint32_t> numbers_;
};

constexpr uint32_t repeated(uint32_t byte) {
  return byte * 0x0101'0101u;
}

TEST(SsrcPool, never_gives_zero_or_a_number_twice) {
  ListedSecretSource secrets({0, 5, 5, 0, 6});
  SsrcPool pool;
  EXPECT_EQ(pool.fresh(secrets).value(), repeated(5));
  EXPECT_EQ(pool.fresh(secrets).value(), repeated(6));
}

TEST(SsrcPool, avoids_what_the_peer_sends_under) {
  wire::SdpSession peer;
  peer.sections.emplace_back();
  peer.sections[0].ssrcs = {{.ssrc = repeated(7)}};
  ListedSecretSource secrets({7, 8});
  SsrcPool pool;
  pool.avoid(peer);
  EXPECT_EQ(pool.fresh(secrets).value(), repeated(8));
}

TEST(SsrcPool, a_source_that_does_not_vary_is_an_error_and_no_endless_loop) {
  ListedSecretSource secrets({});
  SsrcPool pool;
  ASSERT_FALSE(pool.fresh(secrets));
  EXPECT_EQ(pool.fresh(secrets).error().kind, ErrorKind::Internal);
}

TEST(SsrcPool, is_used_up_after_as_many_as_the_keys_may_carry) {
  SeededSecretSource secrets(1);
  SsrcPool pool;
  for (int64_t i = 0; i < limits::kSrtpOutboundSsrcsMax; ++i) ASSERT_TRUE(pool.fresh(secrets));
  ASSERT_FALSE(pool.fresh(secrets));
  EXPECT_EQ(pool.fresh(secrets).error().kind, ErrorKind::LimitExceeded);
}

TEST(DownlinkMsid, a_stream_name_that_makes_the_line_too_long_is_left_out) {
  WantedSend want{TrackSid("TR_a"), "PA_x", std::string(60, 's'), Kind::Audio, "opus"};
  EXPECT_EQ(downlink_msid(want).stream, "PA_x|TR_a");
  want.stream = std::string(59, 's');
  EXPECT_EQ(downlink_msid(want).stream, "PA_x|" + want.stream);
}

}  // namespace
}  // namespace atrium::negotiation
