// The actions about applications, and what a key's scopes open.
#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

class AppActionsTest : public GatewayTest {
 protected:
  // Sends a call that changes applications, lets the registry and a willing store decide, yields the answer.
  Response change(std::string_view action, std::string_view version, std::string body,
                  bool is_stored = true) {
    Outcome outcome = send(signed_request("POST", url(action, version), std::move(body)));
    if (auto* refused = std::get_if<Response>(&outcome)) return *refused;
    auto& call = std::get<DomainCall>(outcome);
    domain::Effects effects = registry.apply(std::move(call.command), now);
    for (const domain::Effect& effect : effects)
      if (const auto* write = std::get_if<domain::PersistApp>(&effect))
        effects = registry.apply(domain::RecordStored{write->operation, is_stored}, now);
    for (const domain::Effect& effect : effects)
      if (const auto* reply = std::get_if<domain::ActionReply>(&effect))
        return gateway.on_action_reply(call.call, *reply);
    ADD_FAILURE() << "nobody answers";
    return {};
  }
  static std::string own_app() { return R"({"AppId":")" + std::string(kOwnApp) + "\"}"; }
  static std::string named(const std::string& name) { return R"({"AppName":")" + name + "\"}"; }
  static std::string status(int value) {
    return R"({"AppId":")" + std::string(kOwnApp) + R"(","Status":)" + std::to_string(value) + "}";
  }
};

TEST_F(AppActionsTest, create_app_answers_in_the_words_of_the_vendor) {
  expect_golden("create_app_2020", change("CreateApp", "2020-12-01", named("lessons_1")));
  const Json created = body_of(change("CreateApp", "2023-11-01", named("\u8bfe\u5802")));
  EXPECT_EQ(text_at(created, {"Result", "Name"}), "\u8bfe\u5802");
  EXPECT_EQ(text_at(created, {"Result", "Owner"}), "account-1");
  EXPECT_NE(registry.apps().find(AppId(text_at(created, {"Result", "AppId"}))), nullptr);
}

TEST_F(AppActionsTest, app_name_is_bounded_and_of_legal_characters) {
  for (const char* bad : {"", "a b", "a-b", "1234567890123456789012345", "caf\u00e9"})
    EXPECT_EQ(code_of(change("CreateApp", "2020-12-01", named(bad))), "InvalidParameter") << bad;
  EXPECT_EQ(change("CreateApp", "2020-12-01", named("123456789012345678901234")).status, 200);
}

TEST_F(AppActionsTest, app_that_could_not_be_stored_is_an_internal_error) {
  EXPECT_EQ(code_of(change("CreateApp", "2020-12-01", named("a"), false)), "InternalError");
}

TEST_F(AppActionsTest, own_create_app_takes_the_id_and_keys_along) {
  const std::string body =
      R"({"AppName":"moved","AppId":"0123456789abcdef01234567","AppKey":"old key","Ids":"any"})";
  expect_golden("create_app_own", change("CreateApp", "2026-12-01", body));
  const domain::App* app = registry.apps().find(AppId("0123456789abcdef01234567"));
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(app->primary_key, "old key");
  EXPECT_TRUE(app->any_ids);
  EXPECT_EQ(code_of(change("CreateApp", "2026-12-01", body)), "InvalidParameter");
  EXPECT_EQ(code_of(change("CreateApp", "2026-12-01",
                           R"({"AppName":"a","AppId":"0123456789ABCDEF01234567"})")),
            "InvalidParameter.IllegalAppId");
  EXPECT_EQ(code_of(change("CreateApp", "2026-12-01", R"({"AppName":"a","Ids":"some"})")),
            "InvalidParameter");
  EXPECT_EQ(code_of(change("CreateApp", "2026-12-01", R"({"AppName":"a","AppKey":""})")),
            "InvalidParameter");
}

TEST_F(AppActionsTest, modify_app_status_has_a_string_as_its_result) {
  for (const char* version : {"2020-12-01", "2023-11-01"}) {
    EXPECT_EQ(result_of(change("ModifyAppStatus", version, status(2))), "\"success\"");
    EXPECT_FALSE(registry.apps().find(AppId(kOwnApp))->enabled);
    EXPECT_EQ(result_of(change("ModifyAppStatus", version, status(1))), "\"success\"");
    EXPECT_TRUE(registry.apps().find(AppId(kOwnApp))->enabled);
  }
  EXPECT_EQ(code_of(change("ModifyAppStatus", "2020-12-01", status(3))), "InvalidParameter");
  EXPECT_EQ(code_of(change("ModifyAppStatus", "2020-12-01",
                           R"({"AppId":"b7e100000000000000000001","Status":2})")),
            "InvalidParameter.AccountIdMismatch");
}

TEST_F(AppActionsTest, list_apps_pages_with_numbers_in_strings) {
  expect_golden("list_apps_2020", post("ListApps", "2020-12-01", "{}"));
  const auto ids = [](const Response& response) {
    std::vector<std::string> out;
    for (const Json& item : *at(body_of(response), {"Result", "AppList"}).if_array())
      out.push_back(text_at(item, {"AppId"}));
    return out;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(ids(post("ListApps", "2023-11-01", R"({"Limit":"1"})")), Ids{kOwnApp});
  EXPECT_EQ(ids(post("ListApps", "2023-11-01", R"({"Limit":1,"Offset":"1"})")), Ids{kWideApp});
  EXPECT_EQ(ids(post("ListApps", "2023-11-01", R"({"Limit":"1","Reverse":1})")), Ids{kWideApp});
  EXPECT_EQ(ids(post("ListApps", "2023-11-01", R"({"AppId":"a7e100000000000000000002"})")),
            Ids{kWideApp});
  EXPECT_EQ(ids(post("ListApps", "2023-11-01", R"({"Offset":"7"})")), Ids{});
  for (const char* bad : {R"({"Limit":"0"})", R"({"Offset":"-1"})", R"({"Limit":"many"})"})
    EXPECT_EQ(code_of(post("ListApps", "2020-12-01", bad)), "InvalidParameter") << bad;
}

TEST_F(AppActionsTest, keys_of_an_app_rotate_one_after_the_other) {
  const std::string body = R"({"AppId":")" + std::string(kOwnApp) + R"(",)";
  expect_golden("update_app_own",
                change("UpdateApp", "2026-12-01", body + R"("SecondaryAppKey":"new"})"));
  EXPECT_EQ(registry.apps().find(AppId(kOwnApp))->secondary_key, "new");
  EXPECT_EQ(registry.apps().find(AppId(kOwnApp))->primary_key, "primary-key");
  const Response added =
      change("AddApiKey", "2026-12-01", body + R"("ApiKey":"APIx","ApiSecret":"hush"})");
  expect_golden("add_api_key_own", added);
  EXPECT_FALSE(added.body.contains("hush"));
  EXPECT_FALSE(registry.apps().find_api_key("APIx")->management);
  const Response managing = change(
      "AddApiKey", "2026-12-01", body + R"("ApiKey":"APIm","ApiSecret":"hush","Management":true})");
  EXPECT_TRUE(managing.body.contains(R"("ManagementKeys":["APIm"])")) << managing.body;
  EXPECT_TRUE(registry.apps().find_api_key("APIm")->management);
  const Response app = post("GetApp", "2026-12-01", own_app());
  expect_golden("get_app_own", app);
  EXPECT_FALSE(app.body.contains("hush") || app.body.contains("primary-key"));
  expect_golden("delete_api_key_own",
                change("DeleteApiKey", "2026-12-01", body + R"("ApiKey":"APIm"})"));
  EXPECT_EQ(
      code_of(change("AddApiKey", "2026-12-01",
                     R"({"AppId":"a7e100000000000000000002","ApiKey":"APIx","ApiSecret":"s"})")),
      "InvalidParameter");
  EXPECT_EQ(change("DeleteApiKey", "2026-12-01", body + R"("ApiKey":"APIx"})").status, 200);
  EXPECT_TRUE(registry.apps().find(AppId(kOwnApp))->api_keys.empty());
  const Response seen = post("GetApp", "2026-12-01", body + R"("AppId2":1})");
  EXPECT_EQ(code_of(seen), "InvalidParameter") << "our own version is strict";
}

// An AppId of digits alone reads as a number, too.
TEST_F(AppActionsTest, change_repeated_after_a_crash_is_answered_with_the_app_as_it_is) {
  constexpr char kDigits[] = "123456781234567812345678";
  registry.apply(domain::RestoreApps{{make_app(kDigits, "account-1")}}, now);
  Request request = signed_request("POST", url("UpdateApp", "2026-12-01"),
                                   R"({"AppId":")" + std::string(kDigits) + R"(","Ids":"any"})");
  request.headers.emplace_back("Idempotency-Key", "k");
  const Outcome first = send(request);
  const PendingCall& call = std::get<DomainCall>(first).call;
  const domain::KeyedCall row{.key = *call.key,
                              .body_hash = call.body_hash,
                              .operation = OperationId(kOperation),
                              .subject = kDigits,
                              .at = now.wall};
  gateway = make_gateway(make_options(), secrets);
  gateway.restore_calls({&row, 1});
  const Response again = ask(request);
  EXPECT_EQ(header_of(again, "Idempotency-Replayed"), "true");
  EXPECT_EQ(text_at(body_of(again), {"Result", "App", "AppId"}), kDigits) << again.body;
}

TEST_F(AppActionsTest, each_action_wants_its_scope_and_no_other) {
  for (const ActionRow* row : action_rows()) {
    for (const KeyScope scope : kKeyScopes) {
      GatewayOptions options = make_options();
      options.keys = {{"AKLTone", "secret", "account-1", {scope}}};
      gateway = make_gateway(std::move(options), secrets);
      const std::string method = row->method == Method::Get ? "GET" : "POST";
      const Outcome outcome = send(signed_request(
          method, url(row->name, row->version), method == "GET" ? "" : "{", {"AKLTone", "secret"}));
      const auto* response = std::get_if<Response>(&outcome);
      const bool is_denied = response != nullptr && code_of(*response) == "AccessDenied";
      EXPECT_EQ(is_denied, scope != row->scope) << row->name << " with " << scope_name(scope);
    }
  }
}

TEST_F(AppActionsTest, window_of_a_dismissal_wants_the_scope_of_bans_too) {
  GatewayOptions options = make_options();
  options.keys = {{"AKLTroom", "secret", "account-1", {KeyScope::Room}}};
  gateway = make_gateway(std::move(options), secrets);
  const auto dismissed = [&](std::string_view more) {
    return send(signed_request("POST", url("DismissRoom", "2020-12-01"), own_body(more),
                               {"AKLTroom", "secret"}));
  };
  EXPECT_TRUE(std::holds_alternative<DomainCall>(dismissed("")));
  EXPECT_TRUE(std::holds_alternative<DomainCall>(dismissed(R"(,"ForbiddenInterval":0)")));
  const Outcome refused = dismissed(R"(,"ForbiddenInterval":60)");
  ASSERT_TRUE(std::holds_alternative<Response>(refused));
  EXPECT_EQ(code_of(std::get<Response>(refused)), "AccessDenied");
}

TEST_F(AppActionsTest, keys_and_quotas_change_while_it_runs) {
  GatewayOptions options = make_options();
  options.keys[0].id = "AKLTnew";
  options.quotas = {{"ListApps", 1}};
  ASSERT_TRUE(gateway.reconfigure(options));
  EXPECT_EQ(code_of(post("ListApps", "2020-12-01", "{}")), "InvalidAccessKey");
  const auto ask_new = [&] {
    return ask(
        signed_request("POST", url("ListApps", "2020-12-01"), "{}", {"AKLTnew", "secret-1"}));
  };
  EXPECT_EQ(ask_new().status, 200);
  EXPECT_EQ(code_of(ask_new()), "FlowLimitExceeded.QPSOverLimit");
  options.keys.push_back(options.keys[0]);
  EXPECT_FALSE(gateway.reconfigure(options)) << "refused as a whole";
  now.mono += 1s;
  EXPECT_EQ(ask_new().status, 200);
}

}  // namespace
}  // namespace atrium::openapi
