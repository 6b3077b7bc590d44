// Each checker finds what it is there to find, and is silent otherwise.
#include "sim/checkers.h"

#include <gtest/gtest.h>

namespace atrium::sim {
namespace {

constexpr uint8_t kRtp = 0x80, kDtls = 23;

class CheckersTest : public ::testing::Test {
 protected:
  CheckersTest() { checkers_.saw_transport(TransportId{1}, LifeId{7}, ParticipantSid("PA_a")); }
  SessionFacts facts() const {
    SessionFacts out;
    out.name = "a";
    out.participant = ParticipantSid("PA_a");
    out.room_sid = RoomSid("RM_x");
    return out;
  }
  bool is_silent() const { return checkers_.violations().empty(); }
  Checkers checkers_;
};

TEST_F(CheckersTest, media_after_the_cut_is_found_and_the_notice_is_not_media) {
  checkers_.check_departure(facts(), kRtp, true);
  checkers_.saw_life_cut(LifeId{7});
  checkers_.check_departure(facts(), kDtls, false);
  EXPECT_TRUE(is_silent());
  checkers_.check_departure(facts(), kRtp, true);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, any_datagram_after_the_answer_is_found) {
  checkers_.saw_success(RoomSid("RM_y"));
  checkers_.check_departure(facts(), kDtls, false);
  EXPECT_TRUE(is_silent()) << "another life's answer";
  checkers_.saw_success(RoomSid("RM_x"));
  checkers_.check_departure(facts(), kDtls, false);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, a_users_message_after_the_cut_is_found) {
  checkers_.saw_life_cut(LifeId{7});
  checkers_.check_data_departure(TransportId{1}, true);
  checkers_.check_data_departure(TransportId{2}, false);
  EXPECT_TRUE(is_silent());
  checkers_.check_data_departure(TransportId{1}, false);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, numbers_may_wrap_and_be_reordered_but_not_repeat) {
  for (const uint16_t seq : {65'533, 65'535, 65'534, 0, 2, 1})
    checkers_.check_sequence("a", 1, 5, seq);
  checkers_.check_sequence("a", 1, 6, 0);  // another SSRC
  EXPECT_TRUE(is_silent());
  checkers_.check_sequence("a", 1, 5, 65'535);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, numbers_that_go_far_back_are_found) {
  checkers_.check_sequence("a", 1, 5, 1'000);
  checkers_.check_sequence("a", 1, 5, 500);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, who_was_there_and_is_neither_told_nor_remembered_is_found) {
  checkers_.saw_fence(RoomSid("RM_x"), {ParticipantSid("PA_a")});
  SessionFacts told = facts(), remembered = facts(), gone = facts(), elsewhere = facts();
  told.was_told = remembered.has_tombstone = gone.left_itself = true;
  elsewhere.participant = ParticipantSid("PA_b");
  checkers_.check_told({told, remembered, gone, elsewhere});
  EXPECT_TRUE(is_silent());
  checkers_.check_told({facts()});
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, what_is_left_in_a_table_is_found) {
  checkers_.check_empty(domain::Registry::Counts{.tombstones = 3}, 0);
  checkers_.check_empty(media::EngineCounters{});
  EXPECT_TRUE(is_silent());
  checkers_.check_empty(domain::Registry::Counts{.tracks = 1}, 0);
  checkers_.check_empty(domain::Registry::Counts{}, 1);
  media::EngineCounters counters;
  counters.forwarders = 1;
  checkers_.check_empty(counters);
  EXPECT_EQ(checkers_.violations().size(), 3u);
}

TEST_F(CheckersTest, a_record_that_counts_packets_after_the_cut_is_found) {
  domain::DismissalRecord record;
  record.state = domain::DismissalState::Done;
  record.packets_after_cut = 0;
  checkers_.check_record(record);
  EXPECT_TRUE(is_silent());
  record.packets_after_cut = 1;
  checkers_.check_record(record);
  EXPECT_FALSE(is_silent());
}

}  // namespace
}  // namespace atrium::sim
