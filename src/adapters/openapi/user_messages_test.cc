// Messages of a backend and the properties of users, through the gateway: which command a body becomes, what is refused
// under which code, and the answers' exact form.
#include <array>
#include <map>

#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

constexpr std::array<std::string_view, 4> kMessageActions{"SendUnicast", "SendRoomUnicast",
                                                          "SendBroadcast", "BatchSendRoomUnicast"};

class MessageActionsTest : public GatewayTest {
 protected:
  // The fields of a good call; a test changes some or takes them away.
  static std::map<std::string, std::string> good(std::string_view action) {
    std::map<std::string, std::string> fields{
        {"AppId", quoted(kOwnApp)},   {"From", quoted("backend")}, {"Binary", "false"},
        {"Message", quoted("hello")}, {"To", quoted("ann")},       {"RoomId", quoted("room-1")}};
    if (action == "SendUnicast") fields.erase("RoomId");
    if (action == "SendBroadcast") fields.erase("To");
    if (action == "BatchSendRoomUnicast") fields["To"] = R"(["ann","bob"])";
    return fields;
  }
  static std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }
  static std::string body(const std::map<std::string, std::string>& fields) {
    std::string out = "{";
    for (const auto& [name, value] : fields)
      out += (out.size() > 1 ? "," : "") + quoted(name) + ":" + value;
    return out + "}";
  }
  static std::string with(std::string_view action, const std::string& name, std::string value) {
    auto fields = good(action);
    fields[name] = std::move(value);
    return body(fields);
  }
  static std::string list_of(size_t users) {
    std::string out;
    for (size_t i = 0; i < users; ++i) out += (i > 0 ? ",\"u" : "\"u") + std::to_string(i) + '"';
    return "[" + out + "]";
  }

  domain::SendMessage command(std::string_view action, const std::string& body_text,
                              std::string_view version = kVersion2020) {
    outcome = send(signed_request("POST", url(action, version), body_text));
    auto* call = std::get_if<DomainCall>(&outcome);
    EXPECT_NE(call, nullptr) << action << " " << body_text.substr(0, 200);
    auto* found = call == nullptr ? nullptr : std::get_if<domain::SendMessage>(&call->command);
    EXPECT_NE(found, nullptr);
    return found == nullptr ? domain::SendMessage{} : *found;
  }
  Response replied() {
    return gateway.on_action_reply(std::get<DomainCall>(outcome).call,
                                   {WaiterId{7}, domain::ActionOutcome::Done, {}});
  }
  std::string refusal(std::string_view action, const std::string& body_text) {
    return code_of(post(action, kVersion2020, body_text));
  }
  static std::string text_of(const domain::SendMessage& message) {
    return std::string(as_text(message.payload));
  }

  Outcome outcome;
};

TEST_F(MessageActionsTest, each_action_means_other_people) {
  const auto unicast = command("SendUnicast", body(good("SendUnicast")));
  EXPECT_EQ(unicast.waiter, WaiterId{7});
  EXPECT_EQ(unicast.app, AppId(kOwnApp));
  EXPECT_EQ(unicast.room, std::nullopt);
  EXPECT_EQ(unicast.users, (std::vector{UserId("ann")}));
  EXPECT_EQ(unicast.from, "backend");
  EXPECT_FALSE(unicast.is_binary);
  EXPECT_EQ(text_of(unicast), "hello");

  const auto in_room = command("SendRoomUnicast", body(good("SendRoomUnicast")));
  EXPECT_EQ(in_room.room, RoomId("room-1"));
  EXPECT_EQ(in_room.users, (std::vector{UserId("ann")}));

  const auto broadcast = command("SendBroadcast", body(good("SendBroadcast")));
  EXPECT_EQ(broadcast.room, RoomId("room-1"));
  EXPECT_EQ(broadcast.users, std::nullopt);

  const auto batch = command("BatchSendRoomUnicast", body(good("BatchSendRoomUnicast")));
  EXPECT_EQ(batch.room, RoomId("room-1"));
  EXPECT_EQ(batch.users, (std::vector{UserId("ann"), UserId("bob")}));
}

TEST_F(MessageActionsTest, both_versions_answer_with_a_capital_letter) {
  for (const std::string_view action : kMessageActions) {
    for (const std::string_view version : {kVersion2020, kVersion2023July}) {
      command(action, body(good(action)), version);
      EXPECT_EQ(result_of(replied()), R"({"Message":"success"})") << action << version;
    }
    EXPECT_EQ(code_of(post(action, kVersion2023, body(good(action)))), "InvalidActionOrVersion");
  }
  command("SendUnicast", body(good("SendUnicast")));
  expect_golden("send_unicast_2020", replied());
  command("SendRoomUnicast", body(good("SendRoomUnicast")));
  expect_golden("send_room_unicast_2020", replied());
  command("SendBroadcast", body(good("SendBroadcast")), kVersion2023July);
  expect_golden("send_broadcast_2023", replied());
  command("BatchSendRoomUnicast", body(good("BatchSendRoomUnicast")), kVersion2023July);
  expect_golden("batch_send_room_unicast_2023", replied());
}

TEST_F(MessageActionsTest, every_field_is_required) {
  for (const std::string_view action : kMessageActions)
    for (const auto& [name, value] : good(action)) {
      auto fields = good(action);
      fields.erase(name);
      EXPECT_EQ(refusal(action, body(fields)), "InvalidParameter") << action << " without " << name;
    }
}

TEST_F(MessageActionsTest, the_sender_is_a_name_that_ends_a_topic_and_nobody_in_the_room) {
  join("room-1", "ann");
  join("room-1", "ghost", true);
  join("room-2", "bob");
  for (const std::string_view action : kMessageActions) {
    for (const std::string& bad : {std::string(), std::string("a:b"), std::string("a b"),
                                   std::string("\u00e9"), std::string(129, 'a')})
      EXPECT_EQ(refusal(action, with(action, "From", quoted(bad))), "InvalidParameter.IllegalFrom")
          << action << " " << bad;
    EXPECT_EQ(command(action, with(action, "From", quoted("a-Z_0@x." + std::string(120, 'a'))))
                  .from.size(),
              128u);
    EXPECT_EQ(refusal(action, with(action, "From", quoted("ann"))), "InvalidParameter.IllegalFrom");
    EXPECT_EQ(refusal(action, with(action, "From", quoted("ghost"))),
              "InvalidParameter.IllegalFrom");
  }
  // Who is in another room may lend a name to this one, not to a message for any room.
  command("SendBroadcast", with("SendBroadcast", "From", quoted("bob")));
  command("SendRoomUnicast", with("SendRoomUnicast", "From", quoted("bob")));
  EXPECT_EQ(refusal("SendUnicast", with("SendUnicast", "From", quoted("bob"))),
            "InvalidParameter.IllegalFrom");
}

TEST_F(MessageActionsTest, the_sender_is_a_plain_name_also_where_ids_may_be_anything) {
  auto fields = good("SendRoomUnicast");
  fields["AppId"] = quoted(kWideApp);
  fields["To"] = quoted("\u00e4nn with a space");
  EXPECT_EQ(command("SendRoomUnicast", body(fields)).users->at(0).value, "\u00e4nn with a space");
  fields["From"] = quoted("a:b");
  EXPECT_EQ(refusal("SendRoomUnicast", body(fields)), "InvalidParameter.IllegalFrom");
}

TEST_F(MessageActionsTest, addressees_and_rooms_have_legal_ids) {
  for (const char* action : {"SendUnicast", "SendRoomUnicast"})
    for (const char* bad : {R"("")", R"("a b")"})
      EXPECT_EQ(refusal(action, with(action, "To", bad)), "InvalidParameter.IllegalTo") << bad;
  for (const char* bad : {"[]", R"(["ann",""])", R"(["a b"])"})
    EXPECT_EQ(refusal("BatchSendRoomUnicast", with("BatchSendRoomUnicast", "To", bad)),
              "InvalidParameter.IllegalTo")
        << bad;
  for (const char* bad : {R"("ann")", R"([1])", R"(["ann",null])", "{}"})
    EXPECT_EQ(refusal("BatchSendRoomUnicast", with("BatchSendRoomUnicast", "To", bad)),
              "InvalidParameter")
        << bad;
  EXPECT_EQ(refusal("SendUnicast", with("SendUnicast", "To", R"(["ann"])")), "InvalidParameter");
  for (const char* action : {"SendRoomUnicast", "SendBroadcast", "BatchSendRoomUnicast"})
    EXPECT_EQ(refusal(action, with(action, "RoomId", R"("a b")")),
              "InvalidParameter.IllegalRoomID");
}

TEST_F(MessageActionsTest, a_batch_names_at_most_600_users) {
  constexpr char kBatch[] = "BatchSendRoomUnicast";
  EXPECT_EQ(command(kBatch, with(kBatch, "To", list_of(600))).users->size(), 600u);
  EXPECT_EQ(refusal(kBatch, with(kBatch, "To", list_of(601))),
            "InvalidParameter.UserCountOverLimit");
}

TEST_F(MessageActionsTest, a_message_is_measured_as_what_is_delivered) {
  for (const std::string_view action : kMessageActions) {
    const size_t most = action == "BatchSendRoomUnicast" ? 20'480 : 65'536;
    const auto text = [&](const std::string& message) {
      return with(action, "Message", quoted(message));
    };
    EXPECT_EQ(command(action, text(std::string(most, 'a'))).payload.size(), most);
    EXPECT_EQ(refusal(action, text(std::string(most + 1, 'a'))), "InvalidParameter.SizeOverLimit");
    std::string two_bytes_each;
    for (size_t i = 0; i < most / 2; ++i) two_bytes_each += "\u00e9";
    EXPECT_EQ(command(action, text(two_bytes_each)).payload.size(), most);
    EXPECT_EQ(refusal(action, text(two_bytes_each + "a")), "InvalidParameter.SizeOverLimit");

    auto fields = good(action);
    fields["Binary"] = "true";
    const auto binary = [&](size_t size) {
      fields["Message"] = quoted(base64(Bytes(size, 0xff)));
      return body(fields);
    };
    const auto sent = command(action, binary(most));
    EXPECT_TRUE(sent.is_binary);
    EXPECT_EQ(sent.payload.size(), most);
    EXPECT_EQ(sent.payload.view()[0], 0xff);
    EXPECT_EQ(refusal(action, binary(most + 1)), "InvalidParameter.SizeOverLimit");
    fields["Message"] = quoted("not base64!");
    EXPECT_EQ(refusal(action, body(fields)), "InvalidParameter");
    EXPECT_EQ(refusal(action, with(action, "Binary", quoted("true"))), "InvalidParameter");
  }
}

TEST_F(MessageActionsTest, the_four_share_one_quota_of_the_account) {
  for (int i = 0; i < 500; ++i) {
    const std::string_view action = kMessageActions[static_cast<size_t>(i) % 4];
    command(action, body(good(action)), i % 8 < 4 ? kVersion2020 : kVersion2023July);
  }
  for (const std::string_view action : kMessageActions)
    EXPECT_EQ(refusal(action, body(good(action))), "FlowLimitExceeded.QPSOverLimit") << action;
  EXPECT_TRUE(std::holds_alternative<DomainCall>(
      send(signed_request("POST", url("DismissRoom", kVersion2020), own_body()))))
      << "a quota of its own";
  now.mono += 10ms;
  command("SendBroadcast", body(good("SendBroadcast")));
}

TEST_F(MessageActionsTest, a_key_that_may_only_read_sends_nothing) {
  for (const std::string_view action : kMessageActions)
    EXPECT_EQ(code_of(ask(signed_request("POST", url(action, kVersion2020), body(good(action)),
                                         {"AKLTreader", "secret-2"}))),
              "AccessDenied");
}

// --- GetRoomUsersProperty -----------------------------------------------------------------------

class UsersPropertyTest : public GatewayTest {
 protected:
  void join_with(const char* user, domain::DeviceKind device, bool hidden = false) {
    domain::Join command{.connection = ConnectionId{++connections}, .joiner = {}};
    command.joiner.app = AppId(kOwnApp);
    command.joiner.room = RoomId("room-1");
    command.joiner.user = UserId(user);
    command.joiner.permissions.hidden = hidden;
    command.joiner.device.kind = device;
    registry.apply(std::move(command), now);
  }
  Response property(const std::string& users, const char* room = "room-1") {
    const std::string more = "&AppId=" + std::string(kOwnApp) + "&RoomId=" + room + users;
    return ask(signed_request("GET", url("GetRoomUsersProperty", kVersion2023, more), "",
                              {"AKLTreader", "secret-2"}));
  }
  static std::string users(size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) out += "&UserIds=u" + std::to_string(i);
    return out;
  }
};

TEST_F(UsersPropertyTest, says_who_is_there_as_what_since_when_and_with_what) {
  join_with("ann", domain::DeviceKind::Web);
  now.wall += 5s;
  join_with("ghost", domain::DeviceKind::Android, true);
  join_with("bob", domain::DeviceKind::Unknown);
  expect_golden("get_room_users_property",
                property("&UserIds=bob&UserIds=ann&UserIds=nobody&UserIds=ghost"));
}

TEST_F(UsersPropertyTest, in_a_room_that_is_not_there_everybody_is_absent) {
  join_with("ann", domain::DeviceKind::Web);
  EXPECT_EQ(result_of(property("&UserIds=ann", "room-2")),
            R"({"UserList":[{"Status":0,"UserID":"ann"}]})");
}

TEST_F(UsersPropertyTest, takes_one_to_ten_legal_ids) {
  EXPECT_EQ(property(users(10)).status, 200);
  EXPECT_EQ(code_of(property(users(11))), "InvalidParameter.UserCountOverLimit");
  EXPECT_EQ(code_of(property("")), "InvalidParameter");
  EXPECT_EQ(code_of(property("&UserIds=")), "InvalidParameter");
  EXPECT_EQ(code_of(property("&UserIds=a%20b")), "InvalidParameter");
  EXPECT_EQ(code_of(property(users(1), "a%20b")), "InvalidParameter.IllegalRoomID");
}

TEST_F(UsersPropertyTest, has_a_quota_for_each_app) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(property(users(1)).status, 200);
  EXPECT_EQ(code_of(property(users(1))), "FlowLimitExceeded.QPSOverLimit");
  const std::string other = "&AppId=" + std::string(kWideApp) + "&RoomId=room-1&UserIds=somebody";
  EXPECT_EQ(ask(signed_request("GET", url("GetRoomUsersProperty", kVersion2023, other), "")).status,
            200);
}

}  // namespace
}  // namespace atrium::openapi
