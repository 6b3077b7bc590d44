// The book finds what it is there to find, and is silent otherwise.
#include "sim/life_book.h"

#include <gtest/gtest.h>

namespace atrium::sim {
namespace {

const RoomSid kFormer("RM_former"), kNext("RM_next");
const ParticipantSid kAnn("PA_ann"), kBob("PA_bob");
const OperationId kOperation("OP_1");

class LifeBookTest : public ::testing::Test {
 protected:
  // Ann was in the former life of the room, Bob is in the next one.
  LifeBookTest() {
    enter(kAnn, "ann", kFormer);
    book_.doom(kFormer, Doom::Call);
    book_.saw_record(record(kFormer));
    book_.saw_durable(kOperation);
    enter(kBob, "bob", kNext);
  }
  void enter(const ParticipantSid& who, const char* user, const RoomSid& life,
             Mono at = Mono(std::chrono::seconds(1))) {
    book_.let_in(who, {RoomId("room"), UserId(user), life}, at);
  }
  static domain::DismissalRecord record(const RoomSid& life) {
    domain::DismissalRecord out;
    out.operation = kOperation;
    out.room = RoomId("room");
    out.room_sid = life;
    return out;
  }
  bool is_silent() const { return book_.violations().empty(); }
  LifeBook book_;
};

TEST_F(LifeBookTest, words_of_a_dismissal_are_for_the_life_that_it_means) {
  book_.saw_words(kAnn, domain::ClientCode::RoomDismiss, kOperation);
  EXPECT_TRUE(is_silent());
  book_.saw_words(kBob, domain::ClientCode::RoomDismiss, {});
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, words_that_name_the_dismissal_of_another_life_are_found) {
  book_.doom(kNext, Doom::Call);
  book_.saw_words(kBob, domain::ClientCode::RoomDismiss, {});
  EXPECT_TRUE(is_silent());
  book_.saw_words(kBob, domain::ClientCode::RoomDismiss, kOperation);
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, word_of_a_ban_needs_a_ban_or_somebody_who_is_out) {
  book_.saw_words(kAnn, domain::ClientCode::UserForbidden, {});
  EXPECT_TRUE(is_silent());
  book_.saw_words(kBob, domain::ClientCode::UserForbidden, {});
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, cut_of_the_next_life_is_found) {
  book_.saw_transport(LifeId{1}, kAnn);
  book_.saw_transport(LifeId{2}, kBob);
  book_.saw_cut(LifeId{1});
  EXPECT_TRUE(is_silent());
  book_.saw_cut(LifeId{2});
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, transport_in_the_media_of_another_life_is_found) {
  book_.saw_transport(LifeId{1}, kAnn);
  EXPECT_TRUE(is_silent());
  book_.saw_transport(LifeId{1}, kBob);
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, teardown_and_an_end_without_words_need_a_reason) {
  book_.saw_teardown(kAnn);
  book_.excuse(kBob, Exit::Left);
  book_.saw_teardown(kBob);
  EXPECT_TRUE(is_silent());
  enter(ParticipantSid("PA_eve"), "eve", kNext);
  book_.saw_sent_away(ParticipantSid("PA_eve"));
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, dismissal_that_nobody_asked_for_is_found) {
  book_.saw_record(record(kNext));
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, event_that_gives_the_dismissal_of_another_life_is_found) {
  domain::Event event;
  event.room_sid = kFormer;
  event.reason.operation = kOperation;
  book_.saw_event(event);
  EXPECT_TRUE(is_silent());
  event.room_sid = kNext;
  book_.saw_event(event);
  EXPECT_FALSE(is_silent());
}

TEST_F(LifeBookTest, schedule_goes_over_to_the_first_life_within_a_minute_and_to_no_other) {
  book_.doom(kNext, Doom::Schedule);
  book_.restarted(Mono(std::chrono::seconds(10)));
  enter(ParticipantSid("PA_1"), "ann", RoomSid("RM_heir"), Mono(std::chrono::seconds(70)));
  enter(ParticipantSid("PA_2"), "ann", RoomSid("RM_other"), Mono(std::chrono::seconds(70)));
  EXPECT_TRUE(book_.is_doomed(RoomSid("RM_heir")));
  EXPECT_FALSE(book_.is_doomed(RoomSid("RM_other")));
  book_.restarted(Mono(std::chrono::seconds(100)));
  enter(ParticipantSid("PA_3"), "ann", RoomSid("RM_late"), Mono(std::chrono::seconds(161)));
  EXPECT_FALSE(book_.is_doomed(RoomSid("RM_late")));
}

TEST_F(LifeBookTest, schedule_of_a_life_whose_dismissal_is_on_the_disk_goes_over_to_nobody) {
  book_.doom(kFormer, Doom::Schedule);
  book_.restarted(Mono(std::chrono::seconds(10)));
  enter(ParticipantSid("PA_1"), "ann", RoomSid("RM_heir"), Mono(std::chrono::seconds(11)));
  EXPECT_FALSE(book_.is_doomed(RoomSid("RM_heir")));
}

TEST_F(LifeBookTest, innocents_are_those_without_a_reason_to_be_out) {
  EXPECT_EQ(book_.innocents(), std::vector{kBob});
  book_.doom(kNext, Doom::Schedule);
  EXPECT_TRUE(book_.innocents().empty());
  book_.schedule_cancelled(kNext);
  EXPECT_EQ(book_.innocents(), std::vector{kBob});
  book_.excuse(kBob, Exit::Removed);
  EXPECT_TRUE(book_.innocents().empty());
  EXPECT_EQ(book_.rounds(), 1u);
}

}  // namespace
}  // namespace atrium::sim
