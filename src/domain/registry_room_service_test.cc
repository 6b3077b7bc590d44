// What LiveKit's RoomService asks the registry for, and what of it holds, for how long, and who hears of it.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class RoomServiceTest : public RegistryTest {
 protected:
  OpenRoom open_command(const std::string& name = kRoom) {
    return {.waiter = WaiterId{++waiter_}, .app = AppId(kApp), .room = RoomId(name), .origin = {}};
  }
  ChangeParticipant change(const std::string& user) {
    return {.waiter = WaiterId{++waiter_},
            .app = AppId(kApp),
            .room = RoomId(kRoom),
            .user = UserId(user),
            .name = {},
            .metadata = {},
            .attributes = {},
            .permissions = {},
            .origin = {}};
  }
  ChangeParticipant permit(const std::string& user, Permissions permissions) {
    ChangeParticipant command = change(user);
    command.permissions = std::move(permissions);
    return command;
  }
  MuteByServer mute(const std::string& user, const TrackSid& track) {
    return {WaiterId{++waiter_}, AppId(kApp), RoomId(kRoom), UserId(user), track, true, {}};
  }
  SubscribeByServer subscribe(const std::string& user, std::vector<TrackSid> tracks, bool on) {
    return {
        WaiterId{++waiter_}, AppId(kApp), RoomId(kRoom), UserId(user), std::move(tracks), on, {}};
  }
  ChangeRoomMetadata describe_room(const std::string& metadata) {
    return {WaiterId{++waiter_}, AppId(kApp), RoomId(kRoom), metadata, {}};
  }
  // The outcome that the latest caller is told.
  ActionOutcome outcome(const Effects& effects) const {
    const ActionReply reply = only<ActionReply>(effects);
    EXPECT_EQ(reply.waiter, WaiterId{waiter_});
    return reply.outcome;
  }

  uint64_t waiter_ = 100;
};

TEST_F(RoomServiceTest, room_is_opened_before_anybody_joins_and_the_first_joins_that_life) {
  OpenRoom command = open_command();
  command.metadata = "about cats";
  const Effects opened = apply(command);
  EXPECT_EQ(outcome(opened), ActionOutcome::Done);
  EXPECT_EQ(events_of(opened, EventKind::RoomStarted).size(), 1u);
  ASSERT_TRUE(room().has_value());
  EXPECT_EQ(room()->metadata, "about cats");
  EXPECT_EQ(enter("ann").room_sid, room()->sid);
}

TEST_F(RoomServiceTest, opening_a_room_that_is_there_changes_nothing_of_it) {
  const Person ann = enter("ann");
  OpenRoom command = open_command();
  command.metadata = "other";
  command.max_participants = 1;
  const Effects again = apply(command);
  EXPECT_EQ(outcome(again), ActionOutcome::Done);
  EXPECT_EQ(again.size(), 1u) << effects_text(again);
  EXPECT_EQ(room()->sid, ann.room_sid);
  EXPECT_EQ(room()->metadata, "");
  enter("bob");
}

TEST_F(RoomServiceTest,
       opened_room_waits_for_its_empty_timeout_and_then_for_its_departure_timeout) {
  OpenRoom command = open_command();
  command.empty_timeout = 60s;
  command.departure_timeout = 30s;
  apply(command);
  after(59s);
  const Person ann = enter("ann");
  const Effects left = apply(Leave{ann.sid});
  apply(LeaveWritten{ann.sid});
  apply(TransportClosed{ann.sid});
  after(29s);
  ASSERT_TRUE(room().has_value());
  const Effects ended = after(1s);
  EXPECT_EQ(only<CloseRoom>(ended).room_sid, ann.room_sid);
  EXPECT_EQ(events_of(ended, EventKind::RoomEnded).size(), 1u);
}

TEST_F(RoomServiceTest, opened_room_that_nobody_joins_ends) {
  OpenRoom command = open_command();
  command.empty_timeout = 60s;
  apply(command);
  after(59s);
  EXPECT_TRUE(room().has_value());
  after(1s);
  EXPECT_FALSE(room().has_value());
}

TEST_F(RoomServiceTest, times_that_were_not_chosen_are_the_servers_own) {
  apply(open_command());
  EXPECT_EQ(room()->empty_timeout, options_.empty_room_grace);
  EXPECT_EQ(room()->departure_timeout, options_.empty_room_grace);
  after(options_.empty_room_grace);
  EXPECT_FALSE(room().has_value());
}

TEST_F(RoomServiceTest, an_opened_room_can_be_dismissed_and_its_timeouts_end_with_it) {
  OpenRoom command = open_command();
  command.empty_timeout = 60s;
  apply(command);
  const RoomSid first = room()->sid;
  const Effects fenced = dismiss();
  EXPECT_EQ(only<CutRoom>(fenced).room_sid, first);
  const OperationId operation = only<PersistDismissal>(fenced).record.operation;
  stored(operation);
  cut(first);
  closed(first);
  EXPECT_EQ(only<DismissReply>(stored(operation)).outcome, DismissOutcome::Done);
  apply(open_command());
  EXPECT_EQ(room()->empty_timeout, options_.empty_room_grace);
}

TEST_F(RoomServiceTest, join_beyond_the_rooms_own_bound_is_refused_and_a_repeat_of_a_user_is_not) {
  OpenRoom command = open_command();
  command.max_participants = 1;
  apply(command);
  enter("ann");
  const JoinRefused refused = only<JoinRefused>(apply(Join{new_connection(), joiner("bob")}));
  EXPECT_EQ(refused.code, ClientCode::JoinRoom);
  EXPECT_FALSE(refused.retry_later);
  EXPECT_EQ(refused.message, "the room has as many participants as it was created for");
  enter("ann");
}

TEST_F(RoomServiceTest, rooms_metadata_is_told_to_everybody_at_once) {
  const Person ann = enter("ann");
  const Person ghost = enter(hidden_joiner("ghost"));
  const Effects changed = apply(describe_room("about dogs"));
  EXPECT_EQ(outcome(changed), ActionOutcome::Done);
  const RoomUpdate update = only<RoomUpdate>(changed);
  EXPECT_EQ(update.recipients.size(), 2u);
  EXPECT_EQ(update.room.metadata, "about dogs");
  EXPECT_EQ(knock(joiner("bob")).room_sid, ann.room_sid);
  EXPECT_EQ(room()->metadata, "about dogs");
  EXPECT_EQ(count_of<RoomUpdate>(apply(describe_room("about dogs"))), 0u) << "no news";
}

TEST_F(RoomServiceTest, nobody_and_nothing_are_not_there) {
  EXPECT_EQ(outcome(apply(describe_room("x"))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(change("ann"))), ActionOutcome::NotThere);
  const Person ann = enter("ann");
  const TrackSid waiting = add_track(ann, microphone());
  EXPECT_EQ(outcome(apply(change("bob"))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(mute("ann", TrackSid("TR_x")))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(mute("ann", waiting))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(mute("bob", waiting))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(subscribe("bob", {}, true))), ActionOutcome::NotThere);
}

TEST_F(RoomServiceTest, users_of_a_dismissed_life_are_not_there) {
  const Person ann = enter("ann");
  dismiss();
  EXPECT_EQ(outcome(apply(change("ann"))), ActionOutcome::NotThere);
  EXPECT_EQ(outcome(apply(describe_room("x"))), ActionOutcome::NotThere);
}

TEST_F(RoomServiceTest, description_is_changed_without_the_users_own_permission_and_told_to_all) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  ChangeParticipant command = change("ann");
  command.name = "Ann the first";
  command.metadata = "m";
  command.attributes = {{"hand", "up"}};
  const Effects changed = apply(command);
  EXPECT_EQ(outcome(changed), ActionOutcome::Done);
  ASSERT_EQ(told(changed, bob).size(), 1u);
  EXPECT_EQ(told(changed, bob)[0].name, "Ann the first");
  EXPECT_EQ(told(changed, ann).at(0).attributes.at("hand"), "up");
  ChangeParticipant lowered = change("ann");
  lowered.attributes = {{"hand", ""}};
  const Effects after_lowering = apply(lowered);
  EXPECT_TRUE(told(after_lowering, bob).at(0).attributes.empty());
  EXPECT_EQ(told(after_lowering, bob).at(0).name, "Ann the first") << "what is absent stays";
}

TEST_F(RoomServiceTest, attributes_beyond_their_bound_change_nothing) {
  const Person ann = enter("ann");
  ChangeParticipant command = change("ann");
  command.name = "other";
  command.attributes = {{"k", std::string(limits::kAttributesBytesMax, 'x')}};
  const Effects refused = apply(command);
  EXPECT_EQ(outcome(refused), ActionOutcome::TooMany);
  EXPECT_EQ(refused.size(), 1u);
  EXPECT_EQ(view_of(ann)->name, "ann");
}

TEST_F(RoomServiceTest, withdrawn_permissions_take_effect_at_once) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const TrackSid bobs = publish(bob, microphone());
  const Effects changed = apply(permit("ann", {.can_publish = false,
                                               .can_subscribe = false,
                                               .can_publish_data = false,
                                               .publish_sources = {}}));
  EXPECT_EQ(outcome(changed), ActionOutcome::Done);
  EXPECT_EQ(only<TrackUnpublished>(changed).track, track);
  EXPECT_EQ(only<StopTrack>(changed).track, track);
  EXPECT_FALSE(only<SetDataPermission>(changed).can_publish_data);
  bool lost_bobs = false;
  for (const StopForward& stop : all_of<StopForward>(changed))
    lost_bobs = lost_bobs || (stop.subscriber == ann.sid && stop.track == bobs);
  EXPECT_TRUE(lost_bobs);
  EXPECT_FALSE(told(changed, ann).at(0).permissions.can_publish);
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{ann.sid, microphone()})).outcome,
            RequestOutcome::NotAllowed);
}

TEST_F(RoomServiceTest, given_permissions_let_a_listener_speak) {
  Joiner listener = joiner("ann");
  listener.permissions.can_publish = false;
  const Person ann = enter(listener);
  apply(permit("ann", {.publish_sources = {TrackSource::Microphone}}));
  EXPECT_EQ(count_of<TrackPublished>(apply(AddTrack{ann.sid, microphone()})), 1u);
  EXPECT_EQ(count_of<RequestAnswer>(apply(AddTrack{ann.sid, camera()})), 1u);
}

TEST_F(RoomServiceTest, renewed_token_gives_nothing_back_that_a_backend_took) {
  const Person ann = enter(vendor_joiner("ann", 60s));
  apply(permit("ann", {.can_publish = false, .publish_sources = {}}));
  apply(RenewToken{ann.sid, vendor_joiner("ann", 120s)});
  EXPECT_FALSE(view_of(ann)->permissions.can_publish);
}

TEST_F(RoomServiceTest, nobody_becomes_visible_by_order) {
  const Person ghost = enter(hidden_joiner("ghost"));
  apply(permit("ghost", {.can_publish = true, .hidden = false, .publish_sources = {}}));
  EXPECT_TRUE(view_of(ghost)->permissions.hidden);
  EXPECT_EQ(room()->num_hidden, 1u);
}

TEST_F(RoomServiceTest, muted_track_is_silent_for_all_and_its_publisher_is_told) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const Effects muted = apply(mute("ann", track));
  EXPECT_EQ(outcome(muted), ActionOutcome::Done);
  EXPECT_TRUE(only<PauseTrack>(muted).muted);
  const TrackMuted said = only<TrackMuted>(muted);
  EXPECT_EQ(said.participant, ann.sid);
  EXPECT_EQ(said.track, track);
  EXPECT_TRUE(told(muted, bob).at(0).tracks.at(0).muted);
  EXPECT_FALSE(only<PauseTrack>(apply(SetMuted{ann.sid, track, false})).muted)
      << "its user may speak again";
}

TEST_F(RoomServiceTest, subscriptions_are_chosen_for_a_user) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid track = publish(ann, microphone());
  const Effects stopped = apply(subscribe("bob", {track}, false));
  EXPECT_EQ(outcome(stopped), ActionOutcome::Done);
  EXPECT_EQ(only<StopForward>(stopped).subscriber, bob.sid);
  EXPECT_EQ(only<StartForward>(apply(subscribe("bob", {track}, true))).track, track);
}

TEST_F(RoomServiceTest, one_unknown_track_among_them_changes_nothing) {
  const Person ann = enter("ann");
  enter("bob");
  const TrackSid track = publish(ann, microphone());
  const Effects refused = apply(subscribe("bob", {track, TrackSid("TR_x")}, false));
  EXPECT_EQ(outcome(refused), ActionOutcome::NotThere);
  EXPECT_EQ(refused.size(), 1u);
  EXPECT_EQ(registry_.counts().subscriptions, 1u);
  EXPECT_EQ(outcome(apply(subscribe("ann", {track}, true))), ActionOutcome::NotThere) << "own";
}

TEST_F(RoomServiceTest, message_under_a_topic_of_its_own_goes_as_it_is) {
  const Person ann = enter("ann");
  SendMessage command{.waiter = WaiterId{++waiter_},
                      .app = AppId(kApp),
                      .room = RoomId(kRoom),
                      .payload = SharedBytes(Bytes{'h', 'i'})};
  command.topic = "chat";
  command.is_lossy = true;
  const DeliverMessage message = only<DeliverMessage>(apply(command));
  EXPECT_EQ(message.recipients, std::vector{ann.sid});
  EXPECT_EQ(message.topic, "chat");
  EXPECT_TRUE(message.is_lossy);
}

}  // namespace
}  // namespace atrium::domain
