// Management messages through the control plane: which transports are given which bytes.
#include <map>

#include "base/limits.h"
#include "node/control_fixture.h"
#include "wire/data_packet.h"

namespace atrium::node::testing {
namespace {

class MessagesTest : public ControlTest {
 protected:
  // A session with a transport; it hears what is sent to `user`@`room`.
  void enter(const std::string& user, const std::string& room,
             const std::string& max_message_size = "262144") {
    upgrade(jwt(user, room), join_request_with_offer(max_message_size));
    const auto open = take_commands<media::OpenTransport>(commands);
    ASSERT_EQ(open.size(), 1u);
    names[open[0].transport] = user + "@" + room;
    lives[room] = open[0].life;
  }
  std::string send(const std::string& action, const std::string& more) {
    last = api(action, "2020-12-01",
               std::string(R"({"AppId":")") + kApp + R"(","From":"backend")" + more + "}");
    return body_of(last);
  }
  static std::string message(const std::string& text) {
    return R"(,"Binary":false,"Message":")" + text + "\"";
  }
  // What the shard was given since the last call, as "ann@room-1 topic text".
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    for (const media::SendReliable& one : take_commands<media::SendReliable>(commands)) {
      const auto packet = wire::parse_data_packet(one.data_packet);
      EXPECT_TRUE(packet.has_value() && packet->kind == wire::DataKind::Reliable);
      EXPECT_TRUE(one.ends_with_cut);
      const std::string text(as_text(packet->payload).substr(0, 20));
      out.push_back(names[one.transport] + " " + std::string(packet->topic) + " " + text);
    }
    std::ranges::sort(out);
    return out;
  }
  using Lines = std::vector<std::string>;

  std::map<TransportId, std::string> names;
  std::map<std::string, LifeId> lives;
  ConnectionId last;
};

constexpr char kSuccess[] = R"("Result":{"Message":"success"})";

TEST_F(MessagesTest, each_action_reaches_those_it_means_and_is_answered_at_once) {
  enter("ann", "room-1");
  enter("bob", "room-1");
  enter("bob", "room-2");
  const std::string room = R"(,"RoomId":"room-1")";
  EXPECT_NE(send("SendBroadcast", room + message("hello")).find(kSuccess), std::string::npos);
  EXPECT_EQ(heard(), (Lines{"ann@room-1 atrium.room_message:backend hello",
                            "bob@room-1 atrium.room_message:backend hello"}));
  EXPECT_NE(send("SendRoomUnicast", room + R"(,"To":"bob")" + message("you")).find(kSuccess),
            std::string::npos);
  EXPECT_EQ(heard(), (Lines{"bob@room-1 atrium.user_message:backend you"}));
  EXPECT_NE(send("SendUnicast", R"(,"To":"bob")" + message("anywhere")).find(kSuccess),
            std::string::npos);
  EXPECT_EQ(heard(), (Lines{"bob@room-1 atrium.message:backend anywhere",
                            "bob@room-2 atrium.message:backend anywhere"}));
  EXPECT_NE(send("BatchSendRoomUnicast",
                 room + R"(,"To":["ann","nobody"],"Binary":true,"Message":"AAH/")")
                .find(kSuccess),
            std::string::npos);
  EXPECT_EQ(heard(), (Lines{std::string("ann@room-1 atrium.user_binary:backend ") +
                            std::string("\x00\x01\xff", 3)}));
  EXPECT_NE(send("SendUnicast", R"(,"To":"nobody")" + message("?")).find(kSuccess),
            std::string::npos);
  EXPECT_EQ(heard(), Lines{});
}

TEST_F(MessagesTest, the_bytes_are_encoded_once_and_name_no_sender) {
  enter("ann", "room-1");
  enter("bob", "room-1");
  const std::string text(static_cast<size_t>(limits::kMessageRoomBytesMax), 'x');
  send("SendBroadcast", R"(,"RoomId":"room-1")" + message(text));
  const auto sent = take_commands<media::SendReliable>(commands);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].data_packet.data(), sent[1].data_packet.data());
  const Bytes wanted = wire::build_user_packet(wire::DataKind::Reliable,
                                               "atrium.room_message:backend", as_bytes(text));
  EXPECT_TRUE(std::ranges::equal(sent[0].data_packet.view(), wanted));
}

TEST_F(MessagesTest, who_takes_only_shorter_messages_gets_none_and_is_counted) {
  enter("ann", "room-1");
  enter("old", "room-1", "65536");
  const std::string longest(static_cast<size_t>(limits::kMessageRoomBytesMax), 'x');
  EXPECT_NE(send("SendBroadcast", R"(,"RoomId":"room-1")" + message(longest)).find(kSuccess),
            std::string::npos);
  EXPECT_EQ(heard().size(), 1u);
  send("SendBroadcast", R"(,"RoomId":"room-1")" + message("short"));
  EXPECT_EQ(heard().size(), 2u);
  auto& page = get("/metrics", Listener::Operator);
  reports.values.push_back(ShardSnapshot{});
  control->on_wake(now);
  ASSERT_EQ(page.responses.size(), 1u);
  EXPECT_NE(page.responses[0].body.find(
                R"(atrium_api_messages_dropped_total{reason="longer_than_client_takes"} 1)"),
            std::string::npos);
}

TEST_F(MessagesTest, a_room_that_is_being_dismissed_hears_nothing) {
  enter("ann", "room-1");
  dismiss("room-1");
  EXPECT_NE(send("SendBroadcast", R"(,"RoomId":"room-1")" + message("late")).find(kSuccess),
            std::string::npos);
  send("SendUnicast", R"(,"To":"ann")" + message("late"));
  EXPECT_EQ(heard(), Lines{});
}

TEST_F(MessagesTest, a_user_of_the_room_lends_no_name_to_a_message) {
  enter("backend", "room-1");
  EXPECT_NE(send("SendBroadcast", R"(,"RoomId":"room-1")" + message("x")).find("IllegalFrom"),
            std::string::npos);
  EXPECT_EQ(heard(), Lines{});
}

TEST_F(MessagesTest, properties_are_those_of_the_session) {
  enter("ann", "room-1");
  openapi::Request request{"GET",
                           std::string("/?Action=GetRoomUsersProperty&Version=2023-11-01&AppId=") +
                               kApp + "&RoomId=room-1&UserIds=ann&UserIds=bob",
                           {{"Host", "atrium"}},
                           "",
                           {}};
  openapi::sign_request(request, {"AKLTtest", "secret-key"}, now.wall);
  const ConnectionId id = connection();
  control->on_request(id, {Listener::Public, "GET", request.target, request.headers, "", {}, false},
                      now);
  EXPECT_NE(body_of(id).find(R"({"Status":1,"UserID":"ann","Role":1,"LoginTime":1795386900000,)"
                             R"("PlatformType":1},{"Status":0,"UserID":"bob"})"),
            std::string::npos)
      << body_of(id);
}

}  // namespace
}  // namespace atrium::node::testing
