// What answers promise about rules, and what they leave open.
#include "sim/rule_book.h"

#include <gtest/gtest.h>

namespace atrium::sim {
namespace {

using namespace std::chrono_literals;

class RuleBookTest : public ::testing::Test {
 protected:
  Now at(Duration when) const { return {Mono(when), Wall(1'000'000s + when + offset_)}; }
  RuleBook::CallId begin(Order order, Duration interval, Duration when) {
    return book_.began(order, target_, interval, at(when));
  }
  void call(Order order, Duration interval, Duration when, CallEnd end = CallEnd::Done) {
    book_.ended(begin(order, interval, when), end, at(when + 100ms));
  }
  bool must(Duration when, Duration let_in = 0s) const {
    return book_.must_be_out(eve_, Mono(let_in), at(when));
  }
  bool may(Duration when) const { return book_.may_be_out(eve_, at(when)); }

  const RuleTarget target_{.room = "lesson", .user = "eve"};
  const Who eve_{.user = "eve", .room = "lesson", .ip = "192.0.2.7"};
  Duration offset_{};
  RuleBook book_;
};

TEST_F(RuleBookTest, a_target_means_whoever_fits_all_that_it_names) {
  EXPECT_TRUE((RuleTarget{.room = "lesson"}.means(eve_)));
  EXPECT_TRUE((RuleTarget{.user = "eve"}.means(eve_)));
  EXPECT_TRUE((RuleTarget{.ip = "192.0.2.7"}.means(eve_)));
  EXPECT_FALSE((RuleTarget{.room = "exam", .user = "eve"}.means(eve_)));
  EXPECT_FALSE(RuleTarget{}.means(eve_));
}

TEST_F(RuleBookTest, a_ban_holds_from_its_answer_to_its_end) {
  const auto id = begin(Order::Ban, 10s, 1s);
  EXPECT_FALSE(must(1s)) << "not answered";
  EXPECT_TRUE(may(1s));
  book_.ended(id, CallEnd::Done, at(2s));
  EXPECT_TRUE(must(2s));
  EXPECT_TRUE(must(10s));
  EXPECT_FALSE(must(11s)) << "it may have been made when it was asked for";
  EXPECT_TRUE(may(11500ms)) << "or when it was answered";
  EXPECT_FALSE(may(13s));
}

TEST_F(RuleBookTest, a_ban_that_failed_promises_nothing_and_excludes_nothing) {
  call(Order::Ban, 10s, 1s, CallEnd::Unknown);
  EXPECT_FALSE(must(2s));
  EXPECT_TRUE(may(2s));
}

TEST_F(RuleBookTest, a_refused_ban_was_not_made) {
  call(Order::Ban, 10s, 1s, CallEnd::Refused);
  EXPECT_FALSE(may(2s));
}

TEST_F(RuleBookTest, of_two_bans_at_once_the_answered_one_holds_whatever_becomes_of_the_other) {
  const auto first = begin(Order::Ban, 600s, 1s), second = begin(Order::Ban, 10s, 1s);
  book_.ended(second, CallEnd::Done, at(2s));
  book_.ended(first, CallEnd::Unknown, at(3s));
  EXPECT_TRUE(must(4s));
  EXPECT_FALSE(must(12s)) << "the shorter one may be the rule";
  EXPECT_TRUE(may(500s)) << "or the longer one";
}

TEST_F(RuleBookTest, a_repeated_ban_does_not_reset_the_clock) {
  call(Order::Ban, 10s, 1s);
  call(Order::Ban, 600s, 5s);
  EXPECT_FALSE(must(12s));
  EXPECT_FALSE(may(13s));
}

TEST_F(RuleBookTest, a_lifted_rule_keeps_nobody_out_and_one_under_way_to_be_lifted_is_uncertain) {
  call(Order::Ban, 600s, 1s);
  const auto id = begin(Order::Lift, 0s, 3s);
  EXPECT_FALSE(must(3s));
  EXPECT_TRUE(may(3s));
  book_.ended(id, CallEnd::Done, at(4s));
  EXPECT_FALSE(may(5s));
  book_.restarted(at(6s));
  EXPECT_FALSE(may(6s)) << "also not after a restart";
}

TEST_F(RuleBookTest, a_rule_is_prolonged_or_shortened_from_the_answer_on) {
  call(Order::Ban, 10s, 1s);
  call(Order::Prolong, 100s, 2s);
  EXPECT_TRUE(must(100s));
  call(Order::Prolong, 10s, 3s);
  EXPECT_FALSE(may(14s));
}

TEST_F(RuleBookTest, a_rule_that_was_only_changed_keeps_out_and_puts_nobody_out) {
  call(Order::Prolong, 100s, 1s);
  EXPECT_FALSE(must(50s)) << "it was in before";
  EXPECT_TRUE(must(50s, 40s));
  call(Order::Lift, 0s, 60s);
  call(Order::Ban, 100s, 70s);
  EXPECT_TRUE(must(80s)) << "a ban puts it out";
  call(Order::Prolong, 200s, 90s);
  EXPECT_TRUE(must(100s)) << "and it stays so";
}

TEST_F(RuleBookTest, a_ban_and_a_lift_at_once_may_end_either_way) {
  const auto ban = begin(Order::Ban, 10s, 1s), lift = begin(Order::Lift, 0s, 1s);
  book_.ended(ban, CallEnd::Done, at(2s));
  book_.ended(lift, CallEnd::Done, at(2s));
  EXPECT_FALSE(must(3s));
  EXPECT_TRUE(may(3s));
  EXPECT_FALSE(may(13s));
}

TEST_F(RuleBookTest, a_step_of_the_wall_clock_moves_a_rule_only_at_a_restart) {
  call(Order::Ban, 99s, 1s);
  offset_ = 50s;
  book_.wall_stepped(at(2s));
  EXPECT_TRUE(must(99s));
  book_.restarted(at(10s));
  EXPECT_TRUE(must(49s));
  EXPECT_FALSE(may(51s));
}

TEST_F(RuleBookTest, a_rule_that_a_start_found_expired_does_not_come_back_with_the_clock) {
  call(Order::Ban, 100s, 1s);
  offset_ = 200s;
  book_.wall_stepped(at(2s));
  book_.restarted(at(3s));
  EXPECT_FALSE(must(4s));
  offset_ = 0s;
  book_.wall_stepped(at(5s));
  book_.restarted(at(6s));
  EXPECT_FALSE(must(7s)) << "the start deleted it";
  EXPECT_TRUE(may(7s)) << "unless the disk was full";
}

TEST_F(RuleBookTest, a_failed_ban_is_either_way_but_always_the_same) {
  call(Order::Ban, 600s, 1s, CallEnd::Unknown);
  book_.saw_let_in(eve_, at(3s));
  EXPECT_FALSE(may(4s));
  book_.restarted(at(5s));
  EXPECT_TRUE(may(6s)) << "the disk may have kept it";
  book_.saw_let_in(eve_, at(7s));
  book_.restarted(at(8s));
  EXPECT_FALSE(may(9s)) << "it had not";
  call(Order::Ban, 600s, 10s);
  EXPECT_TRUE(must(11s));
  EXPECT_TRUE(may(11s));
}

TEST_F(RuleBookTest, a_session_may_be_removed_by_what_was_under_way_after_it_began) {
  EXPECT_FALSE(book_.may_be_removed(eve_, Mono(1s)));
  call(Order::Kick, 0s, 2s);
  EXPECT_TRUE(book_.may_be_removed(eve_, Mono(1s)));
  EXPECT_FALSE(book_.may_be_removed(eve_, Mono(5s)));
  EXPECT_FALSE(may(2s)) << "a kick is no rule";
}

}  // namespace
}  // namespace atrium::sim
