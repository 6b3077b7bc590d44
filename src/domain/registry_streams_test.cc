// Stream bans and limits of tokens: what is not forwarded, who may not publish, and who hears of it.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class StreamBansTest : public RegistryTest {
 protected:
  Effects ban(const std::string& user, std::optional<bool> audio, std::optional<bool> video,
              Duration interval = {}) {
    return apply(SetStreamBan{.waiter = WaiterId{9},
                              .app = AppId(kApp),
                              .room = RoomId(kRoom),
                              .user = UserId(user),
                              .audio = audio,
                              .video = video,
                              .interval = interval});
  }
  Effects limit(const Person& person, Duration interval = 60s) {
    return apply(LimitToken{.waiter = WaiterId{9},
                            .app = AppId(kApp),
                            .room = RoomId(kRoom),
                            .user = person.joiner.user,
                            .token_hash = person.joiner.token_hash,
                            .interval = interval,
                            .origin = {}});
  }
};

TEST_F(StreamBansTest, banned_kind_is_not_forwarded_and_everybody_hears_of_it) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid sound = publish(ann, microphone());
  publish(ann, camera());
  const Effects banned = ban("ann", true, std::nullopt);
  EXPECT_EQ(only<ActionReply>(banned).outcome, ActionOutcome::Done);
  const PauseTrack pause = only<PauseTrack>(banned);
  EXPECT_EQ(pause.track, sound);
  EXPECT_TRUE(pause.muted);
  const SendStreamBan news = only<SendStreamBan>(banned);
  EXPECT_EQ(news.recipients.size(), 2u);
  EXPECT_TRUE(news.audio);
  EXPECT_FALSE(news.video);
  ASSERT_EQ(told(banned, bob).size(), 1u);
  EXPECT_TRUE(told(banned, bob)[0].tracks.at(0).muted != told(banned, bob)[0].tracks.at(1).muted);
  EXPECT_TRUE(all_of<PauseTrack>(ban("ann", true, std::nullopt)).empty()) << "no news";

  const Effects given_back = ban("ann", false, std::nullopt);
  EXPECT_FALSE(only<PauseTrack>(given_back).muted);
  EXPECT_FALSE(only<SendStreamBan>(given_back).audio);
}

TEST_F(StreamBansTest, clients_own_mute_and_the_ban_do_not_undo_each_other) {
  const Person ann = enter("ann");
  enter("bob");
  const TrackSid sound = publish(ann, microphone());
  ban("ann", true, std::nullopt);
  EXPECT_TRUE(all_of<PauseTrack>(apply(SetMuted{ann.sid, sound, true})).empty());
  EXPECT_TRUE(all_of<PauseTrack>(apply(SetMuted{ann.sid, sound, false})).empty())
      << "the ban holds";
  apply(SetMuted{ann.sid, sound, true});
  EXPECT_TRUE(all_of<PauseTrack>(ban("ann", false, std::nullopt)).empty()) << "the mute holds";
  EXPECT_FALSE(only<PauseTrack>(apply(SetMuted{ann.sid, sound, false})).muted);
}

TEST_F(StreamBansTest, ban_meets_who_publishes_later_and_who_comes_back) {
  Person ann = enter("ann");
  enter("bob");
  ban("ann", std::nullopt, true);
  const TrackSid face = add_track(ann, camera());
  EXPECT_TRUE(only<PauseTrack>(go_live(ann, face)).muted);
  apply(Leave{ann.sid});
  ann = knock(joiner("ann"));
  apply(JoinSent{ann.sid});
  const SendStreamBan again = only<SendStreamBan>(apply(NoticeChannel{ann.sid, true}));
  EXPECT_EQ(again.recipients, std::vector{ann.sid});
  EXPECT_TRUE(again.video);
  EXPECT_TRUE(only<PauseTrack>(go_live(ann, add_track(ann, camera()))).muted);
}

TEST_F(StreamBansTest, ban_ends_with_its_interval_and_with_the_life) {
  const Person ann = enter("ann");
  publish(ann, microphone());
  ban("ann", true, std::nullopt, 60s);
  EXPECT_FALSE(only<PauseTrack>(after(60s)).muted);
  ban("ann", true, std::nullopt, 600s);
  stored(only<PersistDismissal>(dismiss()).record.operation);
  cut(ann.room_sid);
  apply(NoticeAcked{ann.sid});
  apply(LeaveWritten{ann.sid});
  closed(ann.room_sid);
  const Person again = enter("ann");
  EXPECT_TRUE(all_of<PauseTrack>(go_live(again, add_track(again, microphone()))).empty());
  after(600s);
}

TEST_F(StreamBansTest, nobody_there_is_success) {
  EXPECT_EQ(only<ActionReply>(ban("ann", true, true)).outcome, ActionOutcome::Done);
  enter("bob");
  EXPECT_EQ(only<ActionReply>(ban("ann", true, true)).outcome, ActionOutcome::Done);
}

TEST_F(StreamBansTest, limited_token_stops_publishing_at_once_and_for_its_time) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  const TrackSid sound = publish(ann, microphone());
  const Effects limited = limit(ann);
  EXPECT_EQ(only<StopTrack>(limited).track, sound);
  EXPECT_EQ(only<SendServerData>(limited).json.substr(0, 13), "{\"code\":-1002");
  EXPECT_TRUE(told(limited, bob).at(0).tracks.empty());
  const PersistBans write = only<PersistBans>(limited);
  EXPECT_EQ(write.put.at(0).target.token, ann.joiner.token_hash);
  EXPECT_EQ(only<ActionReply>(stored(write.operation)).outcome, ActionOutcome::Done);
  EXPECT_EQ(only<RequestAnswer>(apply(AddTrack{ann.sid, microphone()})).outcome,
            RequestOutcome::NotAllowed);
  const Effects over = after(60s);
  EXPECT_TRUE(told(over, ann).at(0).permissions.can_publish);
  EXPECT_EQ(count_of<TrackPublished>(apply(AddTrack{ann.sid, microphone()})), 1u);
}

TEST_F(StreamBansTest, limit_is_the_tokens_and_meets_who_joins_with_it_later) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  stored(only<PersistBans>(limit(ann)).operation);
  const Effects again = apply(Join{new_connection(), ann.joiner});
  EXPECT_FALSE(only<JoinAccepted>(again).self.permissions.can_publish);
  Joiner fresh = ann.joiner;
  fresh.token_hash = token("a fresh one");
  EXPECT_TRUE(
      only<JoinAccepted>(apply(Join{new_connection(), fresh})).self.permissions.can_publish);
}

TEST_F(StreamBansTest, limit_that_was_stored_holds_though_an_earlier_write_of_it_failed) {
  const Person ann = enter("ann");
  const OperationId first = only<PersistBans>(limit(ann)).operation;
  const OperationId second = only<PersistBans>(limit(ann)).operation;
  stored(first, false);
  EXPECT_EQ(only<ActionReply>(stored(second)).outcome, ActionOutcome::Done);
  apply(Leave{ann.sid});
  const Effects again = apply(Join{new_connection(), ann.joiner});
  EXPECT_FALSE(only<JoinAccepted>(again).self.permissions.can_publish);
}

}  // namespace
}  // namespace atrium::domain
