// Dismissals for later: what they belong to, when they are due, who is told, and what a cancel may say.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class SchedulesTest : public RegistryTest {
 protected:
  static ScheduleDismissal order(Duration after) {
    return {.waiter = WaiterId{100},
            .app = AppId(kApp),
            .room = RoomId(kRoom),
            .after = after,
            .origin = {"AK1", "request-1", "the lesson is over"}};
  }
  ScheduleDismissal order_at(Wall at) {
    ScheduleDismissal out = order({});
    out.after.reset();
    out.at = at;
    return out;
  }
  // Ordered and stored.
  Schedule make(ScheduleDismissal command) {
    const PersistSchedules write = only<PersistSchedules>(apply(std::move(command)));
    const ActionReply reply = only<ActionReply>(stored(write.operation));
    EXPECT_EQ(reply.outcome, ActionOutcome::Done);
    EXPECT_TRUE(reply.schedule.has_value());
    return reply.schedule.value_or(Schedule{});
  }
  Effects cancel(const ScheduleId& schedule) {
    return apply(CancelDismissal{WaiterId{101}, AppId(kApp), schedule, {}});
  }
  Effects extend(const ScheduleId& schedule, Duration by) {
    return apply(ExtendDismissal{
        .waiter = WaiterId{102}, .app = AppId(kApp), .schedule = schedule, .by = by, .origin = {}});
  }
  Effects extend_to(const ScheduleId& schedule, Wall at) {
    return apply(ExtendDismissal{
        .waiter = WaiterId{102}, .app = AppId(kApp), .schedule = schedule, .at = at, .origin = {}});
  }
  static OperationId written(const Effects& effects) {
    return only<PersistSchedules>(effects).operation;
  }
  std::vector<Schedule> schedules() const {
    return registry_.list_schedules(AppId(kApp), ScheduleId(), 100);
  }
  // Ends the life as a dismissal does, to its last record.
  void see_off(const Effects& fence, const Person& person) {
    const OperationId operation = only<PersistDismissal>(fence).record.operation;
    stored(operation);
    cut(person.room_sid);
    apply(NoticeAcked{person.sid});
    apply(LeaveWritten{person.sid});
    closed(person.room_sid);
    stored(operation);
  }
  // A new process that finds these rows; no life survives.
  static Effects restart(Registry& registry, Now now, std::vector<Schedule> rows) {
    Effects effects = registry.apply(RestoreSchedules{std::move(rows)}, now);
    registry.check_invariants();
    return effects;
  }
  Effects apply_to(Registry& registry, Command command, Now now) {
    Effects effects = registry.apply(std::move(command), now);
    registry.check_invariants();
    return effects;
  }
  static Now later(Now now, Duration span) { return {now.mono + span, now.wall + span}; }
};

TEST_F(SchedulesTest, life_ends_by_the_phases_of_a_dismissal_when_its_schedule_is_due) {
  const Person ann = enter("ann");
  const Schedule schedule = make(order(60s));
  EXPECT_EQ(schedule.room_sid, ann.room_sid);
  EXPECT_EQ(schedule.due_at, now_.wall + 60s);
  EXPECT_EQ(count_of<CutRoom>(after(59'999ms)), 0u);
  const Effects due = after(1ms);
  const PersistDismissal fence = only<PersistDismissal>(due);
  EXPECT_EQ(fence.record.room_sid, ann.room_sid);
  EXPECT_EQ(fence.record.operator_id, "AK1");
  EXPECT_EQ(fence.record.reason, "the lesson is over");
  EXPECT_EQ(only<CutRoom>(due).notice.message, "the lesson is over");
  EXPECT_EQ(only<CutRoom>(due).notice.code, ClientCode::RoomDismiss);
  EXPECT_TRUE(schedules().empty());
}

// A restart between the two finds the row gone and harms nobody.
TEST_F(SchedulesTest, row_is_dropped_before_the_dismissal_is_recorded) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects due = after(60s);
  ASSERT_TRUE(std::holds_alternative<PersistSchedules>(due.at(0))) << effects_text(due);
  EXPECT_EQ(std::get<PersistSchedules>(due[0]).drop, std::vector{schedule.id});
  EXPECT_TRUE(std::holds_alternative<PersistDismissal>(due.at(1)));
}

TEST_F(SchedulesTest, window_of_a_schedule_keeps_the_name_closed_after_it) {
  enter("ann");
  ScheduleDismissal command = order(60s);
  command.forbidden = 30s;
  make(command);
  const Effects due = after(60s);
  EXPECT_EQ(only<PersistDismissal>(due).bans.size(), 1u);
  EXPECT_EQ(only<CutRoom>(due).notice.forbidden_until, now_.wall + 30s);
  EXPECT_EQ(only<JoinRefused>(apply(Join{new_connection(), joiner("eve")})).code,
            ClientCode::RoomForbidden);
}

TEST_F(SchedulesTest, schedule_needs_the_life_that_is_meant) {
  EXPECT_EQ(only<ActionReply>(apply(order(60s))).outcome, ActionOutcome::NoSuchRoom);
  const Person ann = enter("ann");
  ScheduleDismissal command = order(60s);
  command.if_session = RoomSid("RM_another");
  const Effects refused = apply(command);
  EXPECT_EQ(only<ActionReply>(refused).outcome, ActionOutcome::NoSuchRoom);
  EXPECT_EQ(count_of<PersistSchedules>(refused), 0u);
  command.if_session = ann.room_sid;
  make(command);
  see_off(dismiss(), ann);
  EXPECT_EQ(only<ActionReply>(apply(order(60s))).outcome, ActionOutcome::NoSuchRoom);
}

// Mutant: a schedule bound to the name instead of the life.
TEST_F(SchedulesTest, schedule_of_a_life_that_was_dismissed_does_not_dismiss_the_next_of_its_name) {
  const Person ann = enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects fence = dismiss();
  EXPECT_EQ(only<PersistSchedules>(fence).drop, std::vector{schedule.id});
  see_off(fence, ann);
  const Person bob = enter("bob");
  ASSERT_NE(bob.room_sid, ann.room_sid);
  EXPECT_EQ(count_of<CutRoom>(after(61s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(3'600s)), 0u);
  EXPECT_TRUE(view_of(bob).has_value());
}

TEST_F(SchedulesTest, schedule_of_a_life_that_emptied_does_not_dismiss_the_next_of_its_name) {
  const Person ann = enter("ann");
  const Schedule schedule = make(order(60s));
  apply(Leave{ann.sid});
  const Effects ended = after(10s);
  EXPECT_EQ(only<CloseRoom>(ended).room_sid, ann.room_sid);
  EXPECT_EQ(only<PersistSchedules>(ended).drop, std::vector{schedule.id});
  const Person bob = enter("bob");
  EXPECT_EQ(count_of<CutRoom>(after(3'600s)), 0u);
  EXPECT_TRUE(view_of(bob).has_value());
  EXPECT_EQ(only<ActionReply>(cancel(schedule.id)).outcome, ActionOutcome::NotThere);
}

TEST_F(SchedulesTest, row_that_the_store_would_not_forget_is_dropped_again) {
  const Person ann = enter("ann");
  const Schedule schedule = make(order(60s));
  stored(written(dismiss()), false);
  const Effects again = after(1s);
  EXPECT_EQ(only<PersistSchedules>(again).drop, std::vector{schedule.id});
  stored(written(again));
  EXPECT_EQ(count_of<PersistSchedules>(after(10s)), 0u);
}

TEST_F(SchedulesTest, schedule_that_was_not_stored_never_was) {
  enter("ann");
  const Effects ordered = apply(order(60s));
  EXPECT_EQ(count_of<SendCountdown>(ordered), 0u);
  EXPECT_TRUE(schedules().empty());
  const Effects failed = stored(written(ordered), false);
  EXPECT_EQ(only<ActionReply>(failed).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(count_of<SendCountdown>(failed), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(61s)), 0u);
}

TEST_F(SchedulesTest, life_that_ends_while_its_schedule_is_being_stored_takes_it_along) {
  enter("ann");
  const Effects ordered = apply(order(60s));
  const Effects fence = dismiss();
  EXPECT_EQ(only<PersistSchedules>(fence).drop.size(), 1u);
  const Effects answered = stored(written(ordered));
  EXPECT_EQ(only<ActionReply>(answered).outcome, ActionOutcome::NoSuchRoom);
  EXPECT_TRUE(schedules().empty());
}

TEST_F(SchedulesTest, further_schedule_of_a_life_replaces_the_one_before) {
  const Person ann = enter("ann");
  const Schedule first = make(order(60s));
  const Effects ordered = apply(order(600s));
  const PersistSchedules write = only<PersistSchedules>(ordered);
  EXPECT_EQ(write.drop, std::vector{first.id});
  ASSERT_EQ(schedules().size(), 1u);
  EXPECT_EQ(schedules()[0].id, first.id) << "the former holds till the new one is stored";
  const Effects replaced = stored(write.operation);
  EXPECT_EQ(only<SendCountdown>(replaced).countdown.schedule, write.put.at(0).id);
  ASSERT_EQ(schedules().size(), 1u);
  EXPECT_EQ(schedules()[0].id, write.put[0].id);
  EXPECT_NE(write.put[0].id, first.id);
  EXPECT_EQ(count_of<CutRoom>(after(61s)), 0u);
  EXPECT_EQ(only<CutRoom>(after(539s)).room_sid, ann.room_sid);
}

TEST_F(SchedulesTest, replacement_that_was_not_stored_leaves_the_former_in_force) {
  enter("ann");
  const Schedule first = make(order(60s));
  stored(written(apply(order(600s))), false);
  EXPECT_EQ(schedules().at(0).id, first.id);
  EXPECT_EQ(count_of<CutRoom>(after(60s)), 1u);
}

TEST_F(SchedulesTest, two_orders_under_way_leave_one_row) {
  enter("ann");
  const Effects one = apply(order(60s));
  const Effects two = apply(order(70s));
  EXPECT_EQ(only<PersistSchedules>(two).drop.at(0), only<PersistSchedules>(one).put.at(0).id);
  stored(written(one));
  stored(written(two));
  ASSERT_EQ(schedules().size(), 1u);
  EXPECT_EQ(schedules()[0].id, only<PersistSchedules>(two).put.at(0).id);
  EXPECT_EQ(count_of<CutRoom>(after(69s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

// --- users ----------------------------------------------------------------------------------------

TEST_F(SchedulesTest, users_are_told_at_once_at_each_warning_and_when_they_come) {
  const Person ann = enter("ann");
  ScheduleDismissal command = order(60s);
  command.warn_before = {10s, 30s, 90s};
  const Effects ordered = apply(command);
  const Effects made = stored(written(ordered));
  const SendCountdown first = only<SendCountdown>(made);
  EXPECT_EQ(first.recipients, std::vector{ann.sid});
  EXPECT_EQ(first.countdown.cause, EndCause::Schedule);
  EXPECT_EQ(first.countdown.remaining, Duration(60s));
  EXPECT_EQ(first.countdown.due_at, now_.wall + 60s);
  EXPECT_EQ(first.countdown.reason, "the lesson is over");
  EXPECT_FALSE(first.countdown.is_called_off);

  const Person bob = knock(joiner("bob"));
  EXPECT_EQ(count_of<SendCountdown>(apply(JoinSent{bob.sid})), 0u);
  apply(TransportUp{bob.sid});
  const SendCountdown came = only<SendCountdown>(apply(NoticeChannel{bob.sid, true}));
  EXPECT_EQ(came.recipients, std::vector{bob.sid});

  EXPECT_EQ(only<SendCountdown>(after(30s)).countdown.remaining, Duration(30s));
  EXPECT_EQ(count_of<SendCountdown>(after(19s)), 0u);
  const SendCountdown last = only<SendCountdown>(after(1s));
  EXPECT_EQ(last.countdown.remaining, Duration(10s));
  EXPECT_EQ(last.recipients.size(), 2u);
}

TEST_F(SchedulesTest, nobody_new_comes_in_where_the_schedule_says_so) {
  const Person ann = enter("ann");
  ScheduleDismissal command = order(60s);
  command.refuses_joins = true;
  const Schedule schedule = make(command);
  const JoinRefused refused = only<JoinRefused>(apply(Join{new_connection(), joiner("bob")}));
  EXPECT_EQ(refused.code, ClientCode::JoinRoom);
  EXPECT_FALSE(refused.retry_later);
  lose_signal(ann);
  EXPECT_EQ(count_of<ResumeAccepted>(resume(ann)), 1u);
  knock(joiner("ann"));             // who is in may come from elsewhere
  knock(joiner("bob", "another"));  // other rooms are not concerned
  stored(written(cancel(schedule.id)));
  knock(joiner("bob"));
}

// --- cancel ---------------------------------------------------------------------------------------

TEST_F(SchedulesTest, cancelled_schedule_is_told_and_does_not_fire) {
  const Person ann = enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects ordered = cancel(schedule.id);
  EXPECT_EQ(only<PersistSchedules>(ordered).drop, std::vector{schedule.id});
  EXPECT_EQ(count_of<ActionReply>(ordered), 0u);
  const Effects done = stored(written(ordered));
  EXPECT_EQ(only<ActionReply>(done).outcome, ActionOutcome::Done);
  EXPECT_TRUE(only<SendCountdown>(done).countdown.is_called_off);
  EXPECT_EQ(only<SendCountdown>(done).recipients, std::vector{ann.sid});
  EXPECT_TRUE(schedules().empty());
  EXPECT_EQ(count_of<CutRoom>(after(61s)), 0u);
  EXPECT_EQ(only<ActionReply>(cancel(schedule.id)).outcome, ActionOutcome::NotThere);
}

TEST_F(SchedulesTest, cancel_after_the_end_is_too_late_and_unknown_ids_are_not_there) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  after(60s);
  EXPECT_EQ(only<ActionReply>(cancel(schedule.id)).outcome, ActionOutcome::TooLate);
  EXPECT_EQ(only<ActionReply>(extend(schedule.id, 60s)).outcome, ActionOutcome::TooLate);
  EXPECT_EQ(only<ActionReply>(cancel(ScheduleId("SD_unknown"))).outcome, ActionOutcome::NotThere);
  const Effects foreign =
      apply(CancelDismissal{WaiterId{101}, AppId("another"), schedule.id, ActionOrigin{}});
  EXPECT_EQ(only<ActionReply>(foreign).outcome, ActionOutcome::NotThere);
}

TEST_F(SchedulesTest, cancel_that_is_overtaken_by_the_end_says_too_late) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  after(58s);
  const Effects ordered = cancel(schedule.id);
  EXPECT_EQ(count_of<CutRoom>(after(2s)), 1u) << "in force till the cancel is stored";
  EXPECT_EQ(only<ActionReply>(stored(written(ordered))).outcome, ActionOutcome::TooLate);
}

TEST_F(SchedulesTest, failed_cancel_that_is_overtaken_by_the_end_says_too_late_as_well) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  after(58s);
  const Effects ordered = cancel(schedule.id);
  after(2s);
  EXPECT_EQ(only<ActionReply>(stored(written(ordered), false)).outcome, ActionOutcome::TooLate);
}

TEST_F(SchedulesTest, cancel_that_was_not_stored_leaves_the_schedule_in_force) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects failed = stored(written(cancel(schedule.id)), false);
  EXPECT_EQ(only<ActionReply>(failed).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(count_of<SendCountdown>(failed), 0u);
  EXPECT_EQ(schedules().size(), 1u);
  const Effects again = cancel(schedule.id);
  EXPECT_EQ(only<ActionReply>(stored(written(again))).outcome, ActionOutcome::Done);
}

TEST_F(SchedulesTest, order_behind_a_cancel_is_answered_by_what_becomes_of_it) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects ordered = cancel(schedule.id);
  EXPECT_TRUE(extend(schedule.id, 60s).empty()) << "nothing is written that could bring it back";
  EXPECT_TRUE(cancel(schedule.id).empty());
  const auto replies = all_of<ActionReply>(stored(written(ordered)));
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].outcome, ActionOutcome::Done);
  EXPECT_EQ(replies[1].outcome, ActionOutcome::NotThere);
  EXPECT_EQ(replies[2].outcome, ActionOutcome::Done);
}

// --- extend ---------------------------------------------------------------------------------------

TEST_F(SchedulesTest, extended_schedule_is_told_anew_and_ends_later) {
  enter("ann");
  ScheduleDismissal command = order(60s);
  command.warn_before = {30s};
  const Schedule schedule = make(command);
  after(40s);
  const Effects ordered = extend(schedule.id, 60s);
  EXPECT_EQ(only<PersistSchedules>(ordered).put.at(0).due_at, schedule.due_at + 60s);
  const Effects done = stored(written(ordered));
  EXPECT_EQ(only<ActionReply>(done).schedule->due_at, schedule.due_at + 60s);
  EXPECT_EQ(only<SendCountdown>(done).countdown.remaining, Duration(80s));
  EXPECT_EQ(only<SendCountdown>(after(50s)).countdown.remaining, Duration(30s));
  EXPECT_EQ(count_of<CutRoom>(after(29s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(SchedulesTest, extensions_under_way_add_up) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects one = extend(schedule.id, 60s);
  const Effects two = extend(schedule.id, 60s);
  stored(written(one));
  EXPECT_EQ(only<ActionReply>(stored(written(two))).schedule->due_at, schedule.due_at + 120s);
  EXPECT_EQ(count_of<CutRoom>(after(179s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(SchedulesTest, extension_that_was_not_stored_or_came_too_late_changes_nothing) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  const Effects failed = stored(written(extend(schedule.id, 60s)), false);
  EXPECT_EQ(only<ActionReply>(failed).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(only<ActionReply>(failed).schedule->due_at, schedule.due_at);
  after(58s);
  const Effects ordered = extend(schedule.id, 60s);
  EXPECT_EQ(count_of<CutRoom>(after(2s)), 1u);
  EXPECT_EQ(only<ActionReply>(stored(written(ordered))).outcome, ActionOutcome::TooLate);
}

// --- clocks ---------------------------------------------------------------------------------------

TEST_F(SchedulesTest, at_follows_the_wall_clock_also_where_no_command_comes) {
  enter("ann");
  make(order_at(now_.wall + 3'600s));
  now_.wall += 3'590s;  // somebody sets the clock
  EXPECT_LE(registry_.next_deadline(), now_.mono + 1s) << "it is looked at within a second";
  EXPECT_EQ(only<SendCountdown>(after(1s)).countdown.remaining, Duration(9s));
  EXPECT_EQ(count_of<CutRoom>(after(8s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(SchedulesTest, at_is_later_where_the_wall_clock_is_set_back) {
  enter("ann");
  make(order_at(now_.wall + 60s));
  now_.wall -= 100s;
  EXPECT_EQ(count_of<CutRoom>(after(61s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(98s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(SchedulesTest, after_does_not_follow_the_wall_clock) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  now_.wall += 3'600s;
  const Effects stepped = after(1s);
  EXPECT_EQ(count_of<CutRoom>(stepped), 0u);
  // What the store has would be taken for a point of the wall clock after a restart.
  EXPECT_EQ(only<PersistSchedules>(stepped).put.at(0).due_at, schedule.due_at + 3'600s);
  EXPECT_EQ(schedules().at(0).due_at, now_.wall + 59s);
  now_.wall -= 7'200s;
  EXPECT_EQ(count_of<CutRoom>(after(58s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(SchedulesTest, extension_to_a_point_in_time_follows_the_wall_clock_from_then_on) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  stored(written(extend_to(schedule.id, now_.wall + 600s)));
  now_.wall += 590s;
  EXPECT_EQ(count_of<CutRoom>(after(10s)), 1u);
}

// --- restart --------------------------------------------------------------------------------------

TEST_F(SchedulesTest, first_life_after_a_restart_inherits_the_schedule) {
  enter("ann");
  const Schedule schedule = make(order(600s));
  Registry next{secrets_, options_};
  Now now = later(now_, 20s);
  EXPECT_TRUE(restart(next, now, {schedule}).empty());
  now = later(now, 59s);
  const Effects joined = apply_to(next, Join{new_connection(), joiner("ann")}, now);
  const RoomSid life = only<JoinAccepted>(joined).room.sid;
  EXPECT_EQ(only<PersistSchedules>(joined).put.at(0).room_sid, life);
  EXPECT_EQ(only<PersistSchedules>(joined).put[0].id, schedule.id);
  now = later(now, 520s);
  EXPECT_EQ(count_of<CutRoom>(apply_to(next, Tick{}, now)), 0u);
  now = later(now, 1s);
  EXPECT_EQ(only<CutRoom>(apply_to(next, Tick{}, now)).room_sid, life);
}

TEST_F(SchedulesTest, schedule_that_nobody_inherits_within_a_minute_is_dropped) {
  enter("ann");
  const Schedule schedule = make(order(600s));
  Registry next{secrets_, options_};
  restart(next, now_, {schedule});
  const Now now = later(now_, 60s);
  const Effects dropped = apply_to(next, Join{new_connection(), joiner("ann")}, now);
  EXPECT_EQ(only<PersistSchedules>(dropped).drop, std::vector{schedule.id});
  EXPECT_EQ(count_of<CutRoom>(apply_to(next, Tick{}, later(now, 1'000s))), 0u);
}

TEST_F(SchedulesTest, schedule_that_is_due_before_somebody_comes_back_is_dropped) {
  enter("ann");
  const Schedule soon = make(order(60s));
  Registry next{secrets_, options_};
  EXPECT_EQ(only<PersistSchedules>(restart(next, later(now_, 60s), {soon})).drop,
            std::vector{soon.id});
  Registry another{secrets_, options_};
  EXPECT_TRUE(restart(another, later(now_, 40s), {soon}).empty());
  const Effects dropped = apply_to(another, Tick{}, later(now_, 60s));
  EXPECT_EQ(only<PersistSchedules>(dropped).drop, std::vector{soon.id});
  EXPECT_EQ(count_of<CutRoom>(dropped), 0u);
}

TEST_F(SchedulesTest, second_life_after_a_restart_inherits_nothing) {
  enter("ann");
  const Schedule schedule = make(order(600s));
  Registry next{secrets_, options_};
  restart(next, now_, {schedule});
  const auto first =
      only<JoinAccepted>(apply_to(next, Join{new_connection(), joiner("ann")}, now_));
  const Effects fence = apply_to(next, dismiss_command(), now_);
  EXPECT_EQ(only<PersistSchedules>(fence).drop, std::vector{schedule.id});
  const auto second =
      only<JoinAccepted>(apply_to(next, Join{new_connection(), joiner("bob")}, now_));
  ASSERT_NE(first.room.sid, second.room.sid);
  EXPECT_TRUE(next.list_schedules(AppId(kApp), ScheduleId(), 10).empty());
}

TEST_F(SchedulesTest, span_that_is_left_after_a_restart_is_never_longer_than_it_was) {
  enter("ann");
  const Schedule schedule = make(order(60s));
  Registry next{secrets_, options_};
  Now now = {now_.mono, now_.wall - 3'600s};  // the clock was set back meanwhile
  restart(next, now, {schedule});
  apply_to(next, Join{new_connection(), joiner("ann")}, now);
  EXPECT_EQ(count_of<CutRoom>(apply_to(next, Tick{}, later(now, 59s))), 0u);
  EXPECT_EQ(count_of<CutRoom>(apply_to(next, Tick{}, later(now, 60s))), 1u);
}

TEST_F(SchedulesTest, those_who_were_in_come_back_before_joins_are_refused_again) {
  enter("ann");
  ScheduleDismissal command = order(600s);
  command.refuses_joins = true;
  const Schedule schedule = make(command);
  Registry next{secrets_, options_};
  restart(next, now_, {schedule});
  only<JoinAccepted>(apply_to(next, Join{new_connection(), joiner("ann")}, now_));
  only<JoinAccepted>(apply_to(next, Join{new_connection(), joiner("bob")}, later(now_, 59s)));
  only<JoinRefused>(apply_to(next, Join{new_connection(), joiner("eve")}, later(now_, 60s)));
}

TEST_F(SchedulesTest, schedule_can_be_cancelled_before_its_room_is_back) {
  enter("ann");
  const Schedule schedule = make(order(600s));
  Registry next{secrets_, options_};
  restart(next, now_, {schedule});
  const CancelDismissal call_off{WaiterId{101}, AppId(kApp), schedule.id, ActionOrigin{}};
  const Effects ordered = apply_to(next, call_off, now_);
  // Its room begins while that is being written: the row is left alone.
  const Effects joined = apply_to(next, Join{new_connection(), joiner("ann")}, now_);
  EXPECT_EQ(count_of<PersistSchedules>(joined), 0u);
  const Effects done = apply_to(next, RecordStored{written(ordered), true}, now_);
  EXPECT_EQ(only<ActionReply>(done).outcome, ActionOutcome::Done);
  EXPECT_EQ(count_of<CutRoom>(apply_to(next, Tick{}, later(now_, 600s))), 0u);
}

TEST_F(SchedulesTest, of_two_rows_of_a_name_the_later_one_counts_after_a_restart) {
  enter("ann");
  const Schedule one = make(order(600s));
  Schedule two = one;
  two.id = ScheduleId("SD_later");
  two.created_at += 1s;
  Registry next{secrets_, options_};
  EXPECT_EQ(only<PersistSchedules>(restart(next, now_, {two, one})).drop, std::vector{one.id});
  Registry other{secrets_, options_};
  EXPECT_EQ(only<PersistSchedules>(restart(other, now_, {one, two})).drop, std::vector{one.id});
}

}  // namespace
}  // namespace atrium::domain
