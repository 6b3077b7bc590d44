// Losing the connection and coming back as the same session.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using ResumeTest = RegistryTest;

TEST_F(ResumeTest, who_comes_back_within_the_grace_keeps_its_session) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  lose_signal(ann);
  EXPECT_EQ(room()->num_participants, 2u);
  after(options_.resume_grace - 1ms);
  const ResumeAccepted accepted = only<ResumeAccepted>(resume(ann));
  EXPECT_EQ(accepted.self.sid, ann.sid);
  EXPECT_FALSE(accepted.former.has_value());
  ASSERT_EQ(accepted.others.size(), 1u);
  EXPECT_EQ(accepted.others[0]->sid, bob.sid);
  EXPECT_TRUE(events_of(after(options_.resume_grace), EventKind::UserLeft).empty());
}

TEST_F(ResumeTest, resume_before_the_loss_was_noticed_names_the_former_connection) {
  const Person ann = enter("ann");
  EXPECT_EQ(only<ResumeAccepted>(resume(ann)).former, ann.connection);
  lose_signal(ann);  // the close event of the former connection is late
  EXPECT_TRUE(events_of(after(options_.resume_grace), EventKind::UserLeft).empty());
}

TEST_F(ResumeTest, who_does_not_come_back_is_gone_after_the_grace) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  lose_signal(ann);
  const Effects over = after(options_.resume_grace);
  EXPECT_EQ(events_of(over, EventKind::UserLeft).at(0).reason.why, LeaveReason::ConnectionLost);
  EXPECT_EQ(told(over, bob).at(0).leave_reason, LeaveReason::ConnectionLost);
  EXPECT_EQ(only<CloseParticipant>(over).participant, ann.sid);
  EXPECT_EQ(count_of<ResumeUnknown>(resume(ann)), 1u);
}

TEST_F(ResumeTest, deadline_counts_even_when_nobody_ticked) {
  const Person ann = enter("ann");
  lose_signal(ann);
  now_.mono += options_.resume_grace;
  EXPECT_EQ(count_of<ResumeUnknown>(resume(ann)), 1u);
}

TEST_F(ResumeTest, unknown_sid_is_sent_to_join_from_scratch) {
  enter("ann");
  EXPECT_EQ(count_of<ResumeUnknown>(
                apply(Resume{new_connection(), ParticipantSid("PA_x"), joiner("ann")})),
            1u);
}

TEST_F(ResumeTest, a_token_of_another_user_or_room_resumes_nothing) {
  const Person ann = enter("ann");
  EXPECT_EQ(count_of<ResumeUnknown>(apply(Resume{new_connection(), ann.sid, joiner("bob")})), 1u);
  EXPECT_EQ(
      count_of<ResumeUnknown>(apply(Resume{new_connection(), ann.sid, joiner("ann", "room2")})),
      1u);
  EXPECT_EQ(view_of(ann)->state, ParticipantState::Active);
}

TEST_F(ResumeTest, departures_missed_meanwhile_are_replayed) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  lose_signal(ann);
  EXPECT_TRUE(told(apply(Leave{bob.sid}), ann).empty());
  const ResumeAccepted accepted = only<ResumeAccepted>(resume(ann));
  ASSERT_EQ(accepted.departed.size(), 1u);
  EXPECT_EQ(accepted.departed[0]->sid, bob.sid);
  EXPECT_EQ(accepted.departed[0]->state, ParticipantState::Disconnected);
}

TEST_F(ResumeTest, users_who_are_back_are_not_replayed_as_departed) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  lose_signal(ann);
  apply(Leave{bob.sid});
  const Person again = enter("bob");
  const ResumeAccepted accepted = only<ResumeAccepted>(resume(ann));
  EXPECT_TRUE(accepted.departed.empty());
  EXPECT_EQ(accepted.others.at(0)->sid, again.sid);
}

TEST_F(ResumeTest, users_who_are_back_unseen_are_replayed_as_departed) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Person cat = enter("cat");
  lose_signal(ann);
  apply(Leave{bob.sid});
  apply(Leave{cat.sid});
  enter(hidden_joiner("bob"));
  knock(joiner("cat"));
  EXPECT_EQ(only<ResumeAccepted>(resume(ann)).departed.size(), 2u);
}

TEST_F(ResumeTest, clients_older_than_protocol_9_get_no_replay) {
  Joiner old = joiner("ann");
  old.protocol = 8;
  const Person ann = enter(old);
  const Person bob = enter("bob");
  apply(Leave{bob.sid});
  EXPECT_TRUE(only<ResumeAccepted>(resume(ann)).departed.empty());
}

TEST_F(ResumeTest, updates_do_not_go_to_who_has_no_connection) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  lose_signal(ann);
  EXPECT_TRUE(told(go_live(bob, add_track(bob, microphone())), ann).empty());
}

TEST_F(ResumeTest, forwards_go_on_through_a_resume) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  publish(bob, microphone());
  EXPECT_EQ(count_of<StopForward>(lose_signal(ann)), 0u);
  EXPECT_EQ(count_of<StartForward>(resume(ann)), 0u);
  EXPECT_EQ(registry_.counts().subscriptions, 1u);
}

TEST_F(ResumeTest, media_lost_with_signalling_alive_orders_a_resume) {
  const Person ann = enter("ann");
  const SendLeave leave = only<SendLeave>(apply(TransportDown{ann.sid}));
  EXPECT_EQ(leave.action, LeaveAction::Resume);
  EXPECT_EQ(leave.reason, LeaveReason::MediaFailure);
  apply(LeaveWritten{ann.sid});
  EXPECT_EQ(count_of<ResumeAccepted>(resume(ann)), 1u);
  EXPECT_TRUE(events_of(after(options_.resume_grace), EventKind::UserLeft).empty());
}

TEST_F(ResumeTest, resumed_session_whose_media_stays_away_times_out) {
  const Person ann = enter("ann");
  apply(TransportDown{ann.sid});
  resume(ann);
  EXPECT_EQ(events_of(after(60s), EventKind::UserLeft).at(0).reason.why, LeaveReason::JoinTimeout);
}

TEST_F(ResumeTest, resumed_session_whose_media_returns_stays) {
  const Person ann = enter("ann");
  apply(TransportDown{ann.sid});
  resume(ann);
  apply(TransportUp{ann.sid});
  EXPECT_TRUE(events_of(after(60s), EventKind::UserLeft).empty());
}

TEST_F(ResumeTest, room_with_nobody_but_a_reconnecting_user_does_not_end) {
  const Person ann = enter("ann");
  lose_signal(ann);
  after(options_.empty_room_grace);
  EXPECT_TRUE(room().has_value());
}

TEST_F(ResumeTest, session_that_was_never_sent_its_join_cannot_resume) {
  const Person ann = knock(joiner("ann"));
  EXPECT_EQ(count_of<ResumeUnknown>(resume(ann)), 1u);
}

}  // namespace
}  // namespace atrium::domain
