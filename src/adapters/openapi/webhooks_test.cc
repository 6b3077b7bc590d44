// Webhooks by both ways, our own actions and the vendor's about callbacks, and what could not be delivered: which
// command or question a call becomes, the answers' exact form, and that no secret is in one that should have none.
#include <gmock/gmock.h>

#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kWebhook[] = "WH_abcdefghijklmnopq";
constexpr char kWebhookField[] = R"(,"WebhookId":"WH_abcdefghijklmnopq")";
constexpr char kSecret[] = "hush-hush-hush";
constexpr char kVendor[] =
    R"(,"Url":"https://backend.example/events","Dialect":"vendor","SecretKey":"hush-hush-hush")";

domain::Webhook a_webhook(domain::WebhookDialect dialect = domain::WebhookDialect::Vendor) {
  const bool is_vendor = dialect == domain::WebhookDialect::Vendor;
  return {.id = WebhookId(kWebhook),
          .app = AppId(kOwnApp),
          .business = is_vendor ? "school" : "",
          .dialect = dialect,
          .url = "https://backend.example/events",
          .secret = is_vendor ? kSecret : "",
          .api_key = "",
          .events = {},
          .enabled = true,
          .created_at = kNow.wall,
          .updated_at = kNow.wall + 1s};
}

domain::StoredEvent a_leave(int64_t cursor) {
  domain::StoredEvent stored{.cursor = cursor, .sequence = 7, .event = {}};
  stored.event.id = EventId("EV_abcdefghijklmnopq");
  stored.event.kind = domain::EventKind::UserLeft;
  stored.event.app = AppId(kOwnApp);
  stored.event.room = RoomId("room-1");
  stored.event.room_sid = RoomSid("RM_abcdefghijklmnopq");
  stored.event.participant = ParticipantSid("PA_abcdefghijklmnopq");
  stored.event.user = UserId("ann");
  stored.event.at = kNow.wall;
  stored.event.stayed = 90s;
  stored.event.reason = {.why = domain::LeaveReason::UserLeave};
  return stored;
}

class WebhookActionsTest : public OwnActionsTest {
 protected:
  void know(domain::Webhook webhook) {
    registry.apply(domain::RestoreWebhooks{{std::move(webhook)}}, now);
  }
  Response replied(domain::ActionOutcome result, const domain::Webhook* webhook = nullptr) {
    return OwnActionsTest::replied(
        {.waiter = WaiterId{7},
         .outcome = result,
         .operation = OperationId(kOperation),
         .webhook =
             webhook == nullptr ? nullptr : std::make_shared<const domain::Webhook>(*webhook)});
  }
  std::string code(std::string_view action, std::string_view fields) {
    return code_of(ask(post_of(action, fields, now)));
  }
};

// --- create --------------------------------------------------------------------------------------

TEST_F(WebhookActionsTest, create_webhook_in_the_vendors_dialect_takes_a_secret_and_never_says_it) {
  const auto put = command<domain::PutWebhook>(
      "CreateWebhook", std::string(kVendor) +
                           R"(,"BusinessId":"school","Events":["RoomDestroy","RoomDestroy"],)"
                           R"("Enabled":false)");
  EXPECT_EQ(put.webhook.app, AppId(kOwnApp));
  EXPECT_TRUE(put.webhook.id.empty());
  EXPECT_EQ(put.webhook.url, "https://backend.example/events");
  EXPECT_EQ(put.webhook.dialect, domain::WebhookDialect::Vendor);
  EXPECT_EQ(put.webhook.secret, kSecret);
  EXPECT_FALSE(put.webhook.shows_secret);
  EXPECT_EQ(put.webhook.business, "school");
  EXPECT_THAT(put.webhook.events, ElementsAre("RoomDestroy"));
  EXPECT_FALSE(put.webhook.enabled);
  const domain::Webhook made = a_webhook();
  const Response response = replied(domain::ActionOutcome::Done, &made);
  expect_golden("create_webhook", response);
  EXPECT_THAT(response.body, Not(HasSubstr(kSecret)));
  // Given again after a restart: no more is known than that it was made.
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), R"({"Message":"success"})");
}

TEST_F(WebhookActionsTest, create_webhook_in_livekits_dialect_names_a_key_of_the_app) {
  domain::App app = make_app(kOwnApp, "account-1");
  app.api_keys = {{.key = "APIkey", .secret = kSecret}};
  registry.apply(domain::RestoreApps{{app}}, now);
  const std::string fields = R"(,"Url":"http://[2001:db8::1]:8080/","Dialect":"livekit")";
  const auto by_key =
      command<domain::PutWebhook>("CreateWebhook", fields + R"(,"ApiKey":"APIkey")");
  EXPECT_EQ(by_key.webhook.api_key, "APIkey");
  EXPECT_EQ(by_key.webhook.secret, "");
  const auto by_app = command<domain::PutWebhook>(
      "CreateWebhook", fields + R"(,"ApiKey":")" + std::string(kOwnApp) + "\"");
  EXPECT_EQ(by_app.webhook.api_key, "") << "the AppId is what an empty key stands for";
  EXPECT_TRUE(by_app.webhook.enabled);
  const domain::Webhook made = a_webhook(domain::WebhookDialect::LiveKit);
  expect_golden("create_webhook_livekit", replied(domain::ActionOutcome::Done, &made));
}

TEST_F(WebhookActionsTest, what_is_wrong_with_a_webhook_is_named) {
  const auto wrong = [this](std::string_view fields) { return refusal("CreateWebhook", fields); };
  const std::string url = R"(,"Url":"https://backend.example/events")";
  const std::string vendor = kVendor;
  const std::string livekit = url + R"(,"Dialect":"livekit")";
  EXPECT_EQ(wrong(""), "Url is missing.");
  EXPECT_EQ(wrong(url), "Dialect is missing.");
  EXPECT_EQ(wrong(url + R"(,"Dialect":"Vendor")"), "Dialect must be \"vendor\" or \"livekit\".");
  EXPECT_EQ(wrong(url + R"(,"Dialect":"vendor")"),
            "SecretKey must be 1 to 256 printable ASCII characters.");
  EXPECT_EQ(wrong(url + R"(,"Dialect":"vendor","SecretKey":")" + std::string(257, 's') + "\""),
            "SecretKey must be 1 to 256 printable ASCII characters.");
  EXPECT_THAT(wrong(vendor + R"(,"ApiKey":"k")"), StartsWith("ApiKey belongs to"));
  EXPECT_THAT(wrong(livekit + R"(,"SecretKey":"s")"), StartsWith("SecretKey belongs to"));
  EXPECT_THAT(wrong(livekit + R"(,"BusinessId":"b")"), StartsWith("BusinessId belongs to"));
  EXPECT_THAT(wrong(livekit + R"(,"ApiKey":"nobody's")"), StartsWith("ApiKey must be the AppId"));
  EXPECT_THAT(wrong(vendor + R"(,"BusinessId":"a b")"),
              StartsWith("BusinessId must be at most 64"));
  EXPECT_THAT(wrong(vendor + R"(,"Events":["room_started"])"),
              StartsWith("Events: there is no event room_started; there are "));
  EXPECT_EQ(wrong(vendor + R"(,"Events":"RoomDestroy")"), "Events must be a list of strings.");
  EXPECT_EQ(wrong(vendor + R"(,"Enabled":1)"), "Enabled must be true or false.");
  EXPECT_EQ(wrong(vendor + R"(,"Secret":"s")"), "Secret is not a field of this action.");
}

TEST_F(WebhookActionsTest, url_of_a_webhook_is_refused_by_its_field_in_both_families) {
  for (const char* flawed : {"", "backend.example", "ftp://backend.example/", "http://",
                             "http://-a.example/", "http://127.1/", "http://2130706433/",
                             "http://0x7f.0x1/", "http://a.example:0/", "http://a.example:65536/",
                             "http://user:pass@backend.example/", "http://backend.example/#a"}) {
    const std::string quoted = "\"" + std::string(flawed) + "\"";
    EXPECT_THAT(refusal("CreateWebhook", R"(,"Dialect":"vendor","SecretKey":"s","Url":)" + quoted),
                StartsWith("Url must"))
        << flawed;
    const std::string callback = body(R"(,"SecretKey":"s","URL":)" + quoted);
    EXPECT_THAT(message_of(post("CreateCallback", kVersion2020, callback)), StartsWith("URL must"))
        << flawed;
  }
}

TEST_F(WebhookActionsTest, refusals_never_repeat_a_secret) {
  const std::string field = R"(,"SecretKey":"hush-hush-hush\u0001")";
  for (const std::string& fields :
       {std::string(kVendor) + R"(,"Events":["x"])", R"(,"Url":"u","Dialect":"vendor")" + field,
        R"(,"Url":"https://a.example/","Dialect":"vendor")" + field,
        R"(,"Url":"https://a.example/","Dialect":"livekit")" + field}) {
    const Response response = ask(post_of("CreateWebhook", fields, now));
    EXPECT_EQ(response.status, 400) << fields;
    EXPECT_THAT(response.body, Not(HasSubstr(kSecret)));
  }
}

TEST_F(WebhookActionsTest, a_webhook_too_many_or_one_that_is_taken_is_refused) {
  command<domain::PutWebhook>("CreateWebhook", kVendor);
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::TooMany)), "InvalidParameter.SizeOverLimit");
  EXPECT_THAT(message_of(replied(domain::ActionOutcome::TooMany)),
              HasSubstr("at most 10 webhooks"));
  EXPECT_THAT(message_of(replied(domain::ActionOutcome::Exists)), HasSubstr("BusinessId"));
  EXPECT_EQ(replied(domain::ActionOutcome::RecordFailed).status, 500);
}

// --- update, delete, test ------------------------------------------------------------------------

TEST_F(WebhookActionsTest, update_webhook_changes_what_is_given_and_nothing_else) {
  domain::Webhook known = a_webhook();
  known.shows_secret = true;
  know(known);
  const auto put = command<domain::PutWebhook>(
      "UpdateWebhook", std::string(kWebhookField) + R"(,"Enabled":false,"Events":["RoomDestroy"])");
  EXPECT_EQ(put.webhook.id, WebhookId(kWebhook));
  EXPECT_EQ(put.webhook.url, known.url);
  EXPECT_EQ(put.webhook.secret, kSecret);
  EXPECT_TRUE(put.webhook.shows_secret) << "it is the one that came by CreateCallback";
  EXPECT_FALSE(put.webhook.enabled);
  expect_golden("update_webhook", replied(domain::ActionOutcome::Done, &put.webhook));
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::NotThere)), "InvalidParameter.NotExistWebhook");
  const auto secret = command<domain::PutWebhook>(
      "UpdateWebhook", std::string(kWebhookField) + R"(,"SecretKey":"new")");
  EXPECT_EQ(secret.webhook.secret, "new");
  EXPECT_FALSE(secret.webhook.shows_secret) << "this one came by our own action";
}

TEST_F(WebhookActionsTest, dialect_and_business_of_a_webhook_stay) {
  know(a_webhook());
  const std::string id = kWebhookField;
  EXPECT_THAT(refusal("UpdateWebhook", id + R"(,"Dialect":"livekit")"), StartsWith("Dialect: "));
  EXPECT_THAT(refusal("UpdateWebhook", id + R"(,"BusinessId":"b")"), StartsWith("BusinessId: "));
  EXPECT_THAT(refusal("UpdateWebhook", id + R"(,"ApiKey":"k")"), StartsWith("ApiKey belongs to"));
}

TEST_F(WebhookActionsTest, a_webhook_is_named_by_its_id_everywhere) {
  domain::Webhook foreign = a_webhook();
  foreign.app = AppId(kWideApp);
  know(foreign);
  for (const char* action :
       {"UpdateWebhook", "TestWebhook", "RedriveDeadLetters", "DeleteWebhook"}) {
    EXPECT_EQ(refusal(action, ""), "WebhookId is missing.") << action;
    EXPECT_EQ(refusal(action, R"(,"WebhookId":"WH_1")"),
              "WebhookId must be WH_ and 17 letters and digits.")
        << action;
    if (action == std::string_view("DeleteWebhook")) continue;  // none there is success
    EXPECT_EQ(code(action, kWebhookField), "InvalidParameter.NotExistWebhook") << action;
  }
  EXPECT_EQ(message_of(get("ListDeadLetters", "&WebhookId=WH_1")),
            "WebhookId must be WH_ and 17 letters and digits.");
  EXPECT_EQ(code_of(get("ListDeadLetters", "&WebhookId=" + std::string(kWebhook))),
            "InvalidParameter.NotExistWebhook");
}

TEST_F(WebhookActionsTest, delete_webhook_says_whether_it_was_there) {
  const auto drop = command<domain::DropWebhook>("DeleteWebhook", kWebhookField);
  EXPECT_EQ(drop.app, AppId(kOwnApp));
  EXPECT_EQ(drop.webhook, WebhookId(kWebhook));
  expect_golden("delete_webhook", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::NotThere)),
            R"({"Message":"success","Existed":false})");
}

TEST_F(WebhookActionsTest, test_webhook_says_what_came_back) {
  know(a_webhook());
  outcome = send(post_of("TestWebhook", kWebhookField, now));
  EXPECT_EQ(std::get<TestCall>(outcome).test.webhook, WebhookId(kWebhook));
  expect_golden("test_webhook",
                gateway.on_tested(waiting(), {.status = 500, .why = "status 500", .took = 12ms}));
  EXPECT_EQ(result_of(gateway.on_tested(waiting(), {.status = 200, .why = "", .took = 3ms})),
            R"({"Delivered":true,"Status":200,"Milliseconds":3})");
  EXPECT_EQ(result_of(gateway.on_tested(waiting(), {.status = 0, .why = "no answer", .took = 5s})),
            R"({"Delivered":false,"Why":"no answer","Milliseconds":5000})");
}

// --- list ----------------------------------------------------------------------------------------

TEST_F(WebhookActionsTest, webhooks_are_listed_with_what_waits_and_without_secrets) {
  EXPECT_EQ(result_of(get("ListWebhooks", "")), R"({"Webhooks":[]})");
  domain::Webhook shown = a_webhook(), second = a_webhook(domain::WebhookDialect::LiveKit);
  shown.shows_secret = true;
  second.id = WebhookId("WH_bbcdefghijklmnopq");
  second.events = {"room_finished"};
  registry.apply(domain::RestoreWebhooks{{shown, second}}, now);
  question<FindBacklogs>("ListWebhooks", "");
  const domain::WebhookBacklog backlog{.webhook = WebhookId(kWebhook),
                                       .waiting = 3,
                                       .dead = 1,
                                       .oldest_waiting_at = kNow.wall - 60s};
  const Response response = gateway.on_backlogs(waiting(), true, {&backlog, 1});
  expect_golden("list_webhooks", response);
  EXPECT_THAT(response.body, Not(HasSubstr(kSecret)));
  EXPECT_EQ(code_of(gateway.on_backlogs(waiting(), false, {})), "InternalError");
}

// --- dead letters --------------------------------------------------------------------------------

TEST_F(WebhookActionsTest, dead_letters_are_listed_page_by_page) {
  know(a_webhook());
  const std::string id = "&WebhookId=" + std::string(kWebhook);
  const auto first = question<ListDeadLettersOf>("ListDeadLetters", id + "&Limit=1");
  EXPECT_EQ(first.webhook, WebhookId(kWebhook));
  EXPECT_EQ(first.after_cursor, 0);
  EXPECT_EQ(first.limit, 1u);
  const domain::DeadLetter letter{.webhook = WebhookId(kWebhook),
                                  .attempts = 10,
                                  .why = "status 500",
                                  .died_at = kNow.wall,
                                  .event = a_leave(42)};
  const Response page = gateway.on_dead_letters(waiting(), true, {&letter, 1});
  expect_golden("list_dead_letters", page);
  EXPECT_EQ(code_of(gateway.on_dead_letters(waiting(), false, {})), "InternalError");
  const std::string cursor = text_at(body_of(page), {"Result", "NextCursor"});
  const auto next = question<ListDeadLettersOf>("ListDeadLetters", id + "&Cursor=" + cursor);
  EXPECT_EQ(next.after_cursor, 42);
  EXPECT_EQ(next.limit, 50u);
  EXPECT_EQ(result_of(gateway.on_dead_letters(waiting(), true, {&letter, 1})).find("NextCursor"),
            std::string::npos)
      << "the page is not full";
}

TEST_F(WebhookActionsTest, pages_of_dead_letters_are_bounded) {
  know(a_webhook());
  const std::string id = "&WebhookId=" + std::string(kWebhook);
  EXPECT_EQ(question<ListDeadLettersOf>("ListDeadLetters", id + "&Limit=500").limit, 500u);
  for (const char* wrong : {"&Limit=0", "&Limit=501", "&Limit=-1"})
    EXPECT_EQ(message_of(get("ListDeadLetters", id + wrong)), "Limit must be 1 to 500.") << wrong;
  EXPECT_EQ(message_of(get("ListDeadLetters", id + "&Limit=ten")), "Limit must be an integer.");
  for (const char* wrong : {"&Cursor=***", "&Cursor=LTE", "&Cursor=YQ"})
    EXPECT_EQ(message_of(get("ListDeadLetters", id + wrong)),
              "Cursor must be the NextCursor or Cursor of an earlier answer.")
        << wrong;
}

TEST_F(WebhookActionsTest, redrive_is_of_one_event_or_of_all) {
  know(a_webhook());
  outcome = send(post_of("RedriveDeadLetters",
                         std::string(kWebhookField) + R"(,"EventId":"EV_abcdefghijklmnopq")", now));
  const auto& one = std::get<RedriveCall>(outcome).redrive;
  EXPECT_EQ(one.webhook, WebhookId(kWebhook));
  EXPECT_EQ(one.event, EventId("EV_abcdefghijklmnopq"));
  EXPECT_TRUE(one.operation.value.starts_with("OP_"));
  expect_golden("redrive_dead_letters", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(replied(domain::ActionOutcome::RecordFailed).status, 500);
  outcome = send(post_of("RedriveDeadLetters", kWebhookField, now));
  EXPECT_TRUE(std::get<RedriveCall>(outcome).redrive.event.empty());
  for (const char* wrong : {"", "EV_1", "OP_abcdefghijklmnopq"})
    EXPECT_EQ(refusal("RedriveDeadLetters",
                      std::string(kWebhookField) + R"(,"EventId":")" + std::string(wrong) + "\""),
              "EventId must be EV_ and 17 letters and digits.")
        << wrong;
}

// --- the vendor's callbacks ----------------------------------------------------------------------

class CallbackActionsTest : public WebhookActionsTest {
 protected:
  domain::Webhook made(std::string_view action, std::string_view fields) {
    outcome = send(signed_request("POST", url(action, kVersion2020), body(fields)));
    const auto* call = std::get_if<DomainCall>(&outcome);
    EXPECT_NE(call, nullptr) << refused_with();
    return call == nullptr ? domain::Webhook()
                           : std::get<domain::PutWebhook>(call->command).webhook;
  }
  std::string wrong(std::string_view action, std::string_view fields) {
    return message_of(post(action, kVersion2020, body(fields)));
  }
  Response get_callback() {
    const std::string query = "&AppId=" + std::string(kOwnApp);
    return ask(signed_request("GET", url("GetCallback", kVersion2020, query), ""));
  }
};

TEST_F(CallbackActionsTest, create_callback_keeps_events_that_we_do_not_have) {
  const auto callback = made(
      "CreateCallback", R"(,"BusinessId":"school","EventList":["RoomDestroy","RecordStarted"],)"
                        R"("SecretKey":"hush-hush-hush","URL":"https://backend.example/")");
  EXPECT_EQ(callback.business, "school");
  EXPECT_THAT(callback.events, ElementsAre("RoomDestroy", "RecordStarted"));
  EXPECT_EQ(callback.secret, kSecret);
  EXPECT_TRUE(callback.shows_secret) << "as the vendor's GetCallback does";
  EXPECT_EQ(callback.dialect, domain::WebhookDialect::Vendor);
  expect_golden("create_callback", replied(domain::ActionOutcome::Done));
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::TooMany)), "InvalidParameter.SizeOverLimit");
}

TEST_F(CallbackActionsTest, what_is_wrong_with_a_callback_is_named) {
  const std::string good = R"(,"SecretKey":"s","URL":"https://backend.example/")";
  EXPECT_EQ(wrong("CreateCallback", R"(,"URL":"https://backend.example/")"),
            "SecretKey is missing.");
  EXPECT_EQ(wrong("CreateCallback", R"(,"SecretKey":"s")"), "URL is missing.");
  EXPECT_EQ(wrong("CreateCallback", R"(,"SecretKey":"","URL":"https://backend.example/")"),
            "SecretKey must be 1 to 256 printable ASCII characters.");
  EXPECT_THAT(wrong("CreateCallback", good + R"(,"BusinessId":"a/b")"),
              StartsWith("BusinessId must be at most 64"));
  EXPECT_THAT(wrong("CreateCallback", good + R"(,"EventList":["\u0001"])"),
              StartsWith("EventList: there is no event ?;"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += (i == 0 ? "\"e" : ",\"e") + std::to_string(i) + "\"";
  EXPECT_EQ(wrong("CreateCallback", good + R"(,"EventList":[)" + many + "]"),
            "EventList must name at most 64 events.");
  EXPECT_EQ(wrong("UpdateCallback", R"(,"BusinessId":"school")"),
            "BusinessId: the app has no callback for it.");
}

TEST_F(CallbackActionsTest, empty_strings_change_nothing) {
  domain::Webhook known = a_webhook();
  known.events = {"RoomDestroy"};
  know(known);
  const auto same = made("UpdateCallback", R"(,"BusinessId":"school","SecretKey":"","URL":"")");
  EXPECT_EQ(same, known);
  const auto changed = made("UpdateCallback", R"(,"BusinessId":"school","SecretKey":"new")");
  EXPECT_EQ(changed.secret, "new");
  EXPECT_TRUE(changed.shows_secret) << "it came by the vendor's action";
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)), "\"success\"");
}

TEST_F(CallbackActionsTest, delete_callback_is_success_where_there_is_none) {
  const auto ask_for = [this](std::string_view more) {
    const std::string query = "&AppId=" + std::string(kOwnApp) + std::string(more);
    outcome = send(signed_request("POST", url("DeleteCallback", kVersion2020, query), ""));
  };
  ask_for("&BusinessId=school");
  EXPECT_EQ(result_of(std::get<Response>(outcome)), "\"success\"");
  know(a_webhook());
  ask_for("&BusinessId=school");
  EXPECT_EQ(std::get<domain::DropWebhook>(std::get<DomainCall>(outcome).command).webhook,
            WebhookId(kWebhook));
  expect_golden("delete_callback", replied(domain::ActionOutcome::Done));
}

TEST_F(CallbackActionsTest, get_callback_shows_the_secrets_that_came_by_the_vendors_actions_alone) {
  expect_golden("get_callback_none", get_callback());
  domain::Webhook callback = a_webhook(), own = a_webhook();
  callback.shows_secret = true;
  callback.events = {"RoomDestroy"};
  own.id = WebhookId("WH_bbcdefghijklmnopq");
  own.business = "";
  own.secret = "made by CreateWebhook";
  domain::Webhook livekit = a_webhook(domain::WebhookDialect::LiveKit);
  livekit.id = WebhookId("WH_cbcdefghijklmnopq");
  registry.apply(domain::RestoreWebhooks{{callback, own, livekit}}, now);
  const Response response = get_callback();
  expect_golden("get_callback", response);
  EXPECT_THAT(response.body, HasSubstr(kSecret));
  EXPECT_THAT(response.body, Not(HasSubstr("made by CreateWebhook")));
}

TEST_F(CallbackActionsTest, callbacks_want_the_scope_of_applications) {
  const std::string query = "&AppId=" + std::string(kOwnApp);
  EXPECT_EQ(code_of(ask(signed_request("GET", url("GetCallback", kVersion2020, query), "",
                                       {"AKLTreader", "secret-2"}))),
            "AccessDenied");
}

}  // namespace
}  // namespace atrium::openapi
