// A backend's messages: whom they reach, under which topic, and that the caller is answered at once.
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class MessagesTest : public RegistryTest {
 protected:
  using Users = std::vector<std::string>;
  static constexpr const char* kAnyRoom = nullptr;

  Effects send(const char* room_name, const std::optional<Users>& users, bool is_binary = false) {
    SendMessage command{.waiter = WaiterId{++waiter_},
                        .app = AppId(kApp),
                        .from = "backend",
                        .is_binary = is_binary,
                        .payload = payload_};
    if (room_name != nullptr) command.room = RoomId(room_name);
    if (users) {
      command.users.emplace();
      for (const std::string& user : *users) command.users->emplace_back(user);
    }
    const Effects effects = apply(command);
    const ActionReply reply = only<ActionReply>(effects);
    EXPECT_EQ(reply.waiter, WaiterId{waiter_});
    EXPECT_EQ(reply.outcome, ActionOutcome::Done);
    return effects;
  }
  // Sorted, as the recipients of an effect are.
  static std::vector<ParticipantSid> sids(std::initializer_list<Person> people) {
    std::vector<ParticipantSid> out;
    for (const Person& person : people) out.push_back(person.sid);
    std::ranges::sort(out);
    return out;
  }
  static std::vector<ParticipantSid> reached(const Effects& effects) {
    std::vector<ParticipantSid> out;
    for (const DeliverMessage& one : all_of<DeliverMessage>(effects))
      out.insert(out.end(), one.recipients.begin(), one.recipients.end());
    std::ranges::sort(out);
    return out;
  }

  const SharedBytes payload_{Bytes{'h', 'i'}};
  uint64_t waiter_ = 100;
};

TEST_F(MessagesTest, a_broadcast_reaches_everybody_in_the_room_and_nobody_else) {
  const Person ann = enter("ann");
  const Person ghost = enter(hidden_joiner("ghost"));
  const Person knocking = knock(joiner("cid"));
  enter(joiner("ann", "room2"));
  const Effects sent = send(kRoom, {});
  EXPECT_EQ(reached(sent), sids({ann, ghost, knocking}));
  const DeliverMessage message = only<DeliverMessage>(sent);
  EXPECT_EQ(message.topic, "atrium.room_message:backend");
  EXPECT_EQ(message.payload.data(), payload_.data()) << "shared, not copied";
  EXPECT_EQ(sent.size(), 2u) << "nothing of it is stored";
}

TEST_F(MessagesTest, a_message_to_a_user_in_a_room_leaves_the_users_other_rooms_alone) {
  enter("ann");
  const Person bob = enter("bob");
  enter(joiner("bob", "room2"));
  const Effects sent = send(kRoom, Users{"bob"});
  EXPECT_EQ(reached(sent), sids({bob}));
  EXPECT_EQ(only<DeliverMessage>(sent).topic, "atrium.user_message:backend");
}

TEST_F(MessagesTest, a_batch_reaches_those_listed_who_are_there_once_each) {
  const Person ann = enter("ann");
  const Person bob = enter("bob");
  enter("cid");
  EXPECT_EQ(reached(send(kRoom, Users{"bob", "ann", "nobody", "bob"})), sids({ann, bob}));
}

TEST_F(MessagesTest, a_message_to_a_user_reaches_every_room_of_the_app) {
  const Person here = enter(joiner("bob", "room1"));
  const Person there = enter(joiner("bob", "room2"));
  enter(joiner("ann", "room2"));
  Joiner elsewhere = joiner("bob");
  elsewhere.app = AppId("app2");
  enter(elsewhere);
  const Effects sent = send(kAnyRoom, Users{"bob"});
  EXPECT_EQ(reached(sent), sids({here, there}));
  EXPECT_EQ(only<DeliverMessage>(sent).topic, "atrium.message:backend");
}

TEST_F(MessagesTest, binary_messages_have_topics_of_their_own) {
  enter("ann");
  EXPECT_EQ(only<DeliverMessage>(send(kRoom, {}, true)).topic, "atrium.room_binary:backend");
  EXPECT_EQ(only<DeliverMessage>(send(kRoom, Users{"ann"}, true)).topic,
            "atrium.user_binary:backend");
  EXPECT_EQ(only<DeliverMessage>(send(kAnyRoom, Users{"ann"}, true)).topic,
            "atrium.binary:backend");
}

TEST_F(MessagesTest, nobody_there_is_success) {
  enter("ann");
  EXPECT_EQ(count_of<DeliverMessage>(send("room9", {})), 0u);
  EXPECT_EQ(count_of<DeliverMessage>(send("room9", Users{"ann"})), 0u);
  EXPECT_EQ(count_of<DeliverMessage>(send(kRoom, Users{"bob"})), 0u);
  EXPECT_EQ(count_of<DeliverMessage>(send(kAnyRoom, Users{"bob"})), 0u);
}

TEST_F(MessagesTest, who_has_left_or_was_displaced_hears_nothing) {
  const Person ann = enter("ann");
  apply(Leave{ann.sid});
  EXPECT_EQ(count_of<DeliverMessage>(send(kAnyRoom, Users{"ann"})), 0u);
  enter("bob");
  const Person again = enter("bob");
  EXPECT_EQ(reached(send(kRoom, {})), sids({again}));
}

TEST_F(MessagesTest, who_is_reconnecting_may_still_hear_it) {
  const Person ann = enter("ann");
  lose_signal(ann);
  EXPECT_EQ(reached(send(kRoom, {})), sids({ann}));
}

TEST_F(MessagesTest, a_fenced_life_hears_nothing_and_a_new_one_of_the_name_does) {
  const Person old = enter("ann");
  dismiss();
  EXPECT_EQ(count_of<DeliverMessage>(send(kRoom, {})), 0u);
  EXPECT_EQ(count_of<DeliverMessage>(send(kAnyRoom, Users{"ann"})), 0u);
  Joiner again = joiner("ann");
  again.token_hash = token("another");
  const Person fresh = enter(again);
  ASSERT_NE(fresh.room_sid, old.room_sid);
  EXPECT_EQ(reached(send(kRoom, {})), sids({fresh}));
  EXPECT_EQ(reached(send(kAnyRoom, Users{"ann"})), sids({fresh}));
}

// --- what the management API asks ---------------------------------------------------------------

TEST_F(MessagesTest, a_user_is_found_in_the_current_life_alone) {
  Joiner who = joiner("ann");
  who.device.kind = DeviceKind::Mac;
  const Person ann = enter(who);
  const auto find = [this](const char* app, const char* room_name, const char* user) {
    return registry_.find_user(AppId(app), RoomId(room_name), UserId(user));
  };
  ASSERT_NE(find(kApp, kRoom, "ann"), nullptr);
  EXPECT_EQ(find(kApp, kRoom, "ann")->sid, ann.sid);
  EXPECT_EQ(find(kApp, kRoom, "ann")->device, DeviceKind::Mac);
  EXPECT_EQ(find(kApp, kRoom, "bob"), nullptr);
  EXPECT_EQ(find(kApp, "room2", "ann"), nullptr);
  EXPECT_EQ(find("app2", kRoom, "ann"), nullptr);
  EXPECT_TRUE(registry_.is_in_any_room(AppId(kApp), UserId("ann")));
  EXPECT_FALSE(registry_.is_in_any_room(AppId("app2"), UserId("ann")));
  dismiss();
  EXPECT_EQ(find(kApp, kRoom, "ann"), nullptr);
  EXPECT_FALSE(registry_.is_in_any_room(AppId(kApp), UserId("ann")));
}

}  // namespace
}  // namespace atrium::domain
