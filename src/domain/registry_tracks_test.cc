// Publishing, subscribing, muting: what media is asked to forward, and what everybody hears of it.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using TracksTest = RegistryTest;

TEST_F(TracksTest, track_is_announced_and_forwarded_once_its_section_is_found) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Effects asked_for = apply(AddTrack{ann.sid, microphone()});
  const TrackView published = only<TrackPublished>(asked_for).track;
  EXPECT_TRUE(published.sid.value.starts_with("TR_"));
  EXPECT_EQ(published.cid, "mic");
  EXPECT_EQ(count_of<StartForward>(asked_for), 0u);
  EXPECT_TRUE(told(asked_for, bob).empty());

  const Effects live = apply(TrackLive{ann.sid, published.sid, "audio/opus", "3"});
  const StartForward forward = only<StartForward>(live);
  EXPECT_EQ(forward.subscriber, bob.sid);
  EXPECT_EQ(forward.publisher, ann.sid);
  EXPECT_EQ(forward.track, published.sid);
  ASSERT_EQ(told(live, bob).size(), 1u);
  const TrackView seen = told(live, bob)[0].tracks.at(0);
  EXPECT_EQ(seen.mime, "audio/opus");
  EXPECT_EQ(seen.mid, "3");
  EXPECT_EQ(told(live, ann).size(), 1u);
  EXPECT_EQ(events_of(live, EventKind::TrackPublished).at(0).track, published.sid);
}

TEST_F(TracksTest, section_found_again_with_the_same_facts_is_no_news) {
  const Person ann = enter("ann");
  enter("bob");
  const TrackSid track = add_track(ann, microphone());
  go_live(ann, track);
  EXPECT_TRUE(go_live(ann, track).empty());
  const Effects moved = apply(TrackLive{ann.sid, track, "audio/opus", "7"});
  EXPECT_EQ(count_of<ParticipantUpdate>(moved), 1u);
  EXPECT_EQ(count_of<StartForward>(moved), 0u);
}

TEST_F(TracksTest, wish_repeated_before_its_section_came_keeps_its_sid) {
  const Person ann = enter("ann");
  const TrackSid first = add_track(ann, microphone());
  EXPECT_EQ(add_track(ann, microphone()), first);
  EXPECT_NE(add_track(ann, camera()), first);
  go_live(ann, first);
  // The client unpublished and publishes the same device again: that is another publication.
  EXPECT_NE(add_track(ann, microphone()), first);
}

TEST_F(TracksTest, late_joiner_gets_every_live_track) {
  const Person ann = enter("ann");
  publish(ann, microphone());
  publish(ann, camera());
  add_track(ann, microphone());
  const Person bob = knock(joiner("bob"));
  const Effects sent = apply(JoinSent{bob.sid});
  EXPECT_EQ(count_of<StartForward>(sent), 2u);
  EXPECT_EQ(registry_.counts().subscriptions, 2u);
}

TEST_F(TracksTest, track_of_a_publisher_whose_join_was_not_sent_waits_for_its_announcement) {
  const Person bob = enter("bob");
  const Person ann = knock(joiner("ann"));
  const Effects live = go_live(ann, add_track(ann, microphone()));
  EXPECT_EQ(count_of<StartForward>(live), 0u);
  const Effects sent = apply(JoinSent{ann.sid});
  EXPECT_EQ(only<StartForward>(sent).subscriber, bob.sid);
  EXPECT_EQ(told(sent, bob).at(0).tracks.size(), 1u);
}

TEST_F(TracksTest, refusals_name_what_was_asked_for) {
  Joiner mute = joiner("mute");
  mute.permissions.can_publish = false;
  const RequestAnswer refused = only<RequestAnswer>(apply(AddTrack{enter(mute).sid, microphone()}));
  EXPECT_EQ(refused.kind, RequestKind::AddTrack);
  EXPECT_EQ(refused.outcome, RequestOutcome::NotAllowed);
  EXPECT_EQ(refused.track.cid, "mic");
}

TEST_F(TracksTest, only_the_sources_of_the_token_may_be_published) {
  Joiner speaker = joiner("ann");
  speaker.permissions.publish_sources = {TrackSource::Microphone};
  const Person ann = enter(speaker);
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{ann.sid, camera()})).outcome,
            RequestOutcome::NotAllowed);
  EXPECT_EQ(count_of<TrackPublished>(apply(AddTrack{ann.sid, microphone()})), 1u);
}

TEST_F(TracksTest, invisible_users_cannot_publish) {
  const Person eve = enter(hidden_joiner("eve"));
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{eve.sid, microphone()})).outcome,
            RequestOutcome::NotAllowed);
}

TEST_F(TracksTest, one_track_too_many_is_refused) {
  const Person ann = enter("ann");
  for (int64_t i = 0; i < limits::kTracksPerParticipantMax; ++i) {
    TrackView track = microphone();
    track.cid = std::to_string(i);
    add_track(ann, track);
  }
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{ann.sid, microphone()})).outcome,
            RequestOutcome::LimitExceeded);
}

TEST_F(TracksTest, track_without_a_client_id_is_refused) {
  TrackView nameless = microphone();
  nameless.cid.clear();
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{enter("ann").sid, nameless})).outcome,
            RequestOutcome::Invalid);
}

TEST_F(TracksTest, ended_track_is_stopped_for_everybody) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const Effects gone = apply(TrackGone{ann.sid, track});
  EXPECT_EQ(only<StopForward>(gone).subscriber, bob.sid);
  EXPECT_EQ(only<StopTrack>(gone).publisher, ann.sid);
  EXPECT_TRUE(told(gone, bob).at(0).tracks.empty());
  EXPECT_EQ(count_of<TrackUnpublished>(gone), 0u);
  EXPECT_EQ(events_of(gone, EventKind::TrackUnpublished).size(), 1u);
  EXPECT_TRUE(apply(TrackGone{ann.sid, track}).empty());
}

TEST_F(TracksTest, mute_pauses_the_uplink_and_tells_others) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const Effects muted = apply(SetMuted{ann.sid, track, true});
  EXPECT_TRUE(only<PauseTrack>(muted).muted);
  EXPECT_TRUE(told(muted, bob).at(0).tracks.at(0).muted);
  EXPECT_TRUE(apply(SetMuted{ann.sid, track, true}).empty());
}

TEST_F(TracksTest, track_published_muted_starts_paused) {
  const Person ann = enter("ann");
  TrackView quiet = microphone();
  quiet.muted = true;
  EXPECT_TRUE(only<PauseTrack>(go_live(ann, add_track(ann, quiet))).muted);
}

TEST_F(TracksTest, mute_of_an_unknown_track_is_answered) {
  const Person ann = enter("ann");
  const RequestAnswer answer =
      only<RequestAnswer>(apply(SetMuted{ann.sid, TrackSid("TR_x"), true}));
  EXPECT_EQ(answer.kind, RequestKind::Mute);
  EXPECT_EQ(answer.outcome, RequestOutcome::NotFound);
}

TEST_F(TracksTest, nobody_mutes_anothers_track) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  EXPECT_EQ(only<RequestAnswer>(apply(SetMuted{bob.sid, track, true})).outcome,
            RequestOutcome::NotFound);
  apply(TrackGone{bob.sid, track});
  EXPECT_EQ(room()->num_tracks, 1u);
}

TEST_F(TracksTest, subscribing_by_hand_overrides_auto_subscribe) {
  const Person ann = enter("ann");
  Joiner picky = joiner("bob");
  picky.auto_subscribe = false;
  const Person bob = enter(picky);
  const TrackSid track = publish(ann, microphone());
  EXPECT_EQ(registry_.counts().subscriptions, 0u);
  EXPECT_EQ(only<StartForward>(apply(UpdateSubscription{bob.sid, {track}, true})).track, track);
  EXPECT_EQ(only<StopForward>(apply(UpdateSubscription{bob.sid, {track}, false})).track, track);
  EXPECT_TRUE(apply(UpdateSubscription{bob.sid, {track}, false}).empty());
}

TEST_F(TracksTest, subscribing_to_an_unknown_or_own_track_fails) {
  const Person ann = enter("ann");
  const TrackSid own = publish(ann, microphone());
  EXPECT_EQ(count_of<SubscriptionFailed>(
                apply(UpdateSubscription{ann.sid, {own, TrackSid("TR_x")}, true})),
            2u);
  EXPECT_TRUE(apply(UpdateSubscription{ann.sid, {TrackSid("TR_x")}, false}).empty());
}

TEST_F(TracksTest, who_may_not_subscribe_gets_nothing_and_is_told) {
  Joiner deaf = joiner("deaf");
  deaf.permissions.can_subscribe = false;
  const Person bob = enter(deaf);
  const TrackSid track = publish(enter("ann"), microphone());
  EXPECT_EQ(registry_.counts().subscriptions, 0u);
  const RequestAnswer answer =
      only<RequestAnswer>(apply(UpdateSubscription{bob.sid, {track}, true}));
  EXPECT_EQ(answer.kind, RequestKind::Subscription);
  EXPECT_EQ(answer.outcome, RequestOutcome::NotAllowed);
}

TEST_F(TracksTest, publisher_chooses_who_may_subscribe) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Person cat = enter("cat");
  const TrackSid track = publish(ann, microphone());
  const Effects closed_to_bob =
      apply(SubscriptionPermission{ann.sid, false, {{cat.sid, UserId(), true, {}}}});
  EXPECT_EQ(only<StopForward>(closed_to_bob).subscriber, bob.sid);
  EXPECT_EQ(only<SubscriptionAllowed>(closed_to_bob).participant, bob.sid);
  EXPECT_FALSE(only<SubscriptionAllowed>(closed_to_bob).allowed);
  const Effects by_user = apply(
      SubscriptionPermission{ann.sid, false, {{ParticipantSid(), UserId("bob"), false, {track}}}});
  EXPECT_EQ(only<StartForward>(by_user).subscriber, bob.sid);
  EXPECT_EQ(only<StopForward>(by_user).subscriber, cat.sid);
  EXPECT_EQ(only<StartForward>(apply(SubscriptionPermission{ann.sid, true, {}})).subscriber,
            cat.sid);
}

TEST_F(TracksTest, rules_hold_for_tracks_and_users_that_come_later) {
  const Person ann = enter("ann");
  apply(SubscriptionPermission{ann.sid, false, {}});
  publish(ann, microphone());
  enter("bob");
  EXPECT_EQ(registry_.counts().subscriptions, 0u);
}

TEST_F(TracksTest, permissions_beyond_the_limit_change_nothing) {
  const Person ann = enter("ann");
  enter("bob");
  publish(ann, microphone());
  SubscriptionPermission huge{ann.sid, false, {}};
  huge.entries.resize(limits::kSubscriptionRulesMax + 1);
  EXPECT_EQ(only<RequestAnswer>(apply(huge)).outcome, RequestOutcome::LimitExceeded);
  EXPECT_EQ(registry_.counts().subscriptions, 1u);
}

TEST_F(TracksTest, publisher_hears_of_its_first_subscriber_only) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const Person cat = enter("cat");
  const TrackSid track = publish(ann, microphone());
  EXPECT_EQ(only<TrackSubscribed>(apply(ForwardAttached{bob.sid, track})).publisher, ann.sid);
  EXPECT_TRUE(apply(ForwardAttached{cat.sid, track}).empty());
  EXPECT_TRUE(apply(ForwardAttached{bob.sid, track}).empty());
}

TEST_F(TracksTest, settings_pause_a_forward_and_choose_its_layer) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, camera());
  const PauseForward off = only<PauseForward>(apply(UpdateTrackSettings{bob.sid, {track}, true}));
  EXPECT_TRUE(off.paused);
  UpdateTrackSettings sized{bob.sid, {track}};
  sized.width = 400;
  sized.height = 300;
  const PauseForward medium = only<PauseForward>(apply(sized));
  EXPECT_FALSE(medium.paused);
  EXPECT_EQ(medium.quality, VideoQuality::Medium);
  EXPECT_TRUE(apply(sized).empty());
}

TEST_F(TracksTest, picture_larger_than_every_layer_gets_the_best) {
  const Person bob = enter("bob");
  const TrackSid track = publish(enter("ann"), camera());
  apply(UpdateTrackSettings{bob.sid, {track}, false, VideoQuality::Low});
  EXPECT_EQ(only<PauseForward>(apply(UpdateTrackSettings{
                                   bob.sid, {track}, false, VideoQuality::Low, 4'000, 3'000}))
                .quality,
            VideoQuality::High);
}

TEST_F(TracksTest, adaptive_stream_starts_with_the_lowest_layer) {
  Joiner adaptive = joiner("bob");
  adaptive.adaptive_stream = true;
  enter(adaptive);
  const Person ann = enter("ann");
  EXPECT_EQ(only<PauseForward>(go_live(ann, add_track(ann, camera()), "video/VP8")).quality,
            VideoQuality::Low);
  EXPECT_EQ(count_of<PauseForward>(go_live(ann, add_track(ann, microphone()))), 0u);
}

TEST_F(TracksTest, settings_survive_an_unsubscribe) {
  const Person bob = enter("bob");
  const TrackSid track = publish(enter("ann"), camera());
  apply(UpdateTrackSettings{bob.sid, {track}, true});
  apply(UpdateSubscription{bob.sid, {track}, false});
  EXPECT_TRUE(only<PauseForward>(apply(UpdateSubscription{bob.sid, {track}, true})).paused);
}

TEST_F(TracksTest, track_info_changes_reach_others) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, camera());
  const Effects changed = apply(UpdateTrackInfo{ann.sid, track, {}, 1920, 1080});
  EXPECT_EQ(told(changed, bob).at(0).tracks.at(0).width, 1920u);
  EXPECT_EQ(
      only<RequestAnswer>(apply(UpdateTrackInfo{ann.sid, TrackSid("TR_x"), {}, 1, 1})).outcome,
      RequestOutcome::NotFound);
}

TEST_F(TracksTest, own_metadata_needs_the_grant) {
  const Person ann = enter("ann");
  const RequestAnswer refused =
      only<RequestAnswer>(apply(UpdateMetadata{ann.sid, 9, "Ann", {}, {}}));
  EXPECT_EQ(refused.outcome, RequestOutcome::NotAllowed);
  EXPECT_EQ(refused.request_id, 9u);
}

TEST_F(TracksTest, own_metadata_is_merged_and_told_to_all) {
  Joiner may = joiner("ann");
  may.permissions.can_update_metadata = true;
  may.attributes = {{"hand", "up"}, {"mood", "good"}};
  const Person ann = enter(may);
  const Person bob = enter("bob");
  const Effects changed =
      apply(UpdateMetadata{ann.sid, 4, "Ann", "m", {{"hand", ""}, {"colour", "red"}}});
  EXPECT_EQ(only<RequestAnswer>(changed).outcome, RequestOutcome::Ok);
  const ParticipantView seen = told(changed, bob).at(0);
  EXPECT_EQ(seen.name, "Ann");
  EXPECT_EQ(seen.metadata, "m");
  EXPECT_EQ(seen.attributes,
            (std::map<std::string, std::string>{{"colour", "red"}, {"mood", "good"}}));
  EXPECT_EQ(told(changed, ann).size(), 1u);
}

TEST_F(TracksTest, attributes_beyond_the_limit_are_refused) {
  Joiner may = joiner("ann");
  may.permissions.can_update_metadata = true;
  const Person ann = enter(may);
  const std::string big(limits::kAttributesBytesMax, 'x');
  EXPECT_EQ(only<RequestAnswer>(apply(UpdateMetadata{ann.sid, 1, {}, {}, {{"k", big}}})).outcome,
            RequestOutcome::LimitExceeded);
  EXPECT_TRUE(view_of(ann)->attributes.empty());
}

}  // namespace
}  // namespace atrium::domain
