// How often, in which order and to whom updates go.
#include "domain/outbox.h"
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class UpdatesTest : public RegistryTest {
 protected:
  // One watcher and a crowd that makes the room a large one.
  Person watch_a_large_room() {
    const Person watcher = enter("watcher");
    for (int64_t i = 1; i < limits::kUpdateImmediateBelow; ++i)
      enter(hidden_joiner("crowd" + std::to_string(i)));
    after(1s);
    return watcher;
  }
};

TEST_F(UpdatesTest, large_room_hears_of_changes_within_100_ms_and_in_one_update) {
  const Person watcher = watch_a_large_room();
  const Person ann = knock(joiner("ann"));
  const Person bob = knock(joiner("bob"));
  EXPECT_TRUE(told(apply(JoinSent{ann.sid}), watcher).empty());
  EXPECT_TRUE(told(apply(JoinSent{bob.sid}), watcher).empty());
  EXPECT_TRUE(told(apply(TransportUp{ann.sid}), watcher).empty());
  EXPECT_TRUE(told(after(99ms), watcher).empty());
  const Effects due = after(1ms);
  EXPECT_EQ(count_of<ParticipantUpdate>(due), 1u);
  const auto seen = told(due, watcher);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].sid, ann.sid);
  EXPECT_EQ(seen[0].state, ParticipantState::Active);
  EXPECT_EQ(seen[1].sid, bob.sid);
}

TEST_F(UpdatesTest, room_of_a_thousand_hears_of_changes_at_most_five_times_a_second) {
  const Person watcher = watch_a_large_room();
  for (int i = 0; i < 1'000; ++i) enter(hidden_joiner("more" + std::to_string(i)));
  after(1s);
  const Person ann = knock(joiner("ann"));
  EXPECT_TRUE(told(apply(JoinSent{ann.sid}), watcher).empty());
  EXPECT_TRUE(told(after(199ms), watcher).empty());
  EXPECT_EQ(told(after(20ms), watcher).size(), 1u);
}

TEST_F(UpdatesTest, all_recipients_share_one_update) {
  const Person ann = enter("ann");
  enter("bob");
  enter("cat");
  const Effects live = go_live(ann, add_track(ann, microphone()));
  EXPECT_EQ(only<ParticipantUpdate>(live).recipients.size(), 3u);
}

TEST_F(UpdatesTest, update_that_a_forward_needs_does_not_wait) {
  const Person watcher = watch_a_large_room();
  const Person ann = enter("ann");
  const Effects live = go_live(ann, add_track(ann, microphone()));
  EXPECT_GT(count_of<StartForward>(live), 0u);
  ASSERT_EQ(told(live, watcher).size(), 1u);
  EXPECT_EQ(told(live, watcher)[0].tracks.size(), 1u);
}

TEST_F(UpdatesTest, return_within_the_window_hides_the_departure) {
  const Person watcher = watch_a_large_room();
  const Person ann = enter("ann");
  after(1s);
  apply(Leave{ann.sid});
  const Person again = enter("ann");
  const auto seen = told(after(100ms), watcher);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].sid, again.sid);
}

TEST_F(UpdatesTest, departure_is_told_after_all_when_the_return_fails) {
  const Person watcher = watch_a_large_room();
  const Person ann = enter("ann");
  after(1s);
  apply(Leave{ann.sid});
  const Person again = knock(joiner("ann"));
  lose_signal(again);
  const auto seen = told(after(100ms), watcher);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].sid, ann.sid);
}

TEST_F(UpdatesTest, versions_rise_with_every_change_and_end_with_the_departure) {
  const Person watcher = enter("watcher");
  const Person ann = enter("ann");
  const TrackSid track = add_track(ann, microphone());
  std::vector<uint32_t> versions;
  const auto note = [&](const Effects& effects) {
    for (const ParticipantView& view : told(effects, watcher)) versions.push_back(view.version);
  };
  note(go_live(ann, track));
  note(apply(SetMuted{ann.sid, track, true}));
  note(apply(TrackGone{ann.sid, track}));
  note(apply(Leave{ann.sid}));
  ASSERT_EQ(versions.size(), 4u);
  EXPECT_TRUE(std::ranges::is_sorted(versions, std::less_equal<>()));
}

TEST_F(UpdatesTest, head_count_is_told_when_it_changes) {
  enter("ann");
  const Person bob = knock(joiner("bob"));
  const RoomUpdate update = only<RoomUpdate>(apply(JoinSent{bob.sid}));
  EXPECT_EQ(update.room.num_participants, 2u);
  EXPECT_EQ(count_of<RoomUpdate>(apply(TransportUp{bob.sid})), 0u);
}

TEST_F(UpdatesTest, pending_updates_of_a_dismissed_room_are_never_sent) {
  const Person watcher = watch_a_large_room();
  const Person ann = enter("ann");
  dismiss();
  EXPECT_TRUE(told(after(100ms), watcher).empty());
  EXPECT_TRUE(told(after(100ms), ann).empty());
}

TEST_F(UpdatesTest, effects_come_in_the_promised_order) {
  const Person ann = enter("ann");
  publish(ann, microphone());
  lose_signal(enter("bob"));
  Effects all[] = {apply(Join{new_connection(), joiner("ann")}), dismiss(), cut(ann.room_sid),
                   after(2s), closed(ann.room_sid)};
  for (const Effects& effects : all) EXPECT_TRUE(std::ranges::is_sorted(effects, {}, phase_of));
}

TEST_F(UpdatesTest, timers_that_are_due_happen_before_the_command) {
  const Person ann = enter("ann");
  lose_signal(ann);
  now_.mono += options_.resume_grace;
  const Effects effects = apply(Join{new_connection(), joiner("bob")});
  EXPECT_EQ(events_of(effects, EventKind::UserLeft).at(0).reason.why, LeaveReason::ConnectionLost);
  EXPECT_TRUE(only<JoinAccepted>(effects).others.empty());
}

TEST_F(UpdatesTest, next_deadline_is_the_earliest_of_all) {
  EXPECT_EQ(registry_.next_deadline(), kNever);
  const Person ann = knock(joiner("ann"));
  EXPECT_EQ(registry_.next_deadline(), now_.mono + 60s);
  apply(JoinSent{ann.sid});
  apply(TransportUp{ann.sid});
  EXPECT_EQ(registry_.next_deadline(), kNever);
  lose_signal(ann);
  EXPECT_EQ(registry_.next_deadline(), now_.mono + options_.resume_grace);
}

}  // namespace
}  // namespace atrium::domain
