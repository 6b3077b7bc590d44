// Dead letters of a webhook wait again: what goes to the store, and when the caller is told.
#include <gtest/gtest.h>

#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

class RedriveTest : public ControlTest {
 protected:
  RedriveTest() {
    domain::Webhook hook;
    hook.id = WebhookId("WH_abcdefghijklmnopq");
    hook.app = AppId(kApp);
    hook.url = "https://backend.example/";
    hook.dialect = domain::WebhookDialect::LiveKit;
    control->restore(std::vector{hook}, now);
    to_store.values.clear();
  }

  ConnectionId redrive(const std::string& fields) {
    const std::string body = std::string(R"({"AppId":")") + kApp +
                             R"(","WebhookId":"WH_abcdefghijklmnopq")" + fields + "}";
    openapi::Request made{"POST",
                          "/?Action=RedriveDeadLetters&Version=2026-12-01",
                          {{"Host", "atrium"}, {"Idempotency-Key", "k"}},
                          body,
                          {}};
    openapi::sign_request(made, {"AKLTtest", "secret-key"}, now.wall);
    const ConnectionId id = connection();
    control->on_request(
        id, HttpRequest{Listener::Public, "POST", made.target, made.headers, body, {}, false}, now);
    return id;
  }
  // The next write that is more than records of the audit.
  store::WriteRequest next_write() {
    StoreRequest request;
    while (to_store.try_receive(request)) {
      auto* write = std::get_if<store::WriteRequest>(&request);
      if (write == nullptr) continue;
      if (!write->calls.empty() || std::holds_alternative<store::Redrive>(write->what))
        return std::move(*write);
    }
    ADD_FAILURE() << "nothing was written";
    return {};
  }
  void is_written(const store::WriteRequest& write) {
    if (const auto* one = std::get_if<store::Redrive>(&write.what))
      from_store.values.push_back(RecordWritten{one->operation, true});
    if (write.call) from_store.values.push_back(CallWritten{*write.call, true});
    control->on_wake(now);
  }
  bool is_answered(ConnectionId id) { return !http.seen[id].responses.empty(); }
};

TEST_F(RedriveTest, the_key_of_one_goes_with_it) {
  const ConnectionId id = redrive(R"(,"EventId":"EV_abcdefghijklmnopq")");
  const store::WriteRequest write = next_write();
  EXPECT_EQ(write.audit.size(), 1u);
  ASSERT_EQ(write.calls.size(), 1u);
  EXPECT_EQ(write.calls[0].operation, std::get<store::Redrive>(write.what).operation);
  EXPECT_FALSE(is_answered(id));
  is_written(write);
  ASSERT_TRUE(is_answered(id));
  EXPECT_EQ(http.seen[id].responses[0].status, 200) << body_of(id);
}

TEST_F(RedriveTest, the_key_of_all_is_durable_before_the_answer_and_not_before_the_last_step) {
  const ConnectionId id = redrive("");
  const store::WriteRequest write = next_write();
  EXPECT_EQ(write.audit.size(), 1u);
  EXPECT_TRUE(write.calls.empty()) << "a call that is cut short can be repeated";
  is_written(write);
  EXPECT_FALSE(is_answered(id)) << "its key is not written yet";
  const store::WriteRequest of_key = next_write();
  ASSERT_EQ(of_key.calls.size(), 1u);
  is_written(of_key);
  ASSERT_TRUE(is_answered(id));
  EXPECT_EQ(http.seen[id].responses[0].status, 200) << body_of(id);
}

}  // namespace
}  // namespace atrium::node::testing
