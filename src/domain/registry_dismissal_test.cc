// DismissRoom from the fence to the durable answer (DESIGN section 1).
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class DismissalTest : public RegistryTest {
 protected:
  struct Running {
    OperationId operation;
    WaiterId waiter;
    Effects fence;
  };
  Running start(const std::string& name = kRoom) {
    const DismissRoom command = dismiss_command(name);
    Effects fence = apply(command);
    return {only<PersistDismissal>(fence).record.operation, command.waiter, std::move(fence)};
  }
  // All sessions acknowledge, all leaves are written.
  Effects tell_everybody(const std::vector<Person>& people) {
    Effects last;
    for (const Person& person : people) {
      apply(NoticeAcked{person.sid});
      last = apply(LeaveWritten{person.sid});
    }
    return last;
  }
};

// Media of a large room must not go on while its users are written up.
TEST_F(DismissalTest, the_cut_goes_out_before_the_events_of_the_users_are_made) {
  struct Counting final : SecretSource {
    void fill(std::span<uint8_t> out) override {
      seeded.fill(out);
      ++draws;
    }
    SeededSecretSource seeded{11};
    size_t draws = 0;
  } secrets;
  std::vector<CutRoom> cuts;
  size_t draws_at_cut = 0;
  Registry registry(secrets, {.cut_at_once = [&](CutRoom cut) {
                      cuts.push_back(std::move(cut));
                      draws_at_cut = secrets.draws;
                      return RegistryOptions::Carried::Yes;
                    }});
  registry.apply(RestoreTombstones{{}}, now_);
  RoomSid life;
  for (int i = 0; i < 20; ++i) {
    const Effects joined =
        registry.apply(Join{new_connection(), joiner("user" + std::to_string(i))}, now_);
    life = only<JoinAccepted>(joined).room.sid;
  }
  const size_t draws_before = secrets.draws;
  const Effects fence = registry.apply(dismiss_command(), now_);
  ASSERT_EQ(cuts.size(), 1u);
  EXPECT_EQ(cuts.front().room_sid, life);
  EXPECT_EQ(cuts.front().notice.name, "ROOM_DISMISS");
  EXPECT_EQ(count_of<CutRoom>(fence), 0u) << "nor twice";
  EXPECT_EQ(only<PersistDismissal>(fence).events.size(), 21u);
  EXPECT_EQ(draws_at_cut, draws_before + 1) << "the operation's id is all that was made until then";
  EXPECT_GE(secrets.draws, draws_at_cut + 21) << "each event has an id of its own";
  registry.check_invariants();
}

// A registry whose lives nothing carries.
class UncarriedDismissalTest : public DismissalTest {
 protected:
  Effects uncarried(Command command) {
    Effects effects = uncarried_.apply(std::move(command), now_);
    uncarried_.check_invariants();
    return effects;
  }
  SeededSecretSource own_secrets_{3};
  Registry uncarried_{own_secrets_,
                      {.cut_at_once = [](const CutRoom&) { return RegistryOptions::Carried::No; }}};
};

TEST_F(UncarriedDismissalTest, a_life_that_nothing_carries_and_nobody_is_in_needs_one_record) {
  const OpenRoom create{
      .waiter = WaiterId{70}, .app = AppId(kApp), .room = RoomId(kRoom), .origin = {}};
  uncarried(create);
  now_.mono += 5ms;
  now_.wall += 5ms;
  DismissRoom command = dismiss_command();
  command.accepted = now_.mono - 2ms;
  const Effects fence = uncarried(command);
  const PersistDismissal write = only<PersistDismissal>(fence);
  EXPECT_TRUE(write.is_final);
  ASSERT_EQ(write.events.size(), 1u);
  EXPECT_EQ(write.events.front().kind, EventKind::RoomEnded);
  EXPECT_EQ(count_of<ReleaseEvents>(fence), 0u) << "its events are not held";
  EXPECT_EQ(count_of<CloseRoom>(fence), 0u);
  EXPECT_EQ(count_of<LifeForgotten>(fence), 1u);
  EXPECT_EQ(count_of<DismissReply>(fence), 0u) << "not before it is durable";
  const DismissalRecord& record = write.record;
  EXPECT_EQ(record.state, DismissalState::Done);
  EXPECT_EQ(record.fenced_us, 2'000);
  EXPECT_EQ(record.media_cut_us, 2'000);
  EXPECT_EQ(record.notified_us, 2'000);
  EXPECT_EQ(record.closed_us, 2'000);
  EXPECT_EQ(record.media_cut_at, now_.wall);
  EXPECT_EQ(record.users_at_fence, 0u);
  EXPECT_EQ(record.notified, 0u);
  EXPECT_EQ(record.not_notified, 0u);
  EXPECT_EQ(record.transports_at_fence, 0u);
  EXPECT_EQ(record.transports_closed, 0u);
  EXPECT_EQ(record.packets_after_cut, 0u);

  // Who asks again before the record is durable gets the same answer.
  const DismissRoom again = dismiss_command();
  EXPECT_TRUE(uncarried(again).empty());
  const std::vector<DismissReply> replies =
      all_of<DismissReply>(uncarried(RecordStored{record.operation, true}));
  ASSERT_EQ(replies.size(), 2u);
  for (const DismissReply& reply : replies) EXPECT_EQ(reply.outcome, DismissOutcome::Done);
  EXPECT_EQ(replies[0].waiter, command.waiter);
  EXPECT_EQ(replies[1].waiter, again.waiter);
  EXPECT_EQ(uncarried_.next_deadline(), kNever);
  EXPECT_EQ(uncarried_.counts().operations, 0u);
}

TEST_F(UncarriedDismissalTest, where_the_store_refuses_the_record_the_caller_hears_it) {
  uncarried(
      OpenRoom{.waiter = WaiterId{70}, .app = AppId(kApp), .room = RoomId(kRoom), .origin = {}});
  const OperationId operation =
      only<PersistDismissal>(uncarried(dismiss_command())).record.operation;
  const Effects refused = uncarried(RecordStored{operation, false});
  EXPECT_EQ(only<DismissReply>(refused).outcome, DismissOutcome::RecordFailed);
  EXPECT_EQ(only<DismissReply>(refused).record->state, DismissalState::Failed);
}

// Who still connects has no transport, and is told before it is over.
TEST_F(UncarriedDismissalTest, a_life_with_somebody_in_it_is_cut_at_once_and_told_as_ever) {
  const ConnectionId connection = new_connection();
  const JoinAccepted ann = only<JoinAccepted>(uncarried(Join{connection, joiner("ann")}));
  uncarried(JoinSent{ann.self.sid});
  const Effects fence = uncarried(dismiss_command());
  const PersistDismissal write = only<PersistDismissal>(fence);
  EXPECT_FALSE(write.is_final);
  EXPECT_EQ(count_of<ReleaseEvents>(fence), 1u) << "cut, without a report of it";
  EXPECT_EQ(count_of<CloseRoom>(fence), 0u);
  uncarried(RecordStored{write.record.operation, true});
  uncarried(NoticeAcked{ann.self.sid});
  EXPECT_EQ(count_of<CloseRoom>(uncarried(LeaveWritten{ann.self.sid})), 1u);
  const Effects gone = uncarried(RoomClosed{ann.room.sid, 0, 0});
  EXPECT_TRUE(only<PersistDismissal>(gone).is_final);
  EXPECT_EQ(only<PersistDismissal>(gone).record.media_cut_at, now_.wall);
}

TEST_F(DismissalTest, the_phases_come_in_order_and_the_answer_last) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Running run = start();
  EXPECT_EQ(count_of<DismissReply>(run.fence), 0u);
  EXPECT_EQ(only<CutRoom>(run.fence).notice.name, "ROOM_DISMISS");
  EXPECT_EQ(only<CutRoom>(run.fence).notice.operation, run.operation);
  EXPECT_EQ(only<PersistDismissal>(run.fence).record.state, DismissalState::Running);
  EXPECT_EQ(only<PersistDismissal>(run.fence).record.users_at_fence, 2u);
  EXPECT_TRUE(stored(run.operation).empty());
  now_.mono += 3ms;
  const Effects after_cut = cut(ann.room_sid);
  EXPECT_EQ(only<ReleaseEvents>(after_cut).operation, run.operation);
  EXPECT_EQ(after_cut.size(), 1u) << "who has not acknowledged is not sent a leave yet";

  const SendLeave leave = only<SendLeave>(apply(NoticeAcked{ann.sid}));
  EXPECT_EQ(leave.reason, LeaveReason::RoomDismissed);
  EXPECT_EQ(leave.action, LeaveAction::Disconnect);
  EXPECT_EQ(leave.close_code, 4011);
  EXPECT_EQ(count_of<CloseRoom>(apply(LeaveWritten{ann.sid})), 0u);
  apply(NoticeAcked{bob.sid});
  EXPECT_EQ(only<CloseRoom>(apply(LeaveWritten{bob.sid})).room_sid, ann.room_sid);

  const Effects gone = closed(ann.room_sid);
  EXPECT_EQ(count_of<DismissReply>(gone), 0u);
  EXPECT_EQ(count_of<ParticipantForgotten>(gone), 2u);
  EXPECT_EQ(only<LifeForgotten>(gone).room_sid, ann.room_sid);
  EXPECT_EQ(only<PersistDismissal>(gone).record.state, DismissalState::Done);

  const DismissReply reply = only<DismissReply>(stored(run.operation));
  EXPECT_EQ(reply.waiter, run.waiter);
  EXPECT_EQ(reply.outcome, DismissOutcome::Done);
  ASSERT_TRUE(reply.record.has_value());
  EXPECT_EQ(reply.record->notified, 2u);
  EXPECT_EQ(reply.record->not_notified, 0u);
  EXPECT_EQ(reply.record->media_cut_us, 3'000);
  EXPECT_EQ(reply.record->transports_at_fence, 2u);
  EXPECT_EQ(reply.record->transports_closed, 2u);
  EXPECT_EQ(reply.record->packets_after_cut, 0u);
  EXPECT_EQ(registry_.counts().operations, 0u);
}

TEST_F(DismissalTest, unknown_room_is_answered_at_once_and_leaves_no_record) {
  const Effects effects = dismiss("nowhere");
  EXPECT_EQ(only<DismissReply>(effects).outcome, DismissOutcome::NoSuchRoom);
  EXPECT_FALSE(only<DismissReply>(effects).record.has_value());
  EXPECT_EQ(effects.size(), 1u);
}

TEST_F(DismissalTest, name_is_free_at_once_and_the_new_life_is_untouched) {
  const Person ann = enter("ann");
  const Running run = start();
  const Person again = knock(joiner("ann"));
  EXPECT_NE(again.room_sid, ann.room_sid);
  apply(JoinSent{again.sid});
  cut(ann.room_sid);
  tell_everybody({ann});
  closed(ann.room_sid);
  EXPECT_EQ(room()->sid, again.room_sid);
  EXPECT_TRUE(view_of(again).has_value());
}

TEST_F(DismissalTest, same_user_in_old_and_new_life_is_no_duplicate_login) {
  enter("ann");
  start();
  const Effects joined = apply(Join{new_connection(), joiner("ann")});
  EXPECT_EQ(count_of<CutParticipant>(joined), 0u);
  EXPECT_TRUE(events_of(joined, EventKind::UserLeft).empty());
}

TEST_F(DismissalTest, nothing_of_the_fenced_life_goes_on) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const TrackSid pending = add_track(ann, camera());
  start();
  EXPECT_TRUE(apply(AddTrack{ann.sid, microphone()}).empty());
  EXPECT_TRUE(apply(TrackLive{ann.sid, pending, "video/VP8", "1"}).empty());
  EXPECT_TRUE(apply(SetMuted{ann.sid, track, true}).empty());
  EXPECT_TRUE(apply(UpdateSubscription{bob.sid, {track}, false}).empty());
  EXPECT_TRUE(apply(ForwardAttached{bob.sid, track}).empty());
  EXPECT_TRUE(apply(TransportDown{ann.sid}).empty());
  EXPECT_TRUE(apply(Leave{bob.sid}).empty());
  EXPECT_EQ(only<ResumeMeetsTombstone>(resume(ann)).notice.code, ClientCode::RoomDismiss);
}

TEST_F(DismissalTest, nobody_is_told_that_the_others_left) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  Effects all = start().fence;
  for (const Effects& more : {cut(ann.room_sid), tell_everybody({ann, bob}), closed(ann.room_sid)})
    all.insert(all.end(), more.begin(), more.end());
  EXPECT_EQ(count_of<ParticipantUpdate>(all), 0u);
  EXPECT_EQ(count_of<RoomUpdate>(all), 0u);
}

TEST_F(DismissalTest, acknowledgement_before_the_cut_is_kept_until_the_cut) {
  const Person ann = enter("ann");
  start();
  EXPECT_TRUE(apply(NoticeAcked{ann.sid}).empty());
  EXPECT_EQ(only<SendLeave>(cut(ann.room_sid)).participant, ann.sid);
}

TEST_F(DismissalTest, slow_client_delays_nobody_and_gets_its_leave_after_200_ms) {
  const Person ann = enter("ann");
  const Person slow = enter("slow");
  const Running run = start();
  cut(ann.room_sid);
  EXPECT_EQ(count_of<SendLeave>(apply(NoticeAcked{ann.sid})), 1u);
  apply(LeaveWritten{ann.sid});
  EXPECT_EQ(count_of<SendLeave>(after(199ms)), 0u);
  const Effects overdue = after(1ms);
  EXPECT_EQ(only<SendLeave>(overdue).participant, slow.sid);
  EXPECT_EQ(only<PersistTombstones>(overdue).tombstones.at(0).participant, slow.sid);
  EXPECT_EQ(count_of<CloseRoom>(apply(LeaveWritten{slow.sid})), 1u);
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.notified, 1u);
  EXPECT_EQ(record.not_notified, 1u);
  EXPECT_EQ(record.not_notified_names.at(0).reason, NotNotifiedReason::Unacknowledged);
}

TEST_F(DismissalTest, without_a_channel_the_leave_alone_counts_as_told) {
  const Person ann = enter("ann");
  apply(NoticeChannel{ann.sid, false});
  const Running run = start();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});  // node: no channel to use
  apply(LeaveWritten{ann.sid});
  EXPECT_EQ(registry_.find_operation(run.operation)->notified, 1u);
}

TEST_F(DismissalTest, who_can_be_told_has_a_tombstone_in_the_store_until_told) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Running run = start();
  const PersistDismissal fence = only<PersistDismissal>(run.fence);
  EXPECT_TRUE(fence.tombstones.empty());
  ASSERT_EQ(fence.precautions.size(), 2u);
  EXPECT_EQ(fence.precautions.at(0).operation, run.operation);
  EXPECT_EQ(registry_.counts().tombstones, 0u);
  cut(ann.room_sid);
  for (const Person& person : {ann, bob}) apply(NoticeAcked{person.sid});
  apply(LeaveWritten{ann.sid});
  apply(LeaveNotWritten{bob.sid});
  stored(run.operation);
  const PersistDismissal last = only<PersistDismissal>(closed(ann.room_sid));
  EXPECT_EQ(last.told, std::vector{ann.sid});
  EXPECT_TRUE(last.precautions.empty());
}

TEST_F(DismissalTest, session_without_media_yet_is_told_and_leaves_a_tombstone) {
  const Person ann = knock(joiner("ann"));
  apply(JoinSent{ann.sid});
  const Running run = start();
  EXPECT_EQ(only<PersistDismissal>(run.fence).tombstones.at(0).participant, ann.sid);
  cut(ann.room_sid);
  tell_everybody({ann});
  EXPECT_EQ(registry_.find_operation(run.operation)->notified, 1u);
  EXPECT_EQ(count_of<JoinRefused>(apply(Join{new_connection(), joiner("ann")})), 1u);
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(DismissalTest, connecting_session_is_never_sent_its_join) {
  const Person ann = enter("ann");
  const Person knocking = knock(joiner("bob"));
  const Running run = start();
  EXPECT_EQ(only<DropConnection>(run.fence).connection, knocking.connection);
  const Tombstone tombstone = only<PersistDismissal>(run.fence).tombstones.at(0);
  EXPECT_EQ(tombstone.participant, knocking.sid);
  EXPECT_EQ(tombstone.operation, run.operation);
  EXPECT_EQ(tombstone.expires_at, now_.wall + 60s);
  EXPECT_TRUE(apply(JoinSent{knocking.sid}).empty());
  cut(ann.room_sid);
  tell_everybody({ann});
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.not_notified_names.at(0).reason, NotNotifiedReason::Connecting);
}

TEST_F(DismissalTest, reconnecting_session_leaves_a_tombstone_and_delays_nobody) {
  const Person ann = enter("ann");
  lose_signal(ann);
  const Running run = start();
  EXPECT_EQ(only<PersistDismissal>(run.fence).tombstones.size(), 1u);
  EXPECT_EQ(count_of<DropConnection>(run.fence), 0u);
  EXPECT_EQ(count_of<CloseRoom>(cut(ann.room_sid)), 1u);
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.not_notified_names.at(0).reason, NotNotifiedReason::Reconnecting);
}

TEST_F(DismissalTest, socket_lost_between_fence_and_leave_leaves_a_tombstone) {
  const Person ann = enter("ann");
  const Running run = start();
  const Effects lost = lose_signal(ann);
  EXPECT_EQ(only<PersistTombstones>(lost).tombstones.at(0).participant, ann.sid);
  EXPECT_EQ(count_of<CloseRoom>(cut(ann.room_sid)), 1u);
  EXPECT_EQ(registry_.find_operation(run.operation)->not_notified, 1u);
}

TEST_F(DismissalTest, leave_that_cannot_be_written_leaves_a_tombstone) {
  const Person ann = enter("ann");
  apply(NoticeChannel{ann.sid, false});
  const Running run = start();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  const Effects refused = apply(LeaveNotWritten{ann.sid});
  EXPECT_EQ(only<PersistTombstones>(refused).tombstones.at(0).participant, ann.sid);
  EXPECT_EQ(count_of<CloseRoom>(refused), 1u);
  EXPECT_EQ(registry_.find_operation(run.operation)->not_notified_names.at(0).reason,
            NotNotifiedReason::NotWritable);
}

TEST_F(DismissalTest, who_acknowledged_counts_as_told_though_the_socket_took_nothing) {
  const Person ann = enter("ann");
  const Running run = start();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  EXPECT_EQ(count_of<PersistTombstones>(apply(LeaveNotWritten{ann.sid})), 1u);
  EXPECT_EQ(registry_.find_operation(run.operation)->notified, 1u);
}

TEST_F(DismissalTest, after_2_s_what_is_left_is_cut_without_waiting) {
  const Person ann = enter("ann");
  const Running run = start();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  EXPECT_EQ(count_of<CloseRoom>(after(1'999ms)), 0u);
  EXPECT_EQ(count_of<CloseRoom>(after(1ms)), 1u);
  closed(ann.room_sid);
  stored(run.operation);
  EXPECT_EQ(only<DismissReply>(stored(run.operation)).outcome, DismissOutcome::Done);
}

TEST_F(DismissalTest, leaves_go_out_before_the_forced_close_even_without_a_cut) {
  const Person ann = enter("ann");
  start();
  EXPECT_EQ(only<SendLeave>(after(1'800ms)).participant, ann.sid);
  EXPECT_EQ(count_of<CloseRoom>(apply(LeaveWritten{ann.sid})), 0u);
  EXPECT_EQ(count_of<CloseRoom>(after(200ms)), 1u);
}

TEST_F(DismissalTest, unconfirmed_cut_is_an_error_with_the_operation_and_the_operation_goes_on) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  after(2s);
  const Effects unconfirmed = after(3s);
  EXPECT_EQ(only<DismissReply>(unconfirmed).outcome, DismissOutcome::MediaCutUnconfirmed);
  EXPECT_EQ(only<DismissReply>(unconfirmed).record->operation, run.operation);
  EXPECT_EQ(only<PersistDismissal>(unconfirmed).record.state, DismissalState::Failed);
  stored(run.operation);
  EXPECT_EQ(only<ReleaseEvents>(cut(ann.room_sid)).operation, run.operation);
  closed(ann.room_sid);
  const Effects finished = stored(run.operation);
  EXPECT_EQ(count_of<DismissReply>(finished), 0u);
  EXPECT_EQ(count_of<ReleaseEvents>(finished), 0u) << "once";
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.state, DismissalState::Done);
  EXPECT_FALSE(record.failure.empty());
}

TEST_F(DismissalTest, caller_is_not_kept_for_ever_where_the_rest_does_not_get_done) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  cut(ann.room_sid);
  after(2s);
  const DismissReply reply = only<DismissReply>(after(3s));
  EXPECT_EQ(reply.outcome, DismissOutcome::Unfinished);
  EXPECT_EQ(reply.record->operation, run.operation);
  closed(ann.room_sid);
  EXPECT_EQ(count_of<DismissReply>(stored(run.operation)), 0u);
  EXPECT_EQ(registry_.find_operation(run.operation)->state, DismissalState::Done);
}

TEST_F(DismissalTest, time_from_the_call_to_the_fence_is_measured) {
  enter("ann");
  const Mono heard = now_.mono - 7ms;
  const Effects fence = apply(DismissRoom{.waiter = WaiterId{1},
                                          .app = AppId(kApp),
                                          .room = RoomId(kRoom),
                                          .operator_id = {},
                                          .request_id = {},
                                          .reason = {},
                                          .accepted = heard});
  const DismissalRecord record = only<PersistDismissal>(fence).record;
  EXPECT_EQ(record.fenced_us, 7'000);
  EXPECT_EQ(*record.fenced_at - record.accepted_at, 7ms);
}

TEST_F(DismissalTest, end_of_a_former_connection_says_nothing_about_the_leave_on_the_next) {
  Person ann = enter("ann");
  const ConnectionId former = ann.connection;
  apply(TransportUp{ann.sid});
  apply(TransportDown{ann.sid});  // its leave is on its way on `former`
  resume(ann);
  const Running run = start();
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  EXPECT_TRUE(apply(LeaveNotWritten{ann.sid, former}).empty());
  EXPECT_TRUE(apply(LeaveWritten{ann.sid, former}).empty());
  EXPECT_EQ(count_of<CloseRoom>(apply(LeaveWritten{ann.sid})), 1u);
}

TEST_F(DismissalTest, room_closed_without_a_cut_is_never_success) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  after(2s);
  closed(ann.room_sid);
  EXPECT_EQ(only<DismissReply>(stored(run.operation)).outcome, DismissOutcome::MediaCutUnconfirmed);
  EXPECT_EQ(registry_.find_operation(run.operation)->state, DismissalState::Failed);
  EXPECT_FALSE(registry_.find_operation(run.operation)->media_cut_at.has_value());
}

TEST_F(DismissalTest, record_that_cannot_be_written_is_an_error_and_the_room_still_closes) {
  const Person ann = enter("ann");
  const Running run = start();
  const Effects failed = stored(run.operation, false);
  EXPECT_EQ(only<DismissReply>(failed).outcome, DismissOutcome::RecordFailed);
  EXPECT_EQ(only<DismissReply>(failed).record->state, DismissalState::Failed);
  cut(ann.room_sid);
  tell_everybody({ann});
  EXPECT_EQ(only<PersistDismissal>(closed(ann.room_sid)).record.state, DismissalState::Failed);
  const Effects finished = stored(run.operation);
  EXPECT_EQ(count_of<DismissReply>(finished), 0u);
}

TEST_F(DismissalTest, final_record_that_cannot_be_written_is_an_error) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  cut(ann.room_sid);
  tell_everybody({ann});
  closed(ann.room_sid);
  EXPECT_EQ(only<DismissReply>(stored(run.operation, false)).outcome, DismissOutcome::RecordFailed);
}

TEST_F(DismissalTest, slow_fence_record_holds_the_answer_back) {
  const Person ann = enter("ann");
  const Running run = start();
  cut(ann.room_sid);
  tell_everybody({ann});
  EXPECT_EQ(count_of<PersistDismissal>(closed(ann.room_sid)), 0u);
  const Effects fence_stored = stored(run.operation);
  EXPECT_EQ(count_of<DismissReply>(fence_stored), 0u);
  EXPECT_EQ(only<PersistDismissal>(fence_stored).record.state, DismissalState::Done);
  EXPECT_EQ(only<DismissReply>(stored(run.operation)).outcome, DismissOutcome::Done);
}

TEST_F(DismissalTest, events_are_one_user_left_each_and_then_room_ended) {
  const Person ann = enter("ann");
  enter(hidden_joiner("eve"));
  const Running run = start();
  const std::vector<Event> events = only<PersistDismissal>(run.fence).events;
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(count_of<Event>(run.fence) + count_of<ReleaseEvents>(run.fence), 0u);
  EXPECT_EQ(count_of<ReleaseEvents>(stored(run.operation)), 0u) << "nobody is told before the cut";
  EXPECT_EQ(only<ReleaseEvents>(cut(ann.room_sid)).operation, run.operation);
  after(2s);
  EXPECT_TRUE(only<PersistDismissal>(closed(ann.room_sid)).events.empty()) << "once";
  EXPECT_EQ(count_of<Event>(stored(run.operation)), 0u);
  EXPECT_EQ(events[0].kind, EventKind::UserLeft);
  EXPECT_EQ(events[1].kind, EventKind::UserLeft);
  EXPECT_EQ(events[0].reason.why, LeaveReason::RoomDismissed);
  EXPECT_EQ(events[2].kind, EventKind::RoomEnded);
  EXPECT_EQ(events[2].reason.why, LeaveReason::RoomDismissed);
}

TEST_F(DismissalTest, everybody_is_given_the_same_reason) {
  const Person ann = enter("ann");
  DismissRoom command = dismiss_command(kRoom);
  command.operator_id = "AKLTops";
  command.reason = "exam is over";
  const Effects fence = apply(command);
  const PersistDismissal write = only<PersistDismissal>(fence);
  const Reason reason = write.events.at(0).reason;
  EXPECT_EQ(reason, (Reason{.why = LeaveReason::RoomDismissed,
                            .number = -1011,
                            .name = "ROOM_DISMISS",
                            .text = "exam is over",
                            .operation = write.record.operation,
                            .operator_id = "AKLTops"}));
  EXPECT_EQ(write.events.at(1).reason, reason);
  const Notice notice = only<CutRoom>(fence).notice;
  EXPECT_EQ(static_cast<int>(notice.code), reason.number);
  EXPECT_EQ(notice.name, reason.name);
  EXPECT_EQ(notice.message, reason.text);
  EXPECT_EQ(notice.operation, reason.operation);
  EXPECT_EQ(notice.operator_id, reason.operator_id);
  // Who was away hears the same.
  Joiner late = joiner("ann");
  const auto met = only<ResumeMeetsTombstone>(apply(Resume{new_connection(), ann.sid, late}));
  EXPECT_EQ(met.notice.message, reason.text);
  EXPECT_EQ(met.notice.operator_id, reason.operator_id);
}

TEST_F(DismissalTest, condition_on_the_life_spares_every_other_life) {
  const auto dismiss_if = [&](const RoomSid& sid) {
    DismissRoom command = dismiss_command(kRoom);
    command.if_session = sid;
    return apply(std::move(command));
  };
  EXPECT_EQ(only<DismissReply>(dismiss_if(RoomSid("RM_1"))).outcome, DismissOutcome::NotCurrent);
  const Person ann = enter("ann");
  const Effects spared = dismiss_if(RoomSid("RM_1"));
  EXPECT_EQ(only<DismissReply>(spared).outcome, DismissOutcome::NotCurrent);
  EXPECT_EQ(spared.size(), 1u);
  const Effects fence = dismiss_if(ann.room_sid);
  const OperationId operation = only<PersistDismissal>(fence).record.operation;
  EXPECT_EQ(dismiss_if(ann.room_sid).size(), 0u) << "joins the operation that runs";
  const Person bob = enter("bob");
  EXPECT_NE(bob.room_sid, ann.room_sid);
  EXPECT_EQ(only<DismissReply>(dismiss_if(ann.room_sid)).outcome, DismissOutcome::NotCurrent);
  stored(operation);
}

TEST_F(DismissalTest, call_that_meets_a_running_operation_gets_its_answer) {
  const Person ann = enter("ann");
  const Running run = start();
  const DismissRoom second = dismiss_command();
  EXPECT_TRUE(apply(second).empty());
  stored(run.operation);
  cut(ann.room_sid);
  tell_everybody({ann});
  closed(ann.room_sid);
  const auto replies = all_of<DismissReply>(stored(run.operation));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[1].waiter, second.waiter);
  EXPECT_EQ(replies[1].record->operation, run.operation);
  EXPECT_EQ(only<DismissReply>(dismiss()).outcome, DismissOutcome::NoSuchRoom);
}

TEST_F(DismissalTest, call_after_a_failed_answer_gets_the_same_while_the_operation_runs) {
  enter("ann");
  const Running run = start();
  stored(run.operation, false);
  EXPECT_EQ(only<DismissReply>(dismiss()).outcome, DismissOutcome::RecordFailed);
}

TEST_F(DismissalTest, callers_beyond_the_limit_are_sent_away_with_the_operation) {
  enter("ann");
  const Running run = start();
  for (int64_t i = 1; i < limits::kDismissWaitersMax; ++i) EXPECT_TRUE(dismiss().empty());
  const DismissReply refused = only<DismissReply>(dismiss());
  EXPECT_NE(refused.outcome, DismissOutcome::Done);
  EXPECT_EQ(refused.record->operation, run.operation);
}

TEST_F(DismissalTest, later_call_acts_on_the_life_that_is_current_then) {
  const Person old = enter("ann");
  const Running first = start();
  const Person again = enter("ann");
  const Running second = start();
  EXPECT_NE(first.operation, second.operation);
  EXPECT_EQ(only<CutRoom>(second.fence).room_sid, again.room_sid);
  EXPECT_NE(old.room_sid, again.room_sid);
}

TEST_F(DismissalTest, cut_of_the_former_life_says_nothing_about_the_next_of_its_name) {
  const Person old = enter("ann");
  start();
  const Person again = enter("ann");
  start();
  EXPECT_EQ(count_of<SendLeave>(cut(old.room_sid)), 0u);
  EXPECT_TRUE(apply(NoticeAcked{again.sid}).empty()) << "media of the next life still flows";
  EXPECT_EQ(only<SendLeave>(cut(again.room_sid)).participant, again.sid);
}

TEST_F(DismissalTest, room_within_its_empty_grace_can_be_dismissed) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  apply(TransportClosed{ann.sid});
  const Running run = start();
  EXPECT_EQ(count_of<CloseRoom>(cut(ann.room_sid)), 1u);
  stored(run.operation);
  closed(ann.room_sid);
  EXPECT_EQ(only<DismissReply>(stored(run.operation)).record->users_at_fence, 0u);
}

TEST_F(DismissalTest, removed_user_on_the_way_out_is_told_its_own_reason_first) {
  const Person old = enter("ann");
  const Person again = enter("ann");
  start();
  cut(old.room_sid);
  tell_everybody({again});
  EXPECT_EQ(only<SendLeave>(apply(NoticeAcked{old.sid})).reason, LeaveReason::DuplicateLogin);
  EXPECT_EQ(count_of<CloseRoom>(apply(LeaveWritten{old.sid})), 1u);
}

TEST_F(DismissalTest, names_in_a_receipt_are_bounded_and_counts_exact) {
  const int64_t people = limits::kReceiptNamesMax + 20;
  RoomSid room_sid;
  for (int64_t i = 0; i < people; ++i)
    room_sid = knock(joiner("user" + std::to_string(i))).room_sid;
  const Running run = start();
  cut(room_sid);
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.not_notified, static_cast<uint32_t>(people));
  EXPECT_EQ(record.not_notified_names.size(), static_cast<size_t>(limits::kReceiptNamesMax));
}

TEST_F(DismissalTest, late_reports_about_a_dismissed_life_change_nothing) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  cut(ann.room_sid);
  tell_everybody({ann});
  closed(ann.room_sid);
  stored(run.operation);
  enter("ann");
  EXPECT_TRUE(cut(ann.room_sid).empty());
  EXPECT_TRUE(closed(ann.room_sid).empty());
  EXPECT_TRUE(stored(run.operation).empty());
  EXPECT_TRUE(apply(TransportDown{ann.sid}).empty());
  EXPECT_TRUE(apply(LeaveWritten{ann.sid}).empty());
  EXPECT_EQ(room()->num_participants, 1u);
}

TEST_F(DismissalTest, finished_operation_can_be_read_back) {
  const Person ann = enter("ann");
  const Running run = start();
  stored(run.operation);
  cut(ann.room_sid);
  tell_everybody({ann});
  closed(ann.room_sid);
  stored(run.operation);
  const DismissalRecord record = *registry_.find_operation(run.operation);
  EXPECT_EQ(record.operator_id, "AK1");
  EXPECT_EQ(record.reason, "because");
  EXPECT_EQ(record.room_sid, ann.room_sid);
  EXPECT_EQ(registry_.next_deadline(), kNever);
}

}  // namespace
}  // namespace atrium::domain
