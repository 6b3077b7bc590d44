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

// Eve of the room "lesson", and rules about her.
class SanctionCheckersTest : public CheckersTest {
 protected:
  SanctionCheckersTest() {
    eve_ = facts();
    eve_.who = {.user = "eve", .room = "lesson", .ip = "192.0.2.7"};
  }
  void order(Order order, RuleTarget target, Duration interval, CallEnd end = CallEnd::Done) {
    checkers_.rules().ended(checkers_.rules().began(order, std::move(target), interval, now_), end,
                            now_);
  }
  Now now_{Mono(std::chrono::seconds(100)), Wall(std::chrono::seconds(1'000'000))};
  SessionFacts eve_;
  static constexpr Duration kLong = std::chrono::seconds(600);
};

TEST_F(SanctionCheckersTest, a_forbidden_one_who_is_let_in_is_found) {
  order(Order::Ban, {.room = "exam", .user = "eve"}, kLong);
  order(Order::Ban, {.room = "lesson", .user = "bob"}, kLong);
  order(Order::Ban, {.user = "eve"}, kLong, CallEnd::Unknown);
  checkers_.check_admitted(eve_, "media", now_.mono, now_);
  EXPECT_TRUE(is_silent());
  order(Order::Ban, {.ip = "192.0.2.7"}, kLong);
  checkers_.check_admitted(eve_, "media", now_.mono, now_);
  EXPECT_FALSE(is_silent());
}

TEST_F(SanctionCheckersTest, what_reaches_a_removed_session_is_found) {
  checkers_.check_admitted(eve_, "signalling", now_.mono, now_);
  EXPECT_TRUE(is_silent());
  eve_.is_removed = true;
  checkers_.check_admitted(eve_, "signalling", now_.mono, now_);
  EXPECT_FALSE(is_silent());
}

TEST_F(SanctionCheckersTest, a_refusal_without_a_rule_is_found) {
  checkers_.check_refused(eve_.who, -1011, now_);
  EXPECT_TRUE(is_silent());
  checkers_.check_refused(eve_.who, -1026, now_);
  checkers_.check_refused(eve_.who, -1006, now_);
  EXPECT_EQ(checkers_.violations().size(), 2u);
  order(Order::Ban, {.user = "eve"}, kLong, CallEnd::Unknown);
  checkers_.check_refused(eve_.who, -1026, now_);
  checkers_.check_refused(eve_.who, -1006, now_);
  EXPECT_EQ(checkers_.violations().size(), 2u) << "it may have been made";
}

TEST_F(SanctionCheckersTest, a_rule_that_was_lifted_and_keeps_somebody_out_is_found) {
  order(Order::Ban, {.user = "eve"}, kLong);
  checkers_.check_refused(eve_.who, -1026, now_);
  order(Order::Lift, {.user = "eve"}, {});
  EXPECT_TRUE(is_silent());
  now_.mono += std::chrono::seconds(1);
  checkers_.check_refused(eve_.who, -1026, now_);
  EXPECT_FALSE(is_silent());
}

TEST_F(SanctionCheckersTest, a_rule_forgotten_at_a_restart_is_found) {
  order(Order::Ban, {.user = "eve"}, kLong);
  checkers_.on_restart();
  checkers_.rules().restarted(now_);
  checkers_.check_admitted(eve_, "signalling", now_.mono, now_);
  EXPECT_FALSE(is_silent());
}

TEST_F(SanctionCheckersTest, a_removal_that_nobody_asked_for_is_found) {
  eve_.began = now_.mono;
  order(Order::Kick, {.room = "lesson", .user = "eve"}, {});
  checkers_.check_removal(eve_);
  EXPECT_TRUE(is_silent());
  eve_.began += std::chrono::seconds(1);
  checkers_.check_removal(eve_);
  EXPECT_FALSE(is_silent());
}

TEST_F(SanctionCheckersTest, who_was_removed_and_did_not_hear_so_is_found) {
  eve_.is_removed = true;
  SessionFacts told = eve_, remembered = eve_, gone = eve_;
  told.was_told = told.has_heard_removal = remembered.has_tombstone = gone.left_itself = true;
  checkers_.check_removed({told, remembered, gone});
  EXPECT_TRUE(is_silent());
  checkers_.check_removed({eve_});
  told.has_heard_removal = false;
  checkers_.check_removed({told});
  EXPECT_EQ(checkers_.violations().size(), 2u);
}

TEST_F(SanctionCheckersTest, who_is_out_unknowingly_and_sent_back_to_the_doors_is_found) {
  checkers_.saw_fence(RoomSid("RM_x"), {ParticipantSid("PA_a")});
  checkers_.check_sent_away(eve_);
  EXPECT_TRUE(is_silent()) << "not answered";
  checkers_.saw_success(RoomSid("RM_x"));
  SessionFacts told = eve_;
  told.was_told = true;
  checkers_.check_sent_away(told);
  EXPECT_TRUE(is_silent());
  checkers_.check_sent_away(eve_);
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, a_restart_forgets_lives_but_not_what_was_answered) {
  checkers_.saw_fence(RoomSid("RM_x"), {ParticipantSid("PA_a")});
  checkers_.on_restart();
  checkers_.check_told({facts()});
  EXPECT_TRUE(is_silent()) << "the call was not answered";
  checkers_.saw_fence(RoomSid("RM_x"), {ParticipantSid("PA_a")});
  checkers_.saw_success(RoomSid("RM_x"));
  checkers_.on_restart();
  checkers_.check_told({facts()});
  EXPECT_FALSE(is_silent());
}

TEST_F(CheckersTest, a_record_that_is_lost_or_unfinished_is_found) {
  checkers_.check_kept("OP_1", 200, "done");
  checkers_.check_kept("OP_1", 200, "interrupted");
  EXPECT_TRUE(is_silent());
  checkers_.check_kept("OP_1", 404, "");
  checkers_.check_kept("OP_1", 200, "running");
  EXPECT_EQ(checkers_.violations().size(), 2u);
}

}  // namespace
}  // namespace atrium::sim
