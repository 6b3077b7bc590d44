// Joining, being seen, leaving, and the end of an empty room.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using JoinTest = RegistryTest;

TEST_F(JoinTest, first_join_opens_a_life_and_later_ones_enter_it) {
  const Effects first = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(events_of(first, EventKind::RoomStarted).size(), 1u);
  EXPECT_EQ(events_of(first, EventKind::UserJoined).size(), 1u);
  const Effects second = apply(Join{new_connection(), joiner("bob")});
  EXPECT_TRUE(events_of(second, EventKind::RoomStarted).empty());
  EXPECT_EQ(only<JoinAccepted>(first).room.sid, only<JoinAccepted>(second).room.sid);
  EXPECT_EQ(room()->num_participants, 2u);
}

TEST_F(JoinTest, events_say_with_what_the_user_came) {
  Joiner who = joiner("ann");
  who.device = {.kind = DeviceKind::Ios, .model = "iPhone15,2", .sdk = "swift 2", .network = "5g"};
  const Effects joined = apply(Join{new_connection(), who});
  EXPECT_EQ(events_of(joined, EventKind::UserJoined).at(0).with, who.device);
  const Effects left = apply(Leave{only<JoinAccepted>(joined).self.sid});
  EXPECT_EQ(events_of(left, EventKind::UserLeft).at(0).with, who.device);
}

TEST_F(JoinTest, sids_carry_the_prefixes_that_clients_check) {
  const JoinAccepted accepted = only<JoinAccepted>(apply(Join{new_connection(), joiner("ann")}));
  EXPECT_TRUE(accepted.self.sid.value.starts_with("PA_"));
  EXPECT_TRUE(accepted.room.sid.value.starts_with("RM_"));
}

TEST_F(JoinTest, others_hear_of_a_joiner_once_its_join_was_sent_and_again_when_active) {
  const Person ann = enter("ann");
  const Person bob = knock(joiner("bob"));
  const Effects sent = apply(JoinSent{bob.sid});
  const auto joined = told(sent, ann);
  ASSERT_EQ(joined.size(), 1u);
  EXPECT_EQ(joined[0].user, UserId("bob"));
  EXPECT_EQ(joined[0].state, ParticipantState::Joined);
  const auto active = told(apply(TransportUp{bob.sid}), ann);
  ASSERT_EQ(active.size(), 1u);
  EXPECT_EQ(active[0].state, ParticipantState::Active);
  EXPECT_GT(active[0].version, joined[0].version);
}

TEST_F(JoinTest, joiner_hears_nothing_of_its_own_arrival) {
  const Person bob = knock(joiner("bob"));
  EXPECT_TRUE(told(apply(JoinSent{bob.sid}), bob).empty());
  EXPECT_TRUE(told(apply(TransportUp{bob.sid}), bob).empty());
}

TEST_F(JoinTest, snapshot_holds_who_is_announced_and_not_who_still_knocks) {
  enter("ann");
  knock(joiner("bob"));
  const JoinAccepted accepted = only<JoinAccepted>(apply(Join{new_connection(), joiner("cat")}));
  ASSERT_EQ(accepted.others.size(), 1u);
  EXPECT_EQ(accepted.others[0]->user, UserId("ann"));
  EXPECT_EQ(accepted.self.state, ParticipantState::Joined);
}

TEST_F(JoinTest, hidden_users_are_seen_by_nobody_but_counted_apart) {
  const Person ann = enter("ann");
  const Person eve = knock(hidden_joiner("eve"));
  EXPECT_TRUE(told(apply(JoinSent{eve.sid}), ann).empty());
  EXPECT_TRUE(only<JoinAccepted>(apply(Join{new_connection(), joiner("bob")})).others.size() == 1);
  EXPECT_EQ(room()->num_hidden, 1u);
  EXPECT_EQ(registry_.participants(ann.room_sid).size(), 3u);
  const Effects left = apply(Leave{eve.sid});
  EXPECT_TRUE(told(left, ann).empty());
  EXPECT_TRUE(only<Event>(left).hidden);
}

TEST_F(JoinTest, same_room_name_of_two_applications_is_two_rooms) {
  Joiner elsewhere = joiner("ann");
  elsewhere.app = AppId("app2");
  EXPECT_NE(enter("ann").room_sid, enter(elsewhere).room_sid);
  EXPECT_EQ(registry_.list_rooms(AppId(kApp), RoomId(), 10).size(), 1u);
}

TEST_F(JoinTest, rooms_are_listed_by_name) {
  enter(joiner("ann", "b"));
  enter(joiner("ann", "a"));
  const auto rooms = registry_.list_rooms(AppId(kApp), RoomId(), 10);
  ASSERT_EQ(rooms.size(), 2u);
  EXPECT_EQ(rooms[0].room, RoomId("a"));
  EXPECT_EQ(rooms[1].room, RoomId("b"));
  EXPECT_EQ(registry_.list_rooms(AppId(kApp), RoomId(), 1).back().room, RoomId("a"));
  EXPECT_EQ(registry_.list_rooms(AppId(kApp), RoomId("a"), 10).front().room, RoomId("b"));
}

TEST_F(JoinTest, leaving_tells_others_and_tears_down_without_a_word_to_the_leaver) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Effects left = apply(Leave{bob.sid});
  const auto seen = told(left, ann);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].state, ParticipantState::Disconnected);
  EXPECT_EQ(seen[0].leave_reason, LeaveReason::UserLeave);
  EXPECT_EQ(only<CloseParticipant>(left).participant, bob.sid);
  EXPECT_EQ(only<DropConnection>(left).connection, bob.connection);
  EXPECT_EQ(count_of<SendLeave>(left), 0u);
  EXPECT_EQ(only<ParticipantForgotten>(apply(TransportClosed{bob.sid})).participant, bob.sid);
}

TEST_F(JoinTest, user_left_says_how_long_the_user_stayed) {
  const Person ann = enter("ann");
  after(7s);
  const Event left = events_of(apply(Leave{ann.sid}), EventKind::UserLeft).at(0);
  EXPECT_EQ(left.stayed, Duration(7s));
  EXPECT_EQ(left.reason.why, LeaveReason::UserLeave);
}

TEST_F(JoinTest, empty_room_ends_after_its_grace) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  EXPECT_TRUE(room().has_value());
  const Effects ended = after(options_.empty_room_grace);
  EXPECT_EQ(only<CloseRoom>(ended).room_sid, ann.room_sid);
  EXPECT_EQ(events_of(ended, EventKind::RoomEnded).at(0).reason.why, LeaveReason::RoomClosed);
  EXPECT_FALSE(room().has_value());
  EXPECT_EQ(only<LifeForgotten>(closed(ann.room_sid)).room_sid, ann.room_sid);
  EXPECT_EQ(registry_.next_deadline(), kNever);
}

TEST_F(JoinTest, join_within_the_empty_grace_keeps_the_life) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  after(options_.empty_room_grace - 1ms);
  EXPECT_EQ(enter("bob").room_sid, ann.room_sid);
  EXPECT_EQ(count_of<CloseRoom>(after(options_.empty_room_grace)), 0u);
}

TEST_F(JoinTest, join_while_an_empty_life_closes_opens_another_life) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  after(options_.empty_room_grace);
  const Person again = enter("ann");
  EXPECT_NE(again.room_sid, ann.room_sid);
  closed(ann.room_sid);
  EXPECT_EQ(room()->sid, again.room_sid);
}

TEST_F(JoinTest, joiner_whose_transport_never_comes_up_is_told_join_failure) {
  const Person ann = enter("ann");
  const Person bob = knock(joiner("bob"));
  apply(JoinSent{bob.sid});
  const Effects timed_out = after(60s);
  const SendLeave leave = only<SendLeave>(timed_out);
  EXPECT_EQ(leave.participant, bob.sid);
  EXPECT_EQ(leave.reason, LeaveReason::JoinTimeout);
  EXPECT_EQ(leave.action, LeaveAction::Disconnect);
  EXPECT_EQ(told(timed_out, ann).at(0).leave_reason, LeaveReason::JoinTimeout);
  EXPECT_EQ(count_of<CloseParticipant>(timed_out), 0u);
  EXPECT_EQ(count_of<CloseParticipant>(apply(LeaveWritten{bob.sid})), 1u);
}

TEST_F(JoinTest, leave_that_node_never_answers_for_is_closed_all_the_same) {
  enter("ann");
  const Person bob = knock(joiner("bob"));
  apply(JoinSent{bob.sid});
  after(60s);
  EXPECT_EQ(only<CloseParticipant>(after(2s)).participant, bob.sid);
}

TEST_F(JoinTest, connection_lost_before_the_join_was_sent_leaves_no_session) {
  const Person ann = knock(joiner("ann"));
  const Effects lost = lose_signal(ann);
  EXPECT_EQ(events_of(lost, EventKind::UserLeft).size(), 1u);
  EXPECT_EQ(only<CloseParticipant>(lost).participant, ann.sid);
  EXPECT_EQ(count_of<DropConnection>(lost), 0u);
  EXPECT_EQ(room()->num_participants, 0u);
}

TEST_F(JoinTest, oversized_joiners_are_refused_for_good) {
  Joiner chatty = joiner("ann");
  chatty.metadata.assign(limits::kMetadataBytesMax + 1, 'x');
  const JoinRefused refused = only<JoinRefused>(apply(Join{new_connection(), chatty}));
  EXPECT_EQ(refused.code, ClientCode::JoinRoom);
  EXPECT_FALSE(refused.retry_later);
  Joiner roomless = joiner("ann", "");
  EXPECT_EQ(only<JoinRefused>(apply(Join{new_connection(), roomless})).code,
            ClientCode::RoomIdIllegal);
  EXPECT_EQ(registry_.counts().rooms, 0u);
}

TEST_F(JoinTest, full_room_refuses_for_now_but_lets_its_own_users_return) {
  for (int64_t i = 0; i < limits::kParticipantsPerRoomMax; ++i)
    registry_.apply(Join{new_connection(), joiner("user" + std::to_string(i))}, now_);
  const JoinRefused refused =
      only<JoinRefused>(apply(Join{new_connection(), joiner("one too many")}));
  EXPECT_EQ(refused.code, ClientCode::JoinRoom);
  EXPECT_TRUE(refused.retry_later);
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("user7")})), 1u);
}

TEST_F(JoinTest, media_failure_before_active_asks_for_a_join_from_scratch) {
  const Person ann = knock(joiner("ann"));
  apply(JoinSent{ann.sid});
  const SendLeave leave = only<SendLeave>(apply(TransportDown{ann.sid}));
  EXPECT_EQ(leave.action, LeaveAction::Reconnect);
  EXPECT_EQ(leave.reason, LeaveReason::MediaFailure);
  EXPECT_EQ(room()->num_participants, 0u);
}

TEST_F(JoinTest, unknown_ids_are_ignored_by_every_command) {
  const ParticipantSid nobody("PA_nobody");
  const TrackSid nothing("TR_nothing");
  EXPECT_TRUE(apply(JoinSent{nobody}).empty());
  EXPECT_TRUE(apply(SignalLost{nobody, {}}).empty());
  EXPECT_TRUE(apply(Leave{nobody}).empty());
  EXPECT_TRUE(apply(AddTrack{nobody, microphone()}).empty());
  EXPECT_TRUE(apply(TrackLive{nobody, nothing, "", ""}).empty());
  EXPECT_TRUE(apply(TrackGone{nobody, nothing}).empty());
  EXPECT_TRUE(apply(SetMuted{nobody, nothing, true}).empty());
  EXPECT_TRUE(apply(UpdateSubscription{nobody, {nothing}, true}).empty());
  EXPECT_TRUE(apply(UpdateMetadata{nobody, 1, {}, {}, {}}).empty());
  EXPECT_TRUE(apply(RenewToken{nobody, joiner("ann")}).empty());
  EXPECT_TRUE(apply(NoticeAcked{nobody}).empty());
  EXPECT_TRUE(apply(TransportClosed{nobody}).empty());
  EXPECT_TRUE(apply(LeaveNotWritten{nobody}).empty());
  EXPECT_TRUE(apply(RoomCut{RoomSid("RM_none"), {}, {}}).empty());
  EXPECT_TRUE(apply(RoomClosed{RoomSid("RM_none"), 0, 0}).empty());
  EXPECT_TRUE(apply(RecordStored{OperationId("OP_none"), true}).empty());
}

}  // namespace
}  // namespace atrium::domain
