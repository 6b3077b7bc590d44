// Tokens that end, privileges that end, and their renewal.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using TokensTest = RegistryTest;

TEST_F(TokensTest, warning_comes_30_s_before_the_end) {
  enter(vendor_joiner("ann", 100s));
  EXPECT_EQ(count_of<SendServerData>(after(69s)), 0u);
  const SendServerData warning = only<SendServerData>(after(1s));
  EXPECT_EQ(warning.topic, "atrium.token_will_expire");
  EXPECT_EQ(warning.json, "{\"expiresAt\":1700000100000}");
}

TEST_F(TokensTest, warning_waits_for_the_channel_that_carries_it) {
  const Person ann = knock(vendor_joiner("ann", 20s));
  EXPECT_EQ(count_of<SendServerData>(after(1s)), 0u);
  EXPECT_EQ(count_of<SendServerData>(apply(NoticeChannel{ann.sid, true})), 1u);
  EXPECT_EQ(count_of<SendServerData>(apply(NoticeChannel{ann.sid, true})), 0u);
}

TEST_F(TokensTest, user_is_removed_when_the_token_ends) {
  const Person bob = enter("bob");
  const Person ann = enter(vendor_joiner("ann", 100s));
  const Effects ended = after(100s);
  EXPECT_EQ(only<CutParticipant>(ended).notice.code, ClientCode::TokenExpired);
  EXPECT_EQ(only<CutParticipant>(ended).notice.name, "TOKEN_EXPIRED");
  EXPECT_EQ(told(ended, bob).at(0).leave_reason, LeaveReason::TokenExpired);
  const SendLeave leave = only<SendLeave>(apply(NoticeAcked{ann.sid}));
  EXPECT_EQ(leave.close_code, 4009);
  EXPECT_EQ(leave.reason, LeaveReason::TokenExpired);
  EXPECT_EQ(only<ResumeMeetsTombstone>(resume(ann)).notice.code, ClientCode::TokenExpired);
}

TEST_F(TokensTest, user_is_not_blocked_by_its_expired_session) {
  enter(vendor_joiner("ann", 10s));
  after(10s);
  EXPECT_EQ(count_of<JoinAccepted>(apply(Join{new_connection(), joiner("ann")})), 1u);
}

TEST_F(TokensTest, a_step_of_the_wall_clock_ends_no_session) {
  const Person ann = enter(vendor_joiner("ann", 100s));
  now_.wall += std::chrono::hours(5);
  EXPECT_TRUE(events_of(apply(Tick{}), EventKind::UserLeft).empty());
  EXPECT_TRUE(view_of(ann).has_value());
}

TEST_F(TokensTest, renewal_moves_the_end) {
  const Person ann = enter(vendor_joiner("ann", 100s));
  after(90s);
  apply(RenewToken{ann.sid, vendor_joiner("ann", 100s)});
  EXPECT_TRUE(events_of(after(99s), EventKind::UserLeft).empty());
  EXPECT_EQ(events_of(after(1s), EventKind::UserLeft).size(), 1u);
}

TEST_F(TokensTest, renewal_for_another_user_room_or_kind_is_refused) {
  const Person ann = enter(vendor_joiner("ann", 100s));
  const auto code_of = [&](Joiner offered) {
    const SendServerData error =
        only<SendServerData>(apply(RenewToken{ann.sid, std::move(offered)}));
    return error.topic + error.json.substr(0, 14);
  };
  EXPECT_EQ(code_of(vendor_joiner("bob", 900s)), "atrium.error{\"code\":-1010,");
  Joiner elsewhere = vendor_joiner("ann", 900s);
  elsewhere.room = RoomId("room2");
  EXPECT_EQ(code_of(elsewhere), "atrium.error{\"code\":-1010,");
  EXPECT_EQ(code_of(joiner("ann")), "atrium.error{\"code\":-1010,");
  EXPECT_EQ(code_of(vendor_joiner("ann", -1s)), "atrium.error{\"code\":-1010,");
  EXPECT_EQ(events_of(after(100s), EventKind::UserLeft).size(), 1u);
}

TEST_F(TokensTest, resume_with_a_newer_token_renews) {
  Person ann = enter(vendor_joiner("ann", 100s));
  lose_signal(ann);
  ann.joiner = vendor_joiner("ann", 500s);
  resume(ann);
  EXPECT_TRUE(events_of(after(200s), EventKind::UserLeft).empty());
}

TEST_F(TokensTest, resume_with_an_older_token_takes_nothing_away) {
  Person ann = enter(vendor_joiner("ann", 500s));
  ann.joiner = vendor_joiner("ann", 100s);
  resume(ann);
  EXPECT_TRUE(events_of(after(200s), EventKind::UserLeft).empty());
}

TEST_F(TokensTest, publishing_ends_with_its_privilege) {
  const Person bob = enter("bob");
  Joiner brief = vendor_joiner("ann", std::nullopt);
  brief.publish_until = now_.wall + 60s;
  const Person ann = enter(brief);
  const TrackSid track = publish(ann, microphone());
  const TrackSid pending = add_track(ann, camera());
  const Effects ended = after(60s);
  EXPECT_EQ(only<StopTrack>(ended).track, track);
  EXPECT_EQ(all_of<TrackUnpublished>(ended).size(), 2u);
  EXPECT_TRUE(told(ended, bob).at(0).tracks.empty());
  EXPECT_FALSE(told(ended, ann).at(0).permissions.can_publish);
  EXPECT_FALSE(only<SetDataPermission>(ended).can_publish_data) << "privilege 0 covers data, too";
  EXPECT_EQ(only<SendServerData>(ended).json.substr(0, 13), "{\"code\":-1002");
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{ann.sid, microphone()})).outcome,
            RequestOutcome::NotAllowed);
  EXPECT_TRUE(apply(TrackLive{ann.sid, pending, "video/VP8", "1"}).empty());
  EXPECT_TRUE(view_of(ann).has_value());
}

TEST_F(TokensTest, subscribing_ends_with_its_privilege_and_returns_with_a_renewal) {
  const Person bob = enter("bob");
  publish(bob, microphone());
  Joiner brief = vendor_joiner("ann", std::nullopt);
  brief.subscribe_until = now_.wall + 60s;
  const Person ann = enter(brief);
  EXPECT_EQ(registry_.counts().subscriptions, 1u);
  const Effects ended = after(60s);
  EXPECT_EQ(only<StopForward>(ended).subscriber, ann.sid);
  EXPECT_EQ(only<SendServerData>(ended).json.substr(0, 13), "{\"code\":-1003");
  Joiner renewed = vendor_joiner("ann", std::nullopt);
  renewed.subscribe_until = now_.wall + 60s;
  EXPECT_EQ(only<StartForward>(apply(RenewToken{ann.sid, renewed})).subscriber, ann.sid);
}

TEST_F(TokensTest, privileges_past_at_the_door_are_not_given) {
  Joiner late = vendor_joiner("ann", std::nullopt);
  late.publish_until = now_.wall - 1s;
  late.subscribe_until = now_.wall;
  const JoinAccepted accepted = only<JoinAccepted>(apply(Join{new_connection(), late}));
  EXPECT_FALSE(accepted.self.permissions.can_publish);
  EXPECT_FALSE(accepted.self.permissions.can_subscribe);
}

TEST_F(TokensTest, withdrawn_grants_take_effect_at_once) {
  const Person ann = enter(vendor_joiner("ann", 500s));
  enter("bob");
  publish(ann, camera());
  Joiner less = vendor_joiner("ann", 600s);
  less.permissions.publish_sources = {TrackSource::Microphone};
  less.permissions.can_publish_data = false;
  const Effects renewed = apply(RenewToken{ann.sid, less});
  EXPECT_EQ(count_of<TrackUnpublished>(renewed), 1u);
  EXPECT_FALSE(only<SetDataPermission>(renewed).can_publish_data);
}

TEST_F(TokensTest, renewal_does_not_make_a_hidden_session_visible) {
  Joiner ghost = vendor_joiner("eve", 500s);
  ghost.permissions.hidden = true;
  const Person bob = enter("bob");
  const Person eve = enter(ghost);
  EXPECT_TRUE(told(apply(RenewToken{eve.sid, vendor_joiner("eve", 600s)}), bob).empty());
  EXPECT_EQ(room()->num_hidden, 1u);
}

TEST_F(TokensTest, endless_and_unreachable_expiries_arm_no_timer) {
  Joiner endless = vendor_joiner("ann", std::nullopt);
  endless.removed_at = Wall::max();
  const Person ann = enter(endless);
  EXPECT_EQ(registry_.next_deadline(), kNever);
  apply(RenewToken{ann.sid, vendor_joiner("ann", std::nullopt)});
  EXPECT_EQ(registry_.next_deadline(), kNever);
}

}  // namespace
}  // namespace atrium::domain
