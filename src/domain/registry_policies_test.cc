// Policies of room names: what ends a life, when users are warned, and what a change does to a life that runs.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class PoliciesTest : public RegistryTest {
 protected:
  Effects order(std::optional<RoomPolicy> policy) {
    return apply(SetRoomPolicy{.waiter = WaiterId{100},
                               .app = AppId(kApp),
                               .room = RoomId(kRoom),
                               .policy = std::move(policy),
                               .origin = {"AK1", "request-1", {}}});
  }
  static OperationId written(const Effects& effects) {
    return only<PersistPolicy>(effects).operation;
  }
  // Ordered and stored.
  Effects set(std::optional<RoomPolicy> policy) {
    return stored(written(order(std::move(policy))));
  }
  std::optional<RoomPolicy> policy() const {
    return registry_.find_policy(AppId(kApp), RoomId(kRoom));
  }
  static Joiner listener(const std::string& user) {
    Joiner out = joiner(user);
    out.permissions.can_publish = false;
    return out;
  }
};

TEST_F(PoliciesTest, life_ends_after_its_longest_duration) {
  EXPECT_EQ(only<ActionReply>(set(RoomPolicy{.max_duration = 600s})).outcome, ActionOutcome::Done);
  const Person ann = enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(599s)), 0u);
  const Effects due = after(1s);
  const PersistDismissal fence = only<PersistDismissal>(due);
  EXPECT_EQ(fence.record.room_sid, ann.room_sid);
  EXPECT_EQ(fence.record.operator_id, "policy");
  EXPECT_EQ(only<CutRoom>(due).notice.message, "The room has reached its longest duration.");
  // It holds for later lives too.
  enter("bob");
  EXPECT_EQ(count_of<CutRoom>(after(599s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, reason_of_the_policy_is_what_users_are_told) {
  set(RoomPolicy{.max_duration = 600s, .reason = "free rooms last ten minutes"});
  enter("ann");
  EXPECT_EQ(only<CutRoom>(after(600s)).notice.message, "free rooms last ten minutes");
}

TEST_F(PoliciesTest, idle_counts_from_the_last_publication) {
  set(RoomPolicy{.idle = 60s});
  const Person ann = enter("ann");
  after(59s);
  const TrackSid track = publish(ann, microphone());
  EXPECT_EQ(count_of<CutRoom>(after(3'600s)), 0u);
  const TrackSid second = publish(ann, camera());
  apply(TrackGone{ann.sid, track});
  EXPECT_EQ(count_of<CutRoom>(after(3'600s)), 0u);
  apply(TrackGone{ann.sid, second});
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, publisher_who_leaves_begins_the_idle_time) {
  set(RoomPolicy{.idle = 60s});
  const Person ann = enter("ann");
  enter("bob");
  publish(ann, microphone());
  after(100s);
  apply(Leave{ann.sid});
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, life_ends_so_long_after_its_last_host_left) {
  set(RoomPolicy{.without_host = 60s, .hosts = {UserId("ann"), UserId("bob")}});
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  enter("eve");
  apply(Leave{ann.sid});
  EXPECT_EQ(count_of<CutRoom>(after(120s)), 0u);
  apply(Leave{bob.sid});
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(120s)), 0u) << "a host is back";
}

TEST_F(PoliciesTest, life_that_never_had_a_host_is_not_ended) {
  set(RoomPolicy{.without_host = 60s, .hosts = {UserId("ann")}});
  enter("eve");
  EXPECT_EQ(count_of<CutRoom>(after(3'600s)), 0u);
}

TEST_F(PoliciesTest, host_is_who_may_publish_and_is_seen_where_none_is_named) {
  set(RoomPolicy{.without_host = 60s});
  const Person ann = enter("ann");
  enter(listener("eve"));
  enter(hidden_joiner("max"));
  EXPECT_EQ(count_of<CutRoom>(after(120s)), 0u);
  apply(Leave{ann.sid});
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  EXPECT_EQ(only<CutRoom>(after(1s)).notice.message, "The last host has left the room.");
}

TEST_F(PoliciesTest, host_who_loses_the_permission_to_publish_is_none) {
  set(RoomPolicy{.without_host = 60s});
  Joiner speaker = vendor_joiner("ann", 3'600s);
  speaker.publish_until = now_.wall + 100s;
  enter(speaker);
  after(100s);
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, host_who_joins_from_elsewhere_stays_one) {
  set(RoomPolicy{.without_host = 60s, .hosts = {UserId("ann")}});
  enter("ann");
  enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(120s)), 0u);
}

TEST_F(PoliciesTest, point_in_time_ends_one_life_and_is_gone_from_the_policy) {
  set(RoomPolicy{.end_at = now_.wall + 600s, .max_duration = 3'600s});
  enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(599s)), 0u);
  const Effects due = after(1s);
  EXPECT_EQ(count_of<CutRoom>(due), 1u);
  const PersistPolicy write = only<PersistPolicy>(due);
  ASSERT_TRUE(write.policy.has_value());
  EXPECT_FALSE(write.policy->end_at.has_value());
  EXPECT_EQ(write.policy->max_duration, Duration(3'600s));
  enter("bob");
  EXPECT_EQ(count_of<CutRoom>(after(600s)), 0u);
}

TEST_F(PoliciesTest, point_in_time_that_nobody_lived_to_see_ends_no_later_life) {
  set(RoomPolicy{.end_at = now_.wall + 600s});
  const Effects due = after(600s);
  EXPECT_FALSE(only<PersistPolicy>(due).policy.has_value()) << "nothing is left of it";
  EXPECT_FALSE(policy().has_value());
  enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(600s)), 0u);
}

TEST_F(PoliciesTest, point_in_time_follows_the_wall_clock) {
  set(RoomPolicy{.end_at = now_.wall + 3'600s});
  enter("ann");
  now_.wall += 3'598s;
  EXPECT_LE(registry_.next_deadline(), now_.mono + 1s);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, policy_takes_effect_on_the_life_that_runs_and_so_does_its_removal) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  after(100s);
  set(RoomPolicy{.max_duration = 160s});
  EXPECT_EQ(count_of<CutRoom>(after(59s)), 0u);
  set(std::nullopt);
  EXPECT_EQ(count_of<CutRoom>(after(1'000s)), 0u);
  set(RoomPolicy{.without_host = 60s, .hosts = {UserId("ann")}});
  apply(Leave{ann.sid});
  EXPECT_EQ(count_of<CutRoom>(after(60s)), 1u);
  EXPECT_EQ(only<ActionReply>(set(std::nullopt)).outcome, ActionOutcome::Done);
  EXPECT_EQ(only<ActionReply>(order(std::nullopt)).outcome, ActionOutcome::NotThere);
  EXPECT_FALSE(policy().has_value());
  EXPECT_FALSE(view_of(bob) && room());
}

TEST_F(PoliciesTest, life_that_is_over_its_time_when_the_policy_comes_ends_at_once) {
  enter("ann");
  after(1'000s);
  set(RoomPolicy{.max_duration = 600s});
  EXPECT_EQ(count_of<CutRoom>(apply(Tick{})), 1u);
}

TEST_F(PoliciesTest, change_that_was_not_stored_does_not_hold) {
  enter("ann");
  set(RoomPolicy{.max_duration = 600s});
  const Effects failed = stored(written(order(RoomPolicy{.max_duration = 60s})), false);
  EXPECT_EQ(only<ActionReply>(failed).outcome, ActionOutcome::RecordFailed);
  EXPECT_EQ(policy()->max_duration, Duration(600s));
  EXPECT_EQ(count_of<CutRoom>(after(599s)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
}

TEST_F(PoliciesTest, store_has_what_is_in_force_after_a_change_that_failed_over_a_used_up_end) {
  set(RoomPolicy{.end_at = now_.wall + 10s, .idle = 600s});
  const Effects ordered = order(RoomPolicy{.idle = 60s});
  EXPECT_EQ(count_of<PersistPolicy>(after(10s)), 0u) << "the write under way replaces the row";
  const Effects failed = stored(written(ordered), false);
  const PersistPolicy again = only<PersistPolicy>(failed);
  EXPECT_EQ(again.policy, policy());
  EXPECT_FALSE(again.policy->end_at.has_value());
}

// --- warnings -------------------------------------------------------------------------------------

TEST_F(PoliciesTest, users_are_warned_and_who_comes_later_is_told_too) {
  set(RoomPolicy{.max_duration = 600s, .warn_before = {10s, 60s}});
  const Person ann = enter("ann");
  EXPECT_EQ(count_of<SendCountdown>(after(539s)), 0u);
  const SendCountdown first = only<SendCountdown>(after(1s));
  EXPECT_EQ(first.recipients, std::vector{ann.sid});
  EXPECT_EQ(first.countdown.cause, EndCause::MaxDuration);
  EXPECT_EQ(first.countdown.remaining, Duration(60s));
  EXPECT_EQ(first.countdown.due_at, now_.wall + 60s);
  const Person bob = knock(joiner("bob"));
  apply(JoinSent{bob.sid});
  apply(TransportUp{bob.sid});
  EXPECT_EQ(only<SendCountdown>(apply(NoticeChannel{bob.sid, true})).recipients,
            std::vector{bob.sid});
  EXPECT_EQ(count_of<SendCountdown>(after(49s)), 0u);
  EXPECT_EQ(only<SendCountdown>(after(1s)).recipients.size(), 2u);
  EXPECT_EQ(count_of<CutRoom>(after(10s)), 1u);
}

TEST_F(PoliciesTest, warning_that_has_become_untrue_is_taken_back) {
  set(RoomPolicy{.idle = 60s, .warn_before = {20s}});
  const Person ann = enter("ann");
  EXPECT_EQ(only<SendCountdown>(after(40s)).countdown.cause, EndCause::Idle);
  const TrackSid track = add_track(ann, microphone());
  const SendCountdown back = only<SendCountdown>(go_live(ann, track));
  EXPECT_TRUE(back.countdown.is_called_off);
  EXPECT_EQ(back.countdown.cause, EndCause::Idle);
  EXPECT_EQ(count_of<SendCountdown>(after(100s)), 0u);
}

TEST_F(PoliciesTest, publication_that_flickers_does_not_repeat_warnings) {
  set(RoomPolicy{.idle = 60s, .warn_before = {60s}});
  const Person ann = enter("ann");
  const TrackSid track = add_track(ann, microphone());
  EXPECT_EQ(count_of<SendCountdown>(go_live(ann, track)), 0u);
  EXPECT_EQ(count_of<SendCountdown>(apply(TrackGone{ann.sid, track})), 0u);
}

TEST_F(PoliciesTest, end_that_comes_first_is_the_one_that_is_told) {
  set(RoomPolicy{.max_duration = 600s, .idle = 590s, .warn_before = {60s}});
  const Person ann = enter("ann");
  EXPECT_EQ(only<SendCountdown>(after(530s)).countdown.cause, EndCause::Idle);
  after(20s);
  const TrackSid track = add_track(ann, microphone());
  const SendCountdown now_other = only<SendCountdown>(go_live(ann, track));
  EXPECT_EQ(now_other.countdown.cause, EndCause::MaxDuration);
  EXPECT_FALSE(now_other.countdown.is_called_off);
  EXPECT_EQ(now_other.countdown.remaining, Duration(50s));
}

// --- restart --------------------------------------------------------------------------------------

TEST_F(PoliciesTest, policies_hold_after_a_restart_without_points_in_time_that_have_passed) {
  RoomPolicy kept{.app = AppId(kApp), .room = RoomId(kRoom), .max_duration = 600s};
  RoomPolicy passed{.app = AppId(kApp), .room = RoomId("room2"), .end_at = now_.wall - 1s};
  const Effects restored = apply(RestorePolicies{{kept, passed}});
  EXPECT_EQ(only<PersistPolicy>(restored).room, RoomId("room2"));
  EXPECT_FALSE(only<PersistPolicy>(restored).policy.has_value());
  enter("ann");
  EXPECT_EQ(count_of<CutRoom>(after(600s)), 1u);
}

TEST_F(PoliciesTest, each_of_many_rooms_ends_in_its_own_second) {
  RoomPolicy kept{.app = AppId(kApp), .room = RoomId("x"), .max_duration = 60s};
  std::vector<RoomPolicy> policies;
  for (int i = 0; i < 50; ++i) {
    kept.room = RoomId("room-" + std::to_string(i));
    policies.push_back(kept);
  }
  apply(RestorePolicies{policies});
  for (int i = 0; i < 50; ++i) {
    knock(joiner("ann", "room-" + std::to_string(i)));
    after(100ms);
  }
  after(54'900ms);  // the first is 59.9 s old
  for (int i = 0; i < 50; ++i) EXPECT_EQ(count_of<CutRoom>(after(100ms)), 1u) << i;
}

}  // namespace
}  // namespace atrium::domain
