// Requests that webhook makes, and how it shows what comes back.
#include "apps/atriumctl/webhook_commands.h"

#include "apps/atriumctl/canned_server.h"

namespace atrium::atriumctl {
namespace {

constexpr char kWebhook[] = "WH_abcdefghijklmnopq";

class WebhookCommandsTest : public CannedServer {};

TEST_F(WebhookCommandsTest, one_is_made_with_a_secret_from_standard_input) {
  in.str("hush\n");
  results = {R"({"Message":"success","Webhook":{"WebhookId":"WH_1"}})"};
  EXPECT_EQ(go(run_webhook, WebhookCommand{.verb = WebhookVerb::Add,
                                           .url = "https://backend.example/events",
                                           .dialect = "vendor",
                                           .secret_file = "-",
                                           .events = {"UserJoinRoom"},
                                           .disable = true}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(asked.at(0), post("CreateWebhook",
                              R"("Dialect":"vendor","Url":"https://backend.example/events",)"
                              R"("Events":["UserJoinRoom"],"Enabled":false,"SecretKey":"hush")"));
  EXPECT_TRUE(says("atriumctl webhook test WH_1")) << out.str();
  EXPECT_FALSE(says("hush"));
}

TEST_F(WebhookCommandsTest, what_is_given_is_changed_and_nothing_else) {
  EXPECT_EQ(go(run_webhook, WebhookCommand{.verb = WebhookVerb::Update, .webhook = kWebhook}),
            ExitCode::Usage);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(
      go(run_webhook,
         WebhookCommand{
             .verb = WebhookVerb::Update, .webhook = kWebhook, .all_events = true, .enable = true}),
      ExitCode::Ok);
  EXPECT_EQ(asked.at(0), post("UpdateWebhook",
                              R"("WebhookId":"WH_abcdefghijklmnopq","Events":[],"Enabled":true)"));
}

TEST_F(WebhookCommandsTest, all_are_listed_with_what_waits_for_them) {
  results = {
      R"({"Webhooks":[]})",
      R"({"Webhooks":[{"WebhookId":"WH_1","Url":"https://a","Dialect":"livekit","Events":[],"Enabled":true,)"
      R"("Waiting":12,"DeadLetters":3}]})"};
  const WebhookCommand command{.verb = WebhookVerb::List};
  EXPECT_EQ(go(run_webhook, command), ExitCode::Ok);
  EXPECT_EQ(out.str(), "The app has no webhooks.\n");
  EXPECT_EQ(go(run_webhook, command), ExitCode::Ok);
  EXPECT_EQ(asked.at(0), get("ListWebhooks", ""));
  EXPECT_TRUE(says("WH_1     https://a  livekit  enabled  12              3     all\n"))
      << out.str();
}

TEST_F(WebhookCommandsTest, a_test_that_is_not_taken_is_an_exit_code) {
  results = {R"({"Delivered":true,"Status":200,"Milliseconds":12})",
             R"({"Delivered":false,"Why":"the address is not allowed","Milliseconds":1})"};
  const WebhookCommand command{.verb = WebhookVerb::Test, .webhook = kWebhook};
  EXPECT_EQ(go(run_webhook, command), ExitCode::Ok);
  EXPECT_EQ(asked.at(0), post("TestWebhook", R"("WebhookId":"WH_abcdefghijklmnopq")"));
  EXPECT_TRUE(says("took the test event: HTTP 200, after 12 ms.")) << out.str();
  EXPECT_EQ(go(run_webhook, command), ExitCode::Refused);
  EXPECT_TRUE(warns("the address is not allowed (no answer, after 1 ms).")) << err.str();
}

TEST_F(WebhookCommandsTest, one_is_removed_or_was_not_there) {
  results = {R"({"Existed":true})", R"({"Existed":false})"};
  const WebhookCommand command{.verb = WebhookVerb::Remove, .webhook = kWebhook};
  EXPECT_EQ(go(run_webhook, command), ExitCode::Ok);
  EXPECT_TRUE(says("is removed.")) << out.str();
  EXPECT_EQ(go(run_webhook, command), ExitCode::Ok);
  EXPECT_TRUE(says("is not there (any more).")) << out.str();
}

TEST_F(WebhookCommandsTest, dead_letters_are_shown_and_tried_again) {
  results = {
      R"({"DeadLetters":[{"Attempts":10,"Why":"HTTP 500","DiedAt":"2024-01-02T03:04:05.678Z",)"
      R"("Event":{"EventId":"EV_1","Kind":"UserLeft","RoomId":"lobby","Sequence":7}}]})"};
  EXPECT_EQ(go(run_webhook, WebhookCommand{.verb = WebhookVerb::Dead, .webhook = kWebhook}),
            ExitCode::Ok);
  EXPECT_EQ(asked.at(0),
            get("ListDeadLetters", "&WebhookId=WH_abcdefghijklmnopq&Limit=500&Cursor="));
  EXPECT_TRUE(says("EV_1") && says("HTTP 500")) << out.str();
  EXPECT_EQ(go(run_webhook, WebhookCommand{.verb = WebhookVerb::Redrive,
                                           .webhook = kWebhook,
                                           .event = "EV_abcdefghijklmnopq"}),
            ExitCode::Ok);
  EXPECT_EQ(asked.at(0),
            post("RedriveDeadLetters",
                 R"("WebhookId":"WH_abcdefghijklmnopq","EventId":"EV_abcdefghijklmnopq")"));
}

}  // namespace
}  // namespace atrium::atriumctl
