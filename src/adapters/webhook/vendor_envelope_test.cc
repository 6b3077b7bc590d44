#include "adapters/webhook/vendor_envelope.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "adapters/webhook/webhook_fixture.h"
#include "base/crypto.h"
#include "base/seeded_secret_source.h"

namespace atrium::webhook {
namespace {

namespace json = boost::json;
using domain::EventKind;
using domain::LeaveReason;

domain::Webhook a_webhook() {
  domain::Webhook webhook;
  webhook.app = kTestApp;
  webhook.secret = "callback-secret";
  return webhook;
}
json::object body_of(const domain::StoredEvent& event, const domain::Webhook& webhook,
                     SecretSource& secrets) {
  return json::parse(vendor_body(event, webhook, secrets)).as_object();
}
json::object body_of(const domain::StoredEvent& event) {
  SeededSecretSource secrets(1);
  return body_of(event, a_webhook(), secrets);
}
std::string text(const json::object& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}
std::set<std::string> names(const json::object& object) {
  std::set<std::string> out;
  for (const auto& member : object) out.insert(std::string(member.key()));
  return out;
}

// vendor-contract 8.3, W1.
TEST(VendorSignature, is_that_of_the_vector) {
  EXPECT_EQ(
      vendor_signature({.event_type = "UserLeaveRoom",
                        .event_data = R"({"RoomId":"room-1","UserId":"u-1","DeviceType":"web",)"
                                      R"("Reason":"kickedByAdmin","Timestamp":1704164645000})",
                        .event_time = "2024-01-02T03:04:05.000000000Z",
                        .event_id = "evt-0001",
                        .app_id = "123456781234567812345678",
                        .version = "2020-12-01",
                        .nonce = "4711",
                        .secret = "callback-secret"}),
      "7724e1ccfcc368ef1a9e78d4bc7bc3a8809ae5b6042af26c3adca6a80e294373");
}

// As a consumer does it that knows the vendor's fields only.
TEST(VendorBody, is_signed_as_a_consumer_checks_it) {
  const json::object body = body_of(test_event(EventKind::UserLeft));
  std::vector<std::string> values{"callback-secret"};
  for (const char* name :
       {"EventType", "EventData", "EventTime", "EventId", "AppId", "Version", "Nonce"})
    values.push_back(text(body, name));
  std::ranges::sort(values);
  std::string joined;
  for (const std::string& value : values) joined += value;
  EXPECT_EQ(text(body, "Signature"), hex(sha256(as_bytes(joined))));
}

TEST(VendorBody, has_the_fields_of_the_envelope_and_two_of_ours) {
  const json::object body = body_of(test_event(EventKind::UserLeft));
  EXPECT_EQ(names(body), (std::set<std::string>{"EventType", "EventData", "EventTime", "EventId",
                                                "AppId", "Version", "Signature", "Nonce", "Noce",
                                                "Sequence", "RoomSessionId"}));
  EXPECT_EQ(text(body, "EventType"), "UserLeaveRoom");
  EXPECT_EQ(text(body, "EventTime"), "2024-01-02T03:04:05.678901000Z");
  EXPECT_EQ(text(body, "EventId"), "EV_1");
  EXPECT_EQ(text(body, "AppId"), kTestApp.value);
  EXPECT_EQ(text(body, "Version"), "2020-12-01");
  EXPECT_EQ(body.at("Sequence").as_int64(), 7);
  EXPECT_EQ(text(body, "RoomSessionId"), "RM_1");
}

TEST(VendorBody, names_the_business_where_the_webhook_has_one) {
  SeededSecretSource secrets(1);
  domain::Webhook webhook = a_webhook();
  webhook.business = "school";
  EXPECT_EQ(text(body_of(test_event(EventKind::UserJoined), webhook, secrets), "BusinessId"),
            "school");
}

TEST(VendorBody, draws_nonce_and_signature_anew_on_each_try_and_keeps_the_rest) {
  SeededSecretSource secrets(1);
  const domain::StoredEvent event = test_event(EventKind::UserLeft);
  json::object first = body_of(event, a_webhook(), secrets);
  json::object second = body_of(event, a_webhook(), secrets);
  for (const char* name : {"Nonce", "Noce", "Signature"}) {
    EXPECT_NE(text(first, name), text(second, name)) << name;
    first.erase(name), second.erase(name);
  }
  EXPECT_EQ(first, second);
}

TEST(VendorBody, has_a_nonce_of_four_digits_in_both_spellings) {
  SeededSecretSource secrets(1);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const json::object body = body_of(test_event(EventKind::UserLeft), a_webhook(), secrets);
    const std::string nonce = text(body, "Nonce");
    EXPECT_EQ(nonce, text(body, "Noce"));
    EXPECT_EQ(nonce.size(), 4u);
    EXPECT_EQ(nonce.find_first_not_of("0123456789"), nonce.npos);
    seen.insert(nonce);
  }
  EXPECT_GT(seen.size(), 800u);
}

TEST(VendorBody, is_the_same_shape_for_a_time_before_1970_was_over) {
  domain::StoredEvent event = test_event(EventKind::UserLeft);
  event.event.at = Wall(5us);
  EXPECT_EQ(text(body_of(event), "EventTime"), "1970-01-01T00:00:00.000005000Z");
}

TEST(VendorEventData, of_a_join_says_who_and_with_what) {
  EXPECT_EQ(vendor_event_data(test_event(EventKind::UserJoined).event),
            R"({"RoomId":"room-1","UserId":"u-1","DeviceType":"web","Timestamp":1704164645678})");
}

TEST(VendorEventData, of_a_plain_leave_has_no_detail) {
  domain::Event event = test_event(EventKind::UserLeft).event;
  event.reason.why = LeaveReason::UserLeave;
  EXPECT_EQ(vendor_event_data(event),
            R"({"RoomId":"room-1","UserId":"u-1","DeviceType":"web","Reason":"userLeave",)"
            R"("Duration":7,"Timestamp":1704164645678})");
}

TEST(VendorEventData, of_a_dismissed_user_says_who_ordered_it) {
  domain::Event event = test_event(EventKind::UserLeft).event;
  event.reason = test_dismissal();
  EXPECT_EQ(vendor_event_data(event),
            R"({"RoomId":"room-1","UserId":"u-1","DeviceType":"web","Reason":"roomDismissByAdmin",)"
            R"("Duration":7,"Timestamp":1704164645678,"ReasonDetail":{"Code":-1011,)"
            R"("Name":"ROOM_DISMISS","Text":"the lesson \"maths\" is over","OperationId":"OP_1",)"
            R"("Operator":"AKLT1"}})");
}

TEST(VendorEventData, of_a_destroyed_room_says_why_in_our_field_alone) {
  domain::Event event = test_event(EventKind::RoomEnded).event;
  EXPECT_EQ(vendor_event_data(event), R"({"RoomId":"room-1","Timestamp":1704164645678})");
  event.reason = test_dismissal();
  const json::object data = json::parse(vendor_event_data(event)).as_object();
  EXPECT_EQ(names(data), (std::set<std::string>{"RoomId", "Timestamp", "ReasonDetail"}));
}

struct Word {
  LeaveReason why;
  const char* word;
};
class LeaveWords : public testing::TestWithParam<Word> {};
TEST_P(LeaveWords, are_the_vendors) {
  domain::Event event = test_event(EventKind::UserLeft).event;
  event.reason.why = GetParam().why;
  EXPECT_EQ(text(json::parse(vendor_event_data(event)).as_object(), "Reason"), GetParam().word);
}
INSTANTIATE_TEST_SUITE_P(Table, LeaveWords,
                         testing::Values(Word{LeaveReason::UserLeave, "userLeave"},
                                         Word{LeaveReason::ConnectionLost, "connectionLost"},
                                         Word{LeaveReason::DuplicateLogin, "userDuplicateLogin"},
                                         Word{LeaveReason::KickedByAdmin, "kickedByAdmin"},
                                         Word{LeaveReason::RoomDismissed, "roomDismissByAdmin"},
                                         Word{LeaveReason::TokenExpired, "onUserTokenDidExpire"},
                                         Word{LeaveReason::JoinTimeout, "connectionLost"},
                                         Word{LeaveReason::MediaFailure, "connectionLost"},
                                         Word{LeaveReason::StateMismatch, "connectionLost"},
                                         Word{LeaveReason::ServerShutdown, "connectionLost"}));

TEST(VendorBody, names_invisible_users_apart) {
  domain::StoredEvent event = test_event(EventKind::UserLeft);
  event.event.hidden = true;
  EXPECT_EQ(text(body_of(event), "EventType"), "InvisibleUserLeaveRoom");
}

}  // namespace
}  // namespace atrium::webhook
