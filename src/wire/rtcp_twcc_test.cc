#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "base/crypto.h"
#include "base/seeded_secret_source.h"
#include "wire/rtcp.h"

namespace atrium::wire {
namespace {

Bytes bytes_of(const char* text) {
  return from_hex(text).value();
}

// Views outlive the expression that they are made in: what is kept here lives until the process ends.
ByteView kept(Bytes bytes) {
  static std::deque<Bytes> all;
  return all.emplace_back(std::move(bytes));
}

Result<TwccView> twcc_of(ByteView bytes) {
  auto reader = TRY(RtcpReader::create(bytes));
  return TwccView::create(*reader.next());
}

// Whole body behind the two SSRCs: "sssscccc" "rrrrrrff" chunks deltas.
ByteView with_body(const std::string& body) {
  const Bytes rest = bytes_of(body.c_str());
  Bytes bytes = bytes_of("8fcd00000000000100000002");
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  while (bytes.size() % 4 != 0) bytes.push_back(0);
  bytes[3] = static_cast<uint8_t>(bytes.size() / 4 - 1);
  return kept(std::move(bytes));
}

struct Got {
  std::vector<uint16_t> seqs;
  std::vector<int64_t> arrivals_us;
};
Got read_all(TwccView view) {
  Got got;
  while (const auto packet = view.next_received()) {
    got.seqs.push_back(packet->transport_seq);
    got.arrivals_us.push_back(packet->arrival_us);
  }
  return got;
}

Bytes write_feedback(const TwccFeedback& feedback, std::span<const TwccArrival> arrivals,
                     size_t* covered) {
  Bytes bytes(1200);
  ByteWriter out(bytes);
  *covered = write_twcc_feedback(out, feedback, arrivals);
  EXPECT_TRUE(out.ok());
  bytes.resize(out.position());
  return bytes;
}

TEST(Twcc, run_of_small_deltas_adds_up_from_the_reference_time) {
  const ByteView bytes = with_body(
      "000a0003"
      "00000107"
      "2003"
      "040008");
  const auto view = twcc_of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->sender_ssrc, 1u);
  EXPECT_EQ(view->media_ssrc, 2u);
  EXPECT_EQ(view->base_seq, 10);
  EXPECT_EQ(view->status_count, 3);
  EXPECT_EQ(view->reference_time, 1);
  EXPECT_EQ(view->feedback_count, 7);
  const Got got = read_all(*view);
  EXPECT_THAT(got.seqs, testing::ElementsAre(10, 11, 12));
  EXPECT_THAT(got.arrivals_us, testing::ElementsAre(65'000, 65'000, 67'000));
}

TEST(Twcc, one_bit_vector_skips_the_lost) {
  // Two bits of form, then statuses from the left: 1 0 1 0 1 0 …
  const auto view =
      twcc_of(with_body("ffff0005"
                        "00000000"
                        "aa00"
                        "010203"));
  ASSERT_TRUE(view);
  EXPECT_THAT(read_all(*view).seqs, testing::ElementsAre(65535, 1, 3));
}

TEST(Twcc, two_bit_vector_reads_large_and_negative_deltas) {
  // Symbols: large, small, lost, large.
  const auto view =
      twcc_of(with_body("00000004"
                        "00000100"
                        "e480"
                        "0200"
                        "04"
                        "fff8"));
  ASSERT_TRUE(view);
  const Got got = read_all(*view);
  EXPECT_THAT(got.seqs, testing::ElementsAre(0, 1, 3));
  EXPECT_THAT(got.arrivals_us, testing::ElementsAre(64'000 + 128'000, 193'000, 191'000));
}

TEST(Twcc, reference_time_is_signed) {
  EXPECT_EQ(twcc_of(with_body("00000001"
                              "ffffff00"
                              "2001"
                              "00"))
                ->reference_time,
            -1);
}

TEST(Twcc, long_runs_of_lost_packets_cost_nothing) {
  // 8 runs of 8191 lost statuses: 65535 statuses, none received.
  const auto view =
      twcc_of(with_body("0000fff8"
                        "00000000"
                        "1fff1fff1fff1fff1fff1fff1fff1fff"));
  ASSERT_TRUE(view);
  EXPECT_TRUE(read_all(*view).seqs.empty());
}

TEST(Twcc, missing_chunks_or_deltas_are_refused) {
  EXPECT_FALSE(
      twcc_of(with_body("0000000a"
                        "00000000"
                        "20052004")));  // 9 of 10 statuses
  EXPECT_FALSE(
      twcc_of(with_body("0000000a"
                        "00000000"
                        "2009e000"
                        "010203")));  // 10 deltas, 4 bytes
}

TEST(Twcc, reserved_symbol_is_refused) {
  EXPECT_FALSE(
      twcc_of(with_body("00000001"
                        "00000000"
                        "6001"
                        "0000")));
  EXPECT_FALSE(
      twcc_of(with_body("00000001"
                        "00000000"
                        "f000"
                        "0000")));
}

TEST(Twcc, every_truncation_of_the_body_is_refused) {
  const ByteView whole = with_body(
      "000a0004"
      "00000107"
      "e4802000"
      "00040001");
  auto reader = RtcpReader::create(whole);
  RtcpPacketView packet = *reader->next();
  const ByteView body = packet.body;
  ASSERT_TRUE(TwccView::create(packet));
  // Chunk and its five delta bytes end at 23.
  for (size_t length = 0; length < 23; ++length) {
    packet.body = body.first(length);
    EXPECT_FALSE(TwccView::create(packet)) << length;
  }
}

TEST(Twcc, feedback_comes_back_with_times_rounded_down_to_ticks) {
  const std::vector<TwccArrival> arrivals = {
      {100, 1'000'000}, {101, 1'000'260}, {103, 1'064'700}, {104, 1'064'000}};
  size_t covered = 0;
  const Bytes bytes = write_feedback({1, 2, 99, 5}, arrivals, &covered);
  EXPECT_EQ(covered, 4u);
  const auto view = twcc_of(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->base_seq, 99);
  EXPECT_EQ(view->status_count, 6);
  EXPECT_EQ(view->feedback_count, 5);
  const Got got = read_all(*view);
  EXPECT_THAT(got.seqs, testing::ElementsAre(100, 101, 103, 104));
  EXPECT_THAT(got.arrivals_us, testing::ElementsAre(1'000'000, 1'000'250, 1'064'500, 1'064'000));
}

TEST(Twcc, ends_before_a_delta_that_cannot_be_said) {
  const std::vector<TwccArrival> arrivals = {{1, 0}, {2, 1'000}, {3, 10'000'000}};
  size_t covered = 0;
  const Bytes bytes = write_feedback({1, 2, 1, 0}, arrivals, &covered);
  EXPECT_EQ(covered, 2u);
  EXPECT_THAT(read_all(*twcc_of(bytes)).seqs, testing::ElementsAre(1, 2));
}

TEST(Twcc, arrivals_before_the_clocks_zero_keep_their_order) {
  const std::vector<TwccArrival> arrivals = {{1, -130'000}, {2, -1}};
  size_t covered = 0;
  const Bytes bytes = write_feedback({1, 2, 1, 0}, arrivals, &covered);
  EXPECT_THAT(read_all(*twcc_of(bytes)).arrivals_us, testing::ElementsAre(-130'000, -250));
}

TEST(Twcc, base_far_before_the_first_arrival_is_moved_up) {
  const std::vector<TwccArrival> arrivals = {{1'000'000, 0}};
  size_t covered = 0;
  const Bytes bytes = write_feedback({1, 2, 5, 0}, arrivals, &covered);
  EXPECT_EQ(covered, 1u);
  EXPECT_EQ(twcc_of(bytes)->status_count, 32'768);
}

TEST(Twcc, nothing_is_written_without_arrivals_or_room) {
  Bytes bytes(22);
  ByteWriter out(bytes);
  const std::vector<TwccArrival> arrivals = {{1, 0}};
  EXPECT_EQ(write_twcc_feedback(out, {1, 2, 1, 0}, arrivals), 0u);
  EXPECT_EQ(write_twcc_feedback(out, {1, 2, 1, 0}, {}), 0u);
  EXPECT_EQ(out.position(), 0u);
  EXPECT_TRUE(out.ok());
}

std::vector<TwccArrival> random_arrivals(SeededSecretSource& random) {
  std::vector<TwccArrival> arrivals;
  uint64_t ext_seq = random.next() % 200'000;
  auto at_us = static_cast<int64_t>(random.next() % 1'000'000'000);
  const size_t count = 1 + random.next() % 400;
  const uint64_t loss = random.next() % 8, jitter_us = 1 + random.next() % 100'000;
  for (size_t i = 0; i < count; ++i) {
    arrivals.push_back({ext_seq, at_us});
    ext_seq += 1 + (random.next() % 8 < loss ? random.next() % 40 : 0);
    at_us += static_cast<int64_t>(random.next() % jitter_us) - static_cast<int64_t>(jitter_us / 4);
  }
  return arrivals;
}

TEST(Twcc, random_feedback_is_read_as_written_in_as_many_packets_as_needed) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SeededSecretSource random(seed);
    const std::vector<TwccArrival> arrivals = random_arrivals(random);
    std::span<const TwccArrival> left(arrivals);
    const size_t room = kTwccFeedbackBytesMin + random.next() % 500;
    while (!left.empty()) {
      Bytes bytes(room);
      ByteWriter out(bytes);
      const size_t covered = write_twcc_feedback(out, {1, 2, left.front().ext_seq, 0}, left);
      ASSERT_GT(covered, 0u) << seed;
      const auto view = twcc_of(out.written());
      ASSERT_TRUE(view) << seed;
      const Got got = read_all(*view);
      ASSERT_EQ(got.seqs.size(), covered) << seed;
      for (size_t i = 0; i < covered; ++i) {
        ASSERT_EQ(got.seqs[i], static_cast<uint16_t>(left[i].ext_seq)) << seed;
        const int64_t error_us = left[i].arrival_us - got.arrivals_us[i];
        ASSERT_TRUE(error_us >= 0 && error_us < kTwccTickUs) << seed;
      }
      left = left.subspan(covered);
    }
  }
}

TEST(Twcc, steady_stream_takes_one_chunk) {
  std::vector<TwccArrival> arrivals;
  for (uint64_t i = 0; i < 100; ++i) arrivals.push_back({i, static_cast<int64_t>(i) * 1'000});
  size_t covered = 0;
  const Bytes bytes = write_feedback({1, 2, 0, 0}, arrivals, &covered);
  EXPECT_EQ(covered, 100u);
  EXPECT_EQ(bytes.size(), (20 + 2 + 100 + 3) / 4 * 4u);
}

}  // namespace
}  // namespace atrium::wire
