// Kicks and bans: who leaves with which words, who is kept out, and when the caller is answered.
#include "domain/notices.h"
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class SanctionsTest : public RegistryTest {
 protected:
  static BanTarget of_room(const std::string& name = kRoom) {
    return {.room = RoomId(name), .user = {}, .ip = {}};
  }
  static BanTarget of_user(const std::string& user) {
    return {.room = {}, .user = UserId(user), .ip = {}};
  }
  static BanTarget of_seat(const std::string& user, const std::string& name = kRoom) {
    return {.room = RoomId(name), .user = UserId(user), .ip = {}};
  }
  static BanTarget from(const char* range) {
    return {.room = {}, .user = {}, .ip = IpPrefix::parse(range)};
  }

  Effects ban(const BanTarget& target, Duration interval = 60s) {
    return apply(BanUsers{.waiter = WaiterId{++waiter_},
                          .app = AppId(kApp),
                          .target = target,
                          .interval = interval,
                          .origin = {"AK1", "request-1", "because"}});
  }
  Effects update(const BanTarget& target, Duration interval) {
    return apply(UpdateBan{.waiter = WaiterId{++waiter_},
                           .app = AppId(kApp),
                           .target = target,
                           .interval = interval,
                           .origin = {"AK1", "request-1", {}}});
  }
  Effects kick(const std::string& user) {
    return apply(RemoveUser{.waiter = WaiterId{++waiter_},
                            .app = AppId(kApp),
                            .room = RoomId(kRoom),
                            .user = UserId(user),
                            .origin = {}});
  }
  static OperationId operation(const Effects& effects) {
    return only<PersistBans>(effects).operation;
  }
  std::optional<ClientCode> refusal(const Joiner& who) {
    const Effects effects = apply(Join{new_connection(), who});
    const auto refused = all_of<JoinRefused>(effects);
    return refused.empty() ? std::nullopt : std::optional(refused[0].code);
  }
  static Joiner with_token(Joiner who, const std::string& text) {
    who.token_hash = token(text);
    return who;
  }
  // All of a removed person's way out.
  Effects see_out(const Person& person) {
    apply(NoticeAcked{person.sid});
    apply(LeaveWritten{person.sid});
    return apply(TransportClosed{person.sid});
  }

  uint64_t waiter_ = 100;
};

TEST_F(SanctionsTest, kicked_user_is_told_and_the_caller_answered_when_all_is_over) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Effects kicked = kick("bob");
  const CutParticipant cut = only<CutParticipant>(kicked);
  EXPECT_EQ(cut.participant, bob.sid);
  EXPECT_EQ(cut.notice.code, ClientCode::KickedOut);
  EXPECT_FALSE(cut.notice.forbidden_until.has_value());
  EXPECT_EQ(told(kicked, ann).at(0).leave_reason, LeaveReason::KickedByAdmin);
  EXPECT_EQ(events_of(kicked, EventKind::UserLeft).at(0).reason.why, LeaveReason::KickedByAdmin);
  EXPECT_TRUE(all_of<ActionReply>(stored(operation(kicked))).empty()) << "bob is not gone yet";
  const SendLeave leave = only<SendLeave>(apply(NoticeAcked{bob.sid}));
  EXPECT_EQ(leave.close_code, 4006);
  apply(LeaveWritten{bob.sid});
  const ActionReply reply = only<ActionReply>(apply(TransportClosed{bob.sid}));
  EXPECT_EQ(reply.outcome, ActionOutcome::Done);
  EXPECT_EQ(reply.waiter, WaiterId{waiter_});
  EXPECT_EQ(reply.operation, operation(kicked));
  EXPECT_EQ(refusal(joiner("bob")), std::nullopt) << "no ban follows a kick";
}

TEST_F(SanctionsTest, kick_of_somebody_who_is_not_there_is_success_at_once) {
  enter("ann");
  const Effects nobody = kick("bob");
  EXPECT_EQ(only<ActionReply>(nobody).outcome, ActionOutcome::Done);
  EXPECT_EQ(count_of<PersistBans>(nobody), 0u);
}

// Its next attempt with the same token may be the same client's, which was never told.
TEST_F(SanctionsTest, kicked_user_who_was_away_does_not_walk_back_in) {
  const Person bob = enter("bob");
  lose_signal(bob);
  kick("bob");
  EXPECT_EQ(only<ResumeMeetsTombstone>(resume(bob)).notice.code, ClientCode::KickedOut);
  EXPECT_EQ(refusal(bob.joiner), ClientCode::KickedOut);
  EXPECT_EQ(refusal(with_token(bob.joiner, "a new one")), std::nullopt);
}

TEST_F(SanctionsTest, kicked_user_who_was_away_hears_what_those_heard_who_were_there) {
  const Person ann = enter(joiner("bob", "room1"));
  const Person away = enter(joiner("bob", "room2"));
  lose_signal(away);
  const Effects banned = ban(of_user("bob"));
  const PersistBans write = only<PersistBans>(banned);
  const Notice there = only<CutParticipant>(banned).notice;
  const Notice later = only<ResumeMeetsTombstone>(resume(away)).notice;
  EXPECT_EQ(there.message, "because");
  EXPECT_EQ(later.message, there.message);
  EXPECT_EQ(later.name, there.name);
  EXPECT_EQ(later.operation, there.operation);
  EXPECT_EQ(later.operator_id, there.operator_id);
  EXPECT_FALSE(later.operator_id.empty());
  for (const Tombstone& one : write.tombstones) EXPECT_EQ(make_notice(one).message, "because");
}

TEST_F(SanctionsTest, ban_evicts_and_refuses_in_one) {
  const Person bob = enter("bob");
  const Effects banned = ban(of_seat("bob"));
  const Wall until = now_.wall + 60s;
  EXPECT_EQ(only<CutParticipant>(banned).notice.forbidden_until, until);
  const PersistBans write = only<PersistBans>(banned);
  ASSERT_EQ(write.put.size(), 1u);
  EXPECT_EQ(write.put[0].expires_at, until);
  EXPECT_EQ(write.put[0].reason, "because");
  EXPECT_EQ(write.tombstones.size(), 1u);
  // Before anything is stored or torn down.
  EXPECT_EQ(refusal(with_token(bob.joiner, "a new one")), ClientCode::UserForbidden);
  EXPECT_EQ(refusal(joiner("ann")), std::nullopt);
  EXPECT_EQ(refusal(joiner("bob", "room2")), std::nullopt);
  stored(write.operation);
  EXPECT_EQ(only<ActionReply>(see_out(bob)).outcome, ActionOutcome::Done);
  after(61s);
  EXPECT_EQ(refusal(with_token(bob.joiner, "later")), std::nullopt);
}

TEST_F(SanctionsTest, ban_in_the_whole_app_evicts_from_every_room) {
  const Person here = enter(joiner("bob", "room1"));
  const Person there = enter(joiner("bob", "room2"));
  const Person ann = enter(joiner("ann", "room2"));
  EXPECT_EQ(count_of<CutParticipant>(ban(of_user("bob"))), 2u);
  for (const char* name : {"room1", "room2", "room3"})
    EXPECT_EQ(refusal(with_token(joiner("bob", name), "x")), ClientCode::UserForbidden);
  EXPECT_TRUE(view_of(ann).has_value());
  EXPECT_FALSE(view_of(here).has_value());
  EXPECT_FALSE(view_of(there).has_value());
}

TEST_F(SanctionsTest, ban_of_an_address_range_evicts_who_came_from_there) {
  Joiner near = joiner("ann"), far = joiner("bob");
  near.address = IpAddress::parse("192.0.2.7");
  far.address = IpAddress::parse("203.0.113.7");
  const Person ann = enter(near);
  const Person bob = enter(far);
  EXPECT_EQ(only<CutParticipant>(ban(from("192.0.2.0/24"))).participant, ann.sid);
  EXPECT_TRUE(view_of(bob).has_value());
  EXPECT_EQ(refusal(with_token(near, "x")), ClientCode::UserForbidden);
}

TEST_F(SanctionsTest, ban_of_an_address_holds_for_where_packets_come_from) {
  stored(operation(ban(from("192.0.2.0/24"))));
  const Person ann = knock(joiner("ann"));
  apply(JoinSent{ann.sid});
  const Effects up = apply(TransportUp{ann.sid, IpAddress::parse("192.0.2.1")});
  EXPECT_EQ(only<CutParticipant>(up).notice.code, ClientCode::KickedOut);
  EXPECT_FALSE(view_of(ann).has_value());
  const Person bob = enter("bob");
  EXPECT_EQ(
      count_of<CutParticipant>(apply(TransportMoved{bob.sid, *IpAddress::parse("198.51.100.1")})),
      0u);
  EXPECT_EQ(count_of<CutParticipant>(
                apply(TransportMoved{bob.sid, *IpAddress::parse("::ffff:192.0.2.9")})),
            1u);
  const Person cid = enter("cid");
  apply(TransportMoved{cid.sid, *IpAddress::parse("203.0.113.9")});
  EXPECT_EQ(only<CutParticipant>(ban(from("203.0.113.9"))).participant, cid.sid);
}

TEST_F(SanctionsTest, who_resumes_from_a_banned_address_is_told_and_out) {
  Joiner who = joiner("bob");
  who.address = IpAddress::parse("203.0.113.7");
  Person bob = enter(who);
  stored(operation(ban(from("192.0.2.0/24"))));
  lose_signal(bob);
  bob.joiner.address = IpAddress::parse("192.0.2.1");
  const Effects effects = resume(bob);
  EXPECT_EQ(only<ResumeMeetsTombstone>(effects).notice.code, ClientCode::UserForbidden);
  EXPECT_EQ(events_of(effects, EventKind::UserLeft).size(), 1u);
  EXPECT_FALSE(view_of(bob).has_value());
}

TEST_F(SanctionsTest, ban_of_a_room_ends_it_by_the_phases_of_a_dismissal_with_other_words) {
  const Person ann = enter("ann");
  const Effects fence = ban(of_room());
  EXPECT_EQ(only<CutRoom>(fence).notice.code, ClientCode::KickedOut);
  EXPECT_EQ(only<CutRoom>(fence).notice.forbidden_until, now_.wall + 60s);
  const PersistDismissal write = only<PersistDismissal>(fence);
  EXPECT_EQ(write.bans.size(), 1u) << "one transaction with the record";
  EXPECT_EQ(write.record.code, ClientCode::KickedOut);
  EXPECT_EQ(refusal(joiner("eve")), ClientCode::RoomForbidden);
  stored(write.record.operation);
  cut(ann.room_sid);
  const SendLeave leave = only<SendLeave>(apply(NoticeAcked{ann.sid}));
  EXPECT_EQ(leave.reason, LeaveReason::KickedByAdmin);
  EXPECT_EQ(leave.close_code, 4006);
  apply(LeaveWritten{ann.sid});
  closed(ann.room_sid);
  const Effects done = stored(write.record.operation);
  EXPECT_EQ(only<DismissReply>(done).outcome, DismissOutcome::Done);
  EXPECT_EQ(events_of(fence, EventKind::UserLeft).at(0).reason.why, LeaveReason::KickedByAdmin);
  EXPECT_EQ(events_of(fence, EventKind::RoomEnded).at(0).reason.why, LeaveReason::KickedByAdmin);
}

TEST_F(SanctionsTest, dismissal_with_a_window_says_so_and_keeps_the_name_closed) {
  enter("ann");
  DismissRoom command = dismiss_command();
  command.forbidden = 30s;
  const Effects fence = apply(command);
  EXPECT_EQ(only<CutRoom>(fence).notice.code, ClientCode::RoomDismiss);
  EXPECT_EQ(only<CutRoom>(fence).notice.forbidden_until, now_.wall + 30s);
  EXPECT_EQ(only<PersistDismissal>(fence).bans.size(), 1u);
  EXPECT_EQ(refusal(joiner("eve")), ClientCode::RoomForbidden);
}

TEST_F(SanctionsTest, dismissal_with_a_window_of_nothing_is_one_without) {
  enter("ann");
  DismissRoom command = dismiss_command();
  command.forbidden = 0s;
  const Effects fence = apply(command);
  EXPECT_FALSE(only<CutRoom>(fence).notice.forbidden_until.has_value());
  EXPECT_FALSE(only<PersistDismissal>(fence).record.forbidden_until.has_value());
  EXPECT_EQ(refusal(joiner("eve")), std::nullopt);
}

TEST_F(SanctionsTest,
       window_of_a_call_that_joins_a_running_dismissal_is_stored_with_its_next_record) {
  const Person ann = enter("ann");
  const Effects fence = dismiss();
  const OperationId running = only<PersistDismissal>(fence).record.operation;
  DismissRoom again = dismiss_command();
  again.forbidden = 30s;
  EXPECT_TRUE(apply(again).empty());
  EXPECT_EQ(refusal(joiner("eve")), ClientCode::RoomForbidden);
  stored(running);
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  apply(LeaveWritten{ann.sid});
  EXPECT_EQ(only<PersistDismissal>(closed(ann.room_sid)).bans.size(), 1u);
  EXPECT_EQ(all_of<DismissReply>(stored(running)).size(), 2u);
}

TEST_F(SanctionsTest, rule_for_a_room_or_user_that_is_not_there_yet_is_stored_and_holds) {
  const Effects banned = ban(of_room("later"));
  EXPECT_EQ(refusal(joiner("ann", "later")), ClientCode::RoomForbidden);
  EXPECT_EQ(only<ActionReply>(stored(operation(banned))).outcome, ActionOutcome::Done);
}

TEST_F(SanctionsTest, repeated_ban_does_not_reset_the_clock) {
  stored(operation(ban(of_seat("bob"))));
  now_.mono += 30s, now_.wall += 30s;
  EXPECT_EQ(only<ActionReply>(ban(of_seat("bob"))).outcome, ActionOutcome::Done);
  after(31s);
  EXPECT_EQ(refusal(joiner("bob")), std::nullopt);
}

TEST_F(SanctionsTest, rule_that_cannot_be_stored_does_not_hold_and_the_caller_is_told) {
  const Person bob = enter("bob");
  const Effects banned = ban(of_seat("bob"));
  EXPECT_TRUE(all_of<ActionReply>(stored(operation(banned), false)).empty());
  EXPECT_EQ(only<ActionReply>(see_out(bob)).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(refusal(with_token(bob.joiner, "x")), std::nullopt);
}

TEST_F(SanctionsTest, room_ban_whose_record_cannot_be_stored_does_not_hold) {
  enter("ann");
  const Effects fence = ban(of_room());
  const Effects failed = stored(only<PersistDismissal>(fence).record.operation, false);
  EXPECT_EQ(only<DismissReply>(failed).outcome, DismissOutcome::RecordFailed);
  EXPECT_EQ(refusal(joiner("eve")), std::nullopt);
}

TEST_F(SanctionsTest, update_changes_the_rule_and_evicts_nobody) {
  const Person bob = enter("bob");
  const Effects made = update(of_seat("bob"), 60s);
  EXPECT_EQ(count_of<CutParticipant>(made), 0u);
  EXPECT_EQ(only<ActionReply>(stored(operation(made))).outcome, ActionOutcome::Done);
  EXPECT_TRUE(view_of(bob).has_value());
  EXPECT_EQ(refusal(joiner("bob")), ClientCode::UserForbidden);
  const Effects longer = update(of_seat("bob"), 600s);
  EXPECT_EQ(only<PersistBans>(longer).put[0].id, only<PersistBans>(made).put[0].id);
  stored(operation(longer));
  after(61s);
  EXPECT_EQ(refusal(joiner("bob")), ClientCode::UserForbidden);
}

TEST_F(SanctionsTest, lifted_rule_holds_until_the_store_has_it) {
  stored(operation(ban(of_seat("bob"))));
  const Effects lifted = update(of_seat("bob"), 0s);
  EXPECT_EQ(only<PersistBans>(lifted).drop.size(), 1u);
  EXPECT_EQ(refusal(joiner("bob")), ClientCode::UserForbidden);
  EXPECT_EQ(only<ActionReply>(stored(operation(lifted), false)).outcome,
            ActionOutcome::RecordFailed);
  EXPECT_EQ(refusal(joiner("bob")), ClientCode::UserForbidden);
  stored(operation(update(of_seat("bob"), 0s)));
  EXPECT_EQ(refusal(joiner("bob")), std::nullopt);
  EXPECT_EQ(only<ActionReply>(update(of_seat("bob"), 0s)).outcome, ActionOutcome::NotThere);
}

TEST_F(SanctionsTest, refused_join_displaces_nobody) {
  const Person bob = enter("bob");
  stored(operation(update(of_seat("bob"), 60s)));
  EXPECT_EQ(refusal(with_token(joiner("bob"), "x")), ClientCode::UserForbidden);
  EXPECT_TRUE(view_of(bob).has_value());
}

TEST_F(SanctionsTest, rules_come_back_from_the_store_and_a_step_of_the_wall_clock_changes_nothing) {
  BanRule rule{.id = BanId("BN_1"),
               .app = AppId(kApp),
               .target = of_seat("bob"),
               .operator_id = {},
               .reason = {},
               .created_at = now_.wall,
               .expires_at = now_.wall + 60s};
  BanRule old = rule;
  old.id = BanId("BN_2");
  old.target = of_user("ann");
  old.expires_at = now_.wall;
  apply(RestoreBans{{rule, old}});
  EXPECT_EQ(registry_.counts().bans, 1u);
  now_.wall += 3600s;
  EXPECT_EQ(refusal(joiner("bob")), ClientCode::UserForbidden);
  now_.mono += 61s;
  EXPECT_EQ(refusal(joiner("bob")), std::nullopt);
}

TEST_F(SanctionsTest, caller_of_a_kick_is_not_kept_for_ever) {
  const Person bob = enter("bob");
  const Effects kicked = kick("bob");
  stored(operation(kicked));
  after(200ms);
  after(2s);
  const Effects due = after(3s);
  EXPECT_EQ(only<ActionReply>(due).outcome, ActionOutcome::Unfinished);
  EXPECT_EQ(registry_.counts().operations, 1u);
  EXPECT_EQ(count_of<ActionReply>(apply(TransportClosed{bob.sid})), 0u);
  EXPECT_EQ(registry_.counts().operations, 0u);
}

TEST_F(SanctionsTest, kick_meets_a_dismissal_and_is_answered_all_the_same) {
  const Person bob = enter("bob");
  stored(operation(kick("bob")));
  const Effects fence = dismiss();
  const OperationId running = only<PersistDismissal>(fence).record.operation;
  stored(running);
  cut(bob.room_sid);
  after(2s);
  EXPECT_EQ(only<ActionReply>(closed(bob.room_sid)).outcome, ActionOutcome::Done);
}

TEST_F(SanctionsTest, rule_about_an_address_means_where_a_resumed_session_came_back_from) {
  Joiner ann = joiner("ann");
  ann.address = IpAddress::parse("10.1.1.1");
  const Person person = enter(ann);
  apply(SignalLost{person.sid, person.connection});
  ann.address = IpAddress::parse("10.2.2.2");
  apply(Resume{new_connection(), person.sid, ann});
  BanTarget former, present;
  former.ip = IpPrefix::parse("10.1.1.1");
  present.ip = IpPrefix::parse("10.2.2.2");
  EXPECT_EQ(count_of<CutParticipant>(ban(former)), 0u) << "nobody is there any more";
  EXPECT_EQ(count_of<CutParticipant>(ban(present)), 1u);
}

TEST_F(SanctionsTest, address_of_packets_is_admitted_only_where_no_rule_means_it) {
  const Person ann = enter("ann");
  const IpAddress away = *IpAddress::parse("192.0.2.9");
  EXPECT_EQ(only<AdmitAddress>(apply(TransportMoved{ann.sid, away})).address, away);
  BanTarget range;
  range.ip = IpPrefix::parse("203.0.113.0/24");
  ban(range);
  const Effects moved = apply(TransportMoved{ann.sid, *IpAddress::parse("203.0.113.7")});
  EXPECT_EQ(count_of<AdmitAddress>(moved), 0u);
  EXPECT_EQ(count_of<CutParticipant>(moved), 1u);
}

TEST_F(SanctionsTest, repeated_ban_is_answered_when_the_rule_is_stored) {
  const Effects first = ban(of_user("eve"));
  EXPECT_TRUE(all_of<ActionReply>(ban(of_user("eve"))).empty()) << "nothing is durable yet";
  const auto replies = all_of<ActionReply>(stored(operation(first)));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].outcome, ActionOutcome::Done);
  EXPECT_EQ(replies[1].outcome, ActionOutcome::Done);
  EXPECT_EQ(only<ActionReply>(ban(of_user("eve"))).outcome, ActionOutcome::Done) << "it is stored";
}

TEST_F(SanctionsTest, repeated_ban_fails_with_the_write_of_the_rule) {
  const Effects first = ban(of_user("eve"));
  ban(of_user("eve"));
  const auto replies = all_of<ActionReply>(stored(operation(first), false));
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(replies[1].outcome, ActionOutcome::RecordFailed);
  EXPECT_FALSE(refusal(joiner("eve")).has_value());
}

}  // namespace
}  // namespace atrium::domain
