// Calls with an Idempotency-Key through the control plane: what a repetition does to a room, which is nothing.
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

class KeysTest : public ControlTest {
 protected:
  ConnectionId dismiss_with_key(const std::string& room, const std::string& key) {
    openapi::Request call{"POST",
                          "/?Action=DismissRoom&Version=2020-12-01",
                          {{"Host", "atrium"}, {"Idempotency-Key", key}},
                          std::string(R"({"AppId":")") + kApp + R"(","RoomId":")" + room + "\"}",
                          {}};
    openapi::sign_request(call, {"AKLTtest", "secret-key"}, now.wall);
    const ConnectionId id = connection();
    control->on_request(
        id, {Listener::Public, "POST", call.target, call.headers, call.body, {}, false}, now);
    return id;
  }
  // Of the writes that wait for the store the one that holds the call's key; null: none does.
  const store::WriteRequest* write_with_key() {
    for (const StoreRequest& request : to_store.values)
      if (const auto* write = std::get_if<store::WriteRequest>(&request))
        if (!write->calls.empty()) return write;
    return nullptr;
  }
  // Also what the fixture's store passes over.
  void store_what_waits() {
    for (const StoreRequest& request : to_store.values)
      if (const auto* write = std::get_if<store::WriteRequest>(&request))
        if (const auto* put = std::get_if<store::PutSchedules>(&write->what))
          from_store.values.push_back(RecordWritten{put->operation, true});
    write_store(true);
  }
  // What the shard, the store and `user`'s socket have to say until the dismissal is answered.
  void finish_dismissal(ConnectionId user) {
    const auto cut = take_commands<media::CutLife>(urgent);
    ASSERT_EQ(cut.size(), 1u);
    write_store(true);
    report(media::LifeCut{.life = cut[0].life, .at = now.mono, .wall_at = now.wall});
    control->on_websocket_closed_out(user, true, now);
    report(media::LifeClosed{.life = cut[0].life, .transports_closed = 0, .packets_after_cut = 0});
    write_store(true);
  }
};

TEST_F(KeysTest, repeated_dismissal_leaves_the_next_life_of_the_name_alone) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId first = dismiss_with_key("room-1", "lesson-7");
  finish_dismissal(alice);
  ASSERT_NE(body_of(first).find(R"("message":"success")"), std::string::npos) << body_of(first);

  const ConnectionId bob = upgrade(jwt("bob", "room-1"));
  const ConnectionId again = dismiss_with_key("room-1", "lesson-7");
  EXPECT_TRUE(take_commands<media::CutLife>(urgent).empty());
  EXPECT_EQ(http.seen[bob].close_code, std::nullopt);
  EXPECT_EQ(control->registry().counts().dismissing, 0u);
  EXPECT_NE(body_of(again).find(R"("message":"success")"), std::string::npos) << body_of(again);
}

TEST_F(KeysTest, another_key_dismisses_the_next_life_of_the_name) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  dismiss_with_key("room-1", "lesson-7");
  finish_dismissal(alice);
  upgrade(jwt("bob", "room-1"));
  dismiss_with_key("room-1", "lesson-8");
  EXPECT_EQ(take_commands<media::CutLife>(urgent).size(), 1u);
}

// Its row is dropped by a write of its own, before the dismissal's.
TEST_F(KeysTest, key_goes_with_the_dismissal_also_where_the_life_had_a_schedule) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId scheduler =
      api("ScheduleDismissal", "2026-12-01",
          std::string(R"({"AppId":")") + kApp + R"(","RoomId":"room-1","AfterSeconds":60})");
  store_what_waits();
  ASSERT_NE(body_of(scheduler).find("ScheduleId"), std::string::npos) << body_of(scheduler);
  dismiss_with_key("room-1", "lesson-7");
  const store::WriteRequest* write = write_with_key();
  ASSERT_NE(write, nullptr);
  const auto* dismissal = std::get_if<store::PutDismissal>(&write->what);
  ASSERT_NE(dismissal, nullptr) << "written without what it stands for";
  EXPECT_EQ(write->calls[0].operation, dismissal->record.operation);
  ASSERT_EQ(write->audit.size(), 1u);
  EXPECT_EQ(write->audit[0].operation, dismissal->record.operation);
}

TEST_F(KeysTest, dismissal_of_a_life_that_is_not_current_is_no_failure) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId caller =
      api("DismissRoom", "2026-12-01",
          std::string(R"({"AppId":")") + kApp +
              R"(","RoomId":"room-1","IfRoomSessionId":"RM_abcdefghijklmnopq"})");
  EXPECT_NE(body_of(caller).find("not_current"), std::string::npos) << body_of(caller);
  auto& page = get("/metrics", Listener::Operator);
  reports.values.push_back(ShardSnapshot{});
  control->on_wake(now);
  ASSERT_EQ(page.responses.size(), 1u);
  const std::string& text = page.responses[0].body;
  EXPECT_NE(text.find(R"(atrium_dismissals_total{outcome="not_current"} 1)"), text.npos);
  EXPECT_NE(text.find(R"(atrium_dismissals_total{outcome="failed"} 0)"), text.npos);
}

}  // namespace
}  // namespace atrium::node::testing
