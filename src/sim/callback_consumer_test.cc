// The consumer's table, and what it does not take.
#include "sim/callback_consumer.h"

#include <gtest/gtest.h>

#include "adapters/webhook/vendor_envelope.h"
#include "base/seeded_secret_source.h"

namespace atrium::sim {
namespace {

class CallbackConsumerTest : public ::testing::Test {
 protected:
  CallbackConsumerTest() { webhook_.secret = "secret"; }
  // As the server says it.
  std::string body(domain::EventKind kind, const char* user = "", int64_t second = 1) {
    domain::StoredEvent stored;
    stored.event.id = EventId("EV_" + std::to_string(++last_id_));
    stored.event.kind = kind;
    stored.event.app = AppId("app");
    stored.event.room = RoomId("room");
    stored.event.user = UserId(user);
    stored.event.at = wall_from_unix_s(second);
    stored.event.reason = {.why = domain::LeaveReason::RoomDismissed,
                           .number = -1011,
                           .name = "ROOM_DISMISS",
                           .text = "the lesson \"maths\" is over",
                           .operation = OperationId("OP_1"),
                           .operator_id = "AK"};
    return webhook::vendor_body(stored, webhook_, secrets_);
  }
  int join(const char* user) {
    return consumer_.on_callback(body(domain::EventKind::UserJoined, user));
  }
  int leave(const char* user) {
    return consumer_.on_callback(body(domain::EventKind::UserLeft, user));
  }
  int end() { return consumer_.on_callback(body(domain::EventKind::RoomEnded)); }
  bool is_silent() const { return consumer_.violations().empty(); }

  SeededSecretSource secrets_{1};
  domain::Webhook webhook_;
  CallbackConsumer consumer_{"app", "secret"};
  int last_id_ = 0;
};

TEST_F(CallbackConsumerTest, table_follows_a_life) {
  EXPECT_EQ(join("ann"), 200);
  EXPECT_EQ(join("bob"), 200);
  EXPECT_EQ(consumer_.table(), (CallbackConsumer::Table{{"room", {"ann", "bob"}}}));
  leave("ann");
  EXPECT_EQ(consumer_.table(), (CallbackConsumer::Table{{"room", {"bob"}}}));
  leave("bob");
  EXPECT_EQ(consumer_.table(), (CallbackConsumer::Table{{"room", {}}}));
  end();
  EXPECT_TRUE(consumer_.table().empty());
  EXPECT_TRUE(is_silent());
}

TEST_F(CallbackConsumerTest, duplicates_change_nothing) {
  const std::string once = body(domain::EventKind::UserJoined, "ann");
  EXPECT_EQ(consumer_.on_callback(once), 200);
  EXPECT_EQ(consumer_.on_callback(once), 200);
  EXPECT_EQ(consumer_.duplicates(), 1u);
  EXPECT_EQ(consumer_.events(), 1u);
  EXPECT_TRUE(is_silent());
}

TEST_F(CallbackConsumerTest, duplicate_with_another_id_is_found) {
  join("ann");
  join("ann");
  EXPECT_FALSE(is_silent());
}

TEST_F(CallbackConsumerTest, id_that_names_two_events_is_found) {
  join("ann");
  --last_id_;
  join("bob");
  EXPECT_FALSE(is_silent());
}

TEST_F(CallbackConsumerTest, end_of_a_room_before_its_users_left_is_found) {
  join("ann");
  end();
  EXPECT_FALSE(is_silent());
}

TEST_F(CallbackConsumerTest, leave_before_the_join_is_found) {
  leave("ann");
  EXPECT_FALSE(is_silent());
}

TEST_F(CallbackConsumerTest, time_that_runs_backwards_is_found) {
  consumer_.on_callback(body(domain::EventKind::UserJoined, "ann", 2));
  consumer_.on_callback(body(domain::EventKind::UserJoined, "bob", 1));
  EXPECT_FALSE(is_silent());
}

TEST_F(CallbackConsumerTest, wrong_signature_is_refused) {
  std::string forged = body(domain::EventKind::UserJoined, "ann");
  forged.replace(forged.find("ann"), 3, "eve");
  EXPECT_EQ(consumer_.on_callback(forged), 400);
  EXPECT_FALSE(is_silent());
  EXPECT_TRUE(consumer_.table().empty());
}

TEST_F(CallbackConsumerTest, every_truncation_is_refused) {
  const std::string whole = body(domain::EventKind::UserLeft, "ann");
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(consumer_.on_callback(whole.substr(0, length)), 400) << length;
}

}  // namespace
}  // namespace atrium::sim
