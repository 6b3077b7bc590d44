// The same user twice in one life: the earlier session goes, the others see the user go on.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using DuplicateTest = RegistryTest;

TEST_F(DuplicateTest, earlier_session_is_told_in_the_order_of_the_notice) {
  const Person old = enter("ann");
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(only<CutParticipant>(joined).notice.code, ClientCode::DuplicateLogin);
  EXPECT_EQ(count_of<SendLeave>(joined), 0u);
  const SendLeave leave = only<SendLeave>(apply(NoticeAcked{old.sid}));
  EXPECT_EQ(leave.participant, old.sid);
  EXPECT_EQ(leave.reason, LeaveReason::DuplicateLogin);
  EXPECT_EQ(leave.action, LeaveAction::Disconnect);
  EXPECT_EQ(leave.close_code, 4004);
  EXPECT_EQ(only<CloseParticipant>(apply(LeaveWritten{old.sid})).participant, old.sid);
  EXPECT_EQ(only<ParticipantForgotten>(apply(TransportClosed{old.sid})).participant, old.sid);
}

TEST_F(DuplicateTest, notice_that_is_not_acknowledged_is_followed_by_the_leave_after_200_ms) {
  const Person old = enter("ann");
  apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(count_of<SendLeave>(after(199ms)), 0u);
  EXPECT_EQ(only<SendLeave>(after(1ms)).participant, old.sid);
}

TEST_F(DuplicateTest, others_see_the_new_sid_and_no_departure_of_the_old_one) {
  const Person watcher = enter("watcher");
  enter("ann");
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_TRUE(told(joined, watcher).empty());
  const ParticipantSid sid = only<JoinAccepted>(joined).self.sid;
  const auto seen = told(apply(JoinSent{sid}), watcher);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].sid, sid);
}

TEST_F(DuplicateTest, old_protocols_are_told_of_the_departure) {
  Joiner legacy = joiner("watcher");
  legacy.protocol = 11;
  const Person watcher = enter(legacy);
  const Person modern = enter("modern");
  const Person old = enter("ann");
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  ASSERT_EQ(told(joined, watcher).size(), 1u);
  EXPECT_EQ(told(joined, watcher)[0].sid, old.sid);
  EXPECT_EQ(told(joined, watcher)[0].state, ParticipantState::Disconnected);
  EXPECT_TRUE(told(joined, modern).empty());
}

TEST_F(DuplicateTest, others_hear_of_the_departure_after_all_when_the_newcomer_is_never_seen) {
  const Person watcher = enter("watcher");
  const Person old = enter("ann");
  const Person again = knock(joiner("ann"));
  const auto seen = told(lose_signal(again), watcher);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].sid, old.sid);
  EXPECT_EQ(seen[0].state, ParticipantState::Disconnected);
}

TEST_F(DuplicateTest, a_chain_of_newcomers_never_seen_still_ends_in_one_departure) {
  const Person watcher = enter("watcher");
  const Person old = enter("ann");
  knock(joiner("ann"));
  const Person third = knock(joiner("ann"));
  const auto seen = told(lose_signal(third), watcher);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].sid, old.sid);
}

TEST_F(DuplicateTest, session_whose_join_was_never_sent_is_dropped_silently) {
  const Person old = knock(joiner("ann"));
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(only<DropConnection>(joined).connection, old.connection);
  EXPECT_EQ(only<CloseParticipant>(joined).participant, old.sid);
  EXPECT_EQ(count_of<CutParticipant>(joined), 0u);
  EXPECT_EQ(count_of<SendLeave>(after(1s)), 0u);
}

TEST_F(DuplicateTest, session_that_lost_its_signalling_is_dropped_silently) {
  const Person old = enter("ann");
  lose_signal(old);
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(only<CloseParticipant>(joined).participant, old.sid);
  EXPECT_EQ(count_of<DropConnection>(joined), 0u);
  EXPECT_EQ(count_of<CutParticipant>(joined), 0u);
}

TEST_F(DuplicateTest, every_session_of_a_user_has_its_own_joined_and_left) {
  const Person old = enter("ann");
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  const Event left = events_of(joined, EventKind::UserLeft).at(0);
  EXPECT_EQ(left.participant, old.sid);
  EXPECT_EQ(left.reason.why, LeaveReason::DuplicateLogin);
  EXPECT_EQ(events_of(joined, EventKind::UserJoined).size(), 1u);
  EXPECT_TRUE(events_of(joined, EventKind::RoomStarted).empty());
}

TEST_F(DuplicateTest, displaced_sid_cannot_resume_and_is_told_the_code) {
  const Person old = enter("ann");
  enter("ann");
  EXPECT_EQ(only<ResumeMeetsTombstone>(resume(old)).notice.code, ClientCode::DuplicateLogin);
}

TEST_F(DuplicateTest, displaced_user_may_join_again_with_the_same_token) {
  enter("ann");
  enter("ann");
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(DuplicateTest, tracks_of_the_displaced_session_end) {
  const Person watcher = enter("watcher");
  const Person old = enter("ann");
  const TrackSid track = publish(old, microphone());
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(only<StopForward>(joined).subscriber, watcher.sid);
  EXPECT_EQ(only<StopTrack>(joined).track, track);
  EXPECT_EQ(room()->num_tracks, 0u);
}

TEST_F(DuplicateTest, same_user_in_two_rooms_is_no_duplicate) {
  const Person here = enter("ann");
  const Person there = enter(joiner("ann", "room2"));
  EXPECT_TRUE(view_of(here).has_value());
  EXPECT_TRUE(view_of(there).has_value());
}

TEST_F(DuplicateTest, displaced_client_that_closes_by_itself_is_torn_down_at_once) {
  const Person old = enter("ann");
  apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(only<CloseParticipant>(lose_signal(old)).participant, old.sid);
  EXPECT_TRUE(apply(NoticeAcked{old.sid}).empty());
}

}  // namespace
}  // namespace atrium::domain
