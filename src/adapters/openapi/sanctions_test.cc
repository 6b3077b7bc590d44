// Kicks and bans through the gateway: which command a body becomes, and the answers' exact form.
#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

class SanctionActionsTest : public GatewayTest {
 protected:
  static std::string body(std::string_view fields) {
    return R"({"AppId":")" + std::string(kOwnApp) + "\"" + std::string(fields) + "}";
  }
  // The command that a call becomes; a call that is answered at once fails the test.
  template <typename T>
  T command(std::string_view action, std::string_view version, std::string_view fields) {
    outcome = send(signed_request("POST", url(action, version), body(fields)));
    auto* call = std::get_if<DomainCall>(&outcome);
    EXPECT_NE(call, nullptr) << fields;
    auto* found = call == nullptr ? nullptr : std::get_if<T>(&call->command);
    EXPECT_NE(found, nullptr);
    return found == nullptr ? T{} : *found;
  }
  Response replied(domain::ActionOutcome result) {
    return gateway.on_action_reply(std::get<DomainCall>(outcome).call,
                                   {WaiterId{7}, result, OperationId(kOperation)});
  }
  std::string refusal(std::string_view action, std::string_view version, std::string_view fields) {
    return code_of(post(action, version, body(fields)));
  }

  Outcome outcome;
};

TEST_F(SanctionActionsTest, kick_user_names_one_seat) {
  const auto kick = command<domain::RemoveUser>(
      "KickUser", kVersion2020, R"(,"RoomId":"room-1","UserId":"bob","Reason":"rude")");
  EXPECT_EQ(kick.app, AppId(kOwnApp));
  EXPECT_EQ(kick.room, RoomId("room-1"));
  EXPECT_EQ(kick.user, UserId("bob"));
  EXPECT_EQ(kick.origin.operator_id, "AKLTmanager");
  EXPECT_EQ(kick.origin.reason, "rude");
  EXPECT_EQ(kick.waiter, WaiterId{7});
  expect_golden("kick_user_2020", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(refusal("KickUser", kVersion2020, R"(,"RoomId":"room-1")"), "InvalidParameter");
  EXPECT_EQ(refusal("KickUser", kVersion2020, R"(,"RoomId":"a b","UserId":"bob")"),
            "InvalidParameter.IllegalRoomID");
  EXPECT_EQ(refusal("KickUser", kVersion2020, R"(,"RoomId":"room-1","UserId":"")"),
            "InvalidParameter");
  EXPECT_EQ(refusal("KickUser", kVersion2023, R"(,"RoomId":"room-1","UserId":"bob")"),
            "InvalidActionOrVersion");
}

TEST_F(SanctionActionsTest, ban_names_a_room_a_seat_a_user_or_a_range) {
  const auto target = [this](std::string_view fields) {
    return command<domain::BanUsers>("BanRoomUser", kVersion2023, fields).target;
  };
  EXPECT_EQ(target(R"(,"RoomId":"r")"),
            (domain::BanTarget{.room = RoomId("r"), .user = {}, .ip = {}}));
  EXPECT_EQ(target(R"(,"RoomId":"r","UserId":"u")"),
            (domain::BanTarget{.room = RoomId("r"), .user = UserId("u"), .ip = {}}));
  EXPECT_EQ(target(R"(,"RoomId":"","UserId":"u","IP":"")"),
            (domain::BanTarget{.room = {}, .user = UserId("u"), .ip = {}}));
  EXPECT_EQ(target(R"(,"ip":"192.0.2.9/24")"),
            (domain::BanTarget{.room = {}, .user = {}, .ip = IpPrefix::parse("192.0.2.0/24")}));
  for (const char* wrong :
       {"", R"(,"RoomId":"")", R"(,"IP":"everybody")", R"(,"IP":"192.0.2.1","RoomId":"r")",
        R"(,"UserId":"u","ForbiddenInterval":-1)", R"(,"UserId":"u","ForbiddenInterval":1.5)",
        R"(,"UserId":"u","ForbiddenInterval":"60")"})
    EXPECT_EQ(refusal("BanRoomUser", kVersion2023, wrong), "InvalidParameter") << wrong;
  // The older version knows no IP: ignored as any unknown field, and then nobody is named.
  EXPECT_EQ(refusal("BanRoomUser", kVersion2020, R"(,"IP":"192.0.2.1")"), "InvalidParameter");
}

TEST_F(SanctionActionsTest, interval_is_clamped_as_the_vendor_does) {
  const auto seconds = [this](std::string_view field) {
    return command<domain::BanUsers>("BanRoomUser", kVersion2020,
                                     R"(,"UserId":"u")" + std::string(field))
               .interval /
           1s;
  };
  EXPECT_EQ(seconds(""), 0);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":0)"), 0);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":3)"), 10);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":60)"), 60);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":9000000)"), 604'800);
  GatewayOptions overseas = make_options();
  overseas.bans = {limits::kBanSecondsMinByteplus, limits::kBanSecondsMaxByteplus};
  gateway = make_gateway(std::move(overseas), secrets);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":3)"), 60);
  EXPECT_EQ(seconds(R"(,"ForbiddenInterval":9000000)"), 259'200);
}

TEST_F(SanctionActionsTest, ban_answers_in_the_words_of_its_version_and_says_when_it_is_a_repeat) {
  const char* kSeat = R"(,"RoomId":"r","UserId":"u","ForbiddenInterval":60)";
  command<domain::BanUsers>("BanRoomUser", kVersion2020, kSeat);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"message":"success"})");
  const auto ban = command<domain::BanUsers>("BanRoomUser", kVersion2023, kSeat);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"Message":"success"})");
  registry.apply(ban, now);
  command<domain::BanUsers>("BanRoomUser", kVersion2023, kSeat);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)),
            R"({"Message":"User has been banned"})");
  const char* kRoom = R"(,"RoomId":"r","ForbiddenInterval":60)";
  registry.apply(command<domain::BanUsers>("BanRoomUser", kVersion2023, kRoom), now);
  command<domain::BanUsers>("BanRoomUser", kVersion2023, kRoom);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)),
            R"({"Message":"Room has been banned"})");
  EXPECT_EQ(result_of(gateway.on_dismiss_reply(
                std::get<DomainCall>(outcome).call,
                {.waiter = WaiterId{7}, .outcome = domain::DismissOutcome::Done, .record = {}})),
            R"({"Message":"Room has been banned"})");
}

TEST_F(SanctionActionsTest, what_could_not_be_done_is_an_error_that_says_so) {
  command<domain::BanUsers>("BanRoomUser", kVersion2023, R"(,"UserId":"u","ForbiddenInterval":60)");
  for (const auto failed :
       {domain::ActionOutcome::RecordFailed, domain::ActionOutcome::Unfinished}) {
    const Response response = replied(failed);
    EXPECT_EQ(response.status, 500);
    EXPECT_NE(message_of(response).find(kOperation), std::string::npos);
  }
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::TooManyBans)), "InvalidParameter.SizeOverLimit");
}

TEST_F(SanctionActionsTest, rule_is_updated_or_lifted) {
  const auto update = command<domain::UpdateBan>("UpdateBanRoomUserRule", kVersion2020,
                                                 R"(,"UserId":"u","ForbiddenInterval":60)");
  EXPECT_EQ(update.interval, 60s);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"message":"success"})");
  const auto lift = command<domain::UpdateBan>("UpdateBanRoomUserRule", kVersion2023,
                                               R"(,"RoomId":"r","UserId":"u")");
  EXPECT_EQ(lift.interval, 0s);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::NotThere)), R"({"Message":"success"})");
}

TEST_F(SanctionActionsTest, rules_are_listed_page_by_page_and_deleted_by_id) {
  outcome = send(signed_request("POST", url("ListBans", kVersionOwn), body(R"(,"Limit":1)")));
  const auto& call = std::get<StoreCall>(outcome);
  const auto& question = std::get<ListBanRules>(call.question);
  EXPECT_EQ(question.limit, 2u);
  const std::vector<domain::BanRule> rules{
      {.id = BanId("BN_aaaaaaaaaaaaaaaaa"),
       .app = AppId(kOwnApp),
       .target = {.room = RoomId("r"), .user = UserId("u"), .ip = {}},
       .operator_id = "AKLTmanager",
       .reason = "rude",
       .created_at = kNow.wall,
       .expires_at = kNow.wall + 60s},
      {.id = BanId("BN_bbbbbbbbbbbbbbbbb"),
       .app = AppId(kOwnApp),
       .target = {.room = {}, .user = {}, .ip = IpPrefix::parse("192.0.2.0/24")},
       .operator_id = {},
       .reason = {},
       .created_at = kNow.wall,
       .expires_at = kNow.wall}};
  const Response page = gateway.on_ban_rules(call.call, true, rules);
  expect_golden("list_bans", page);
  EXPECT_EQ(code_of(gateway.on_ban_rules(call.call, false, {})), "InternalError");
  const std::string cursor = text_at(body_of(page), {"Result", "NextCursor"});
  outcome = send(
      signed_request("POST", url("ListBans", kVersionOwn), body(R"(,"Cursor":")" + cursor + "\"")));
  EXPECT_EQ(std::get<ListBanRules>(std::get<StoreCall>(outcome).question).after,
            BanId("BN_aaaaaaaaaaaaaaaaa"));

  const auto lift =
      command<domain::LiftBan>("DeleteBan", kVersionOwn, R"(,"BanId":"BN_abcdefghijklmnopq")");
  EXPECT_EQ(lift.ban, BanId("BN_abcdefghijklmnopq"));
  expect_golden("delete_ban", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::NotThere)),
            R"({"Message":"success","Existed":false})");
  EXPECT_EQ(refusal("DeleteBan", kVersionOwn, R"(,"BanId":"1")"), "InvalidParameter");
}

TEST_F(SanctionActionsTest, rules_say_whom_they_name) {
  outcome = send(signed_request("POST", url("ListBans", kVersionOwn), body("")));
  const domain::BanRule address{
      .id = BanId("BN_bbbbbbbbbbbbbbbbb"),
      .app = AppId(kOwnApp),
      .target = {.room = {}, .user = {}, .ip = IpPrefix::parse("192.0.2.0/24")},
      .operator_id = "AKLTmanager",
      .reason = {},
      .created_at = kNow.wall,
      .expires_at = kNow.wall + 60s};
  domain::BanRule token = address;
  token.target = {.room = RoomId("r"), .user = UserId("u"), .ip = {}};
  token.target.token = sha256(as_bytes("a token"));
  const std::vector<domain::BanRule> rules{address, token};
  expect_golden("list_bans_kinds",
                gateway.on_ban_rules(std::get<StoreCall>(outcome).call, true, rules));
}

TEST_F(SanctionActionsTest, dismissal_takes_a_window) {
  const auto dismiss = command<domain::DismissRoom>("DismissRoom", kVersion2020,
                                                    R"(,"RoomId":"room-1","ForbiddenInterval":3)");
  EXPECT_EQ(dismiss.forbidden, 10s);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"message":"success"})");
}

TEST_F(SanctionActionsTest, streams_are_banned_and_given_back_kind_by_kind) {
  const auto set = [this](std::string_view action, std::string_view version,
                          std::string_view fields) {
    return command<domain::SetStreamBan>(
        action, version, R"(,"RoomId":"r","UserId":"u","Token":"t")" + std::string(fields));
  };
  auto ban = set("BanUserStream", kVersion2020, R"(,"Video":true,"Audio":false)");
  EXPECT_EQ(ban.video, true);
  EXPECT_EQ(ban.audio, std::nullopt);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"message":"success"})");
  ban = set("BanUserStream", kVersion2023, R"(,"Audio":true,"ForbiddenInterval":5)");
  EXPECT_EQ(ban.interval, 60s);
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"Message":"success"})");
  ban = set("UnbanUserStream", kVersion2023, R"(,"Audio":true)");
  EXPECT_EQ(ban.audio, false);
  EXPECT_EQ(ban.video, std::nullopt);
  set("UnbanUserStream", kVersion2020, "");
  EXPECT_EQ(refusal("BanUserStream", kVersion2020, R"(,"RoomId":"r","UserId":"u")"),
            "InvalidParameter")
      << "2020-12-01 wants a Token";
}

TEST_F(SanctionActionsTest, token_is_limited_and_the_end_is_told) {
  const auto limit = command<domain::LimitToken>(
      "LimitTokenPrivilege", kVersion2023,
      R"(,"RoomId":"r","UserId":"u","Token":"t","ForbiddenInterval":70)");
  EXPECT_EQ(limit.interval, 70s);
  EXPECT_EQ(limit.token_hash, sha256(as_bytes("t")));
  expect_golden("limit_token_privilege", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(
      refusal("LimitTokenPrivilege", kVersion2023, R"(,"RoomId":"r","UserId":"u","Token":"t")"),
      "InvalidParameter");
}

TEST_F(SanctionActionsTest, key_that_may_only_read_lists_and_changes_nothing) {
  const SigningKey reader{"AKLTreader", "secret-2"};
  for (const char* action : {"KickUser", "BanRoomUser", "UpdateBanRoomUserRule"})
    EXPECT_EQ(code_of(ask(signed_request("POST", url(action, kVersion2020),
                                         body(R"(,"RoomId":"r","UserId":"u")"), reader))),
              "AccessDenied")
        << action;
  const Outcome listed =
      send(signed_request("POST", url("ListBans", kVersionOwn), body(""), reader));
  EXPECT_TRUE(std::holds_alternative<StoreCall>(listed));
}

}  // namespace
}  // namespace atrium::openapi
