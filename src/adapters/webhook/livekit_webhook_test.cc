#include "adapters/webhook/livekit_webhook.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "adapters/webhook/request.h"
#include "adapters/webhook/webhook_fixture.h"
#include "base/crypto.h"
#include "base/seeded_secret_source.h"

namespace atrium::webhook {
namespace {

namespace json = boost::json;
using domain::EventKind;

constexpr Wall kTestNow = wall_from_unix_s(1'704'164'700);

domain::App an_app() {
  domain::App app;
  app.id = kTestApp;
  app.primary_key = "primary", app.secondary_key = "secondary";
  app.api_keys = {{.key = "APIa", .secret = "secret a"}, {.key = "APIb", .secret = "secret b"}};
  return app;
}
domain::Webhook a_webhook() {
  domain::Webhook webhook;
  webhook.app = kTestApp;
  webhook.dialect = domain::WebhookDialect::LiveKit;
  webhook.api_key = "APIb";
  return webhook;
}
json::object claims_of(const std::string& token) {
  const size_t first = token.find('.'), second = token.find('.', first + 1);
  const auto bytes = from_base64url(token.substr(first + 1, second - first - 1));
  return json::parse(as_text(bytes.value())).as_object();
}

TEST(LivekitBody, of_a_started_room_says_since_when) {
  EXPECT_EQ(livekit_body(test_event(EventKind::RoomStarted).event),
            R"({"event":"room_started","room":{"sid":"RM_1","name":"room-1",)"
            R"("creationTime":"1704164645","creationTimeMs":"1704164645678"},)"
            R"("id":"EV_1","createdAt":"1704164645"})");
}

TEST(LivekitBody, of_a_finished_room_names_it) {
  EXPECT_EQ(livekit_body(test_event(EventKind::RoomEnded).event),
            R"({"event":"room_finished","room":{"sid":"RM_1","name":"room-1"},)"
            R"("id":"EV_1","createdAt":"1704164645"})");
}

TEST(LivekitBody, of_a_leave_says_why_and_since_when_the_user_was_there) {
  domain::Event event = test_event(EventKind::UserLeft).event;
  event.reason = test_dismissal();
  EXPECT_EQ(livekit_body(event),
            R"({"event":"participant_left","room":{"sid":"RM_1","name":"room-1"},)"
            R"("participant":{"sid":"PA_1","identity":"u-1","state":"DISCONNECTED",)"
            R"("joinedAt":"1704164637","joinedAtMs":"1704164637778",)"
            R"("disconnectReason":"ROOM_DELETED"},"id":"EV_1","createdAt":"1704164645"})");
}

TEST(LivekitBody, of_a_join_of_an_invisible_user_says_so) {
  domain::Event event = test_event(EventKind::UserJoined).event;
  event.stayed = {};
  event.hidden = true;
  EXPECT_EQ(livekit_body(event),
            R"({"event":"participant_joined","room":{"sid":"RM_1","name":"room-1"},)"
            R"("participant":{"sid":"PA_1","identity":"u-1","state":"ACTIVE",)"
            R"("joinedAt":"1704164645","joinedAtMs":"1704164645678",)"
            R"("permission":{"hidden":true}},"id":"EV_1","createdAt":"1704164645"})");
}

TEST(LivekitBody, of_a_track_says_what_it_is) {
  EXPECT_EQ(livekit_body(test_event(EventKind::TrackPublished).event),
            R"({"event":"track_published","room":{"sid":"RM_1","name":"room-1"},)"
            R"("participant":{"sid":"PA_1","identity":"u-1"},)"
            R"("track":{"sid":"TR_1","type":"VIDEO","source":"SCREEN_SHARE"},)"
            R"("id":"EV_1","createdAt":"1704164645"})");
}

// The receiver of livekit-server-sdk reads the same three claims.
TEST(LivekitAuthorization, signs_what_receivers_are_given) {
  domain::StoredEvent event = test_event(EventKind::UserLeft);
  event.event.reason = test_dismissal();
  const std::string body = livekit_body(event.event);
  const std::string token =
      livekit_authorization(event, body, {.key = "APIa", .secret = "secret a"}, kTestNow);
  const json::object claims = claims_of(token);
  EXPECT_EQ(claims.at("iss").as_string(), "APIa");
  EXPECT_EQ(claims.at("exp").as_int64(), 1'704'164'700 + 300);
  EXPECT_EQ(claims.at("sha256").as_string(), base64(sha256(as_bytes(body))));
  EXPECT_EQ(json::serialize(claims.at("atrium")),
            R"({"sequence":7,"reason":{"code":-1011,"name":"ROOM_DISMISS",)"
            R"("text":"the lesson \"maths\" is over","operationId":"OP_1","operator":"AKLT1"}})");
  const size_t last = token.rfind('.');
  EXPECT_EQ(token.substr(last + 1),
            base64url(hmac_sha256(as_bytes("secret a"), as_bytes(token.substr(0, last)))));
}

TEST(LivekitAuthorization, has_no_reason_where_there_is_none) {
  const std::string token = livekit_authorization(test_event(EventKind::UserJoined), "{}",
                                                  {.key = "APIa", .secret = "s"}, kTestNow);
  EXPECT_EQ(json::serialize(claims_of(token).at("atrium")), R"({"sequence":7})");
}

TEST(LivekitKey, is_the_one_that_the_webhook_names) {
  const auto key = livekit_key(a_webhook(), an_app());
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->key, "APIb");
  EXPECT_EQ(key->secret, "secret b");
}

TEST(LivekitKey, with_a_secret_of_its_own_needs_none_of_the_app) {
  domain::Webhook webhook = a_webhook();
  webhook.api_key = "elsewhere", webhook.secret = "own";
  const auto key = livekit_key(webhook, an_app());
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->key, "elsewhere");
  EXPECT_EQ(key->secret, "own");
}

TEST(LivekitKey, that_is_not_named_is_the_app_with_an_app_key) {
  domain::Webhook webhook = a_webhook();
  webhook.api_key.clear();
  domain::App app = an_app();
  EXPECT_EQ(livekit_key(webhook, app)->key, kTestApp.value);
  EXPECT_EQ(livekit_key(webhook, app)->secret, "primary");
  app.primary_key.clear();
  EXPECT_EQ(livekit_key(webhook, app)->secret, "secondary");
  app.secondary_key.clear();
  EXPECT_FALSE(livekit_key(webhook, app).has_value());
}

TEST(MakeRequest, says_which_key_is_gone) {
  SeededSecretSource secrets(1);
  domain::App app = an_app();
  app.api_keys.clear();
  const auto request =
      make_request(test_event(EventKind::UserLeft), a_webhook(), &app, kTestNow, secrets);
  ASSERT_FALSE(request.has_value());
  EXPECT_NE(request.error().find("APIb"), std::string::npos);
  EXPECT_FALSE(
      make_request(test_event(EventKind::UserLeft), a_webhook(), nullptr, kTestNow, secrets)
          .has_value());
}

TEST(MakeRequest, speaks_the_dialect_of_the_webhook) {
  SeededSecretSource secrets(1);
  const domain::App app = an_app();
  domain::Webhook webhook = a_webhook();
  const auto livekit =
      make_request(test_event(EventKind::UserLeft), webhook, &app, kTestNow, secrets).value();
  EXPECT_EQ(livekit.content_type, "application/webhook+json");
  EXPECT_EQ(claims_of(livekit.authorization).at("sha256").as_string(),
            base64(sha256(as_bytes(livekit.body))));
  webhook.dialect = domain::WebhookDialect::Vendor;
  const auto vendor =
      make_request(test_event(EventKind::UserLeft), webhook, &app, kTestNow, secrets).value();
  EXPECT_EQ(vendor.content_type, "application/json");
  EXPECT_EQ(vendor.authorization, "");
  EXPECT_EQ(json::parse(vendor.body).at("EventType").as_string(), "UserLeaveRoom");
}

}  // namespace
}  // namespace atrium::webhook
