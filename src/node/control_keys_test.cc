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

}  // namespace
}  // namespace atrium::node::testing
