#include "adapters/openapi/call_keys.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace atrium::openapi {
namespace {

using std::chrono::hours;
using Verdict = CallKeys::Verdict;

domain::CallKey a_key(const std::string& key, const std::string& account = "acme") {
  return {account, "DismissRoom", "2020-12-01", key};
}
domain::KeyedCall done(const domain::CallKey& key, Wall at) {
  return {.key = key,
          .body_hash = sha256(as_bytes("a")),
          .operation = OperationId("OP_1"),
          .outcome = 0,
          .at = at};
}

const Sha256 kBody = sha256(as_bytes("a")), kOther = sha256(as_bytes("b"));
constexpr Wall kNow{std::chrono::hours(500'000)};

TEST(CallKeysTest, a_key_is_new_then_running_then_done) {
  CallKeys keys;
  EXPECT_EQ(keys.look(a_key("k"), kBody, kNow), Verdict::New);
  keys.begin(a_key("k"), kBody, kNow);
  EXPECT_EQ(keys.look(a_key("k"), kBody, kNow), Verdict::Running);
  EXPECT_EQ(keys.find(a_key("k")), nullptr);
  keys.finish(done(a_key("k"), kNow));
  EXPECT_EQ(keys.look(a_key("k"), kBody, kNow), Verdict::Done);
  EXPECT_EQ(keys.find(a_key("k"))->operation, OperationId("OP_1"));
}

TEST(CallKeysTest, another_body_is_told_apart_and_other_scopes_do_not_meet) {
  CallKeys keys;
  keys.begin(a_key("k"), kBody, kNow);
  EXPECT_EQ(keys.look(a_key("k"), kOther, kNow), Verdict::OtherBody);
  EXPECT_EQ(keys.look(a_key("k", "other"), kOther, kNow), Verdict::New);
  domain::CallKey action = a_key("k");
  action.action = "KickUser";
  EXPECT_EQ(keys.look(action, kOther, kNow), Verdict::New);
  domain::CallKey version = a_key("k");
  version.version = "2026-12-01";
  EXPECT_EQ(keys.look(version, kOther, kNow), Verdict::New);
}

TEST(CallKeysTest, a_dropped_key_is_free_again) {
  CallKeys keys;
  keys.begin(a_key("k"), kBody, kNow);
  keys.drop(a_key("k"));
  EXPECT_EQ(keys.look(a_key("k"), kOther, kNow), Verdict::New);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(CallKeysTest, keys_are_forgotten_after_a_day_and_not_before) {
  CallKeys keys;
  keys.finish(done(a_key("k"), kNow));
  const Wall last = kNow + hours(limits::kCallKeyKeepHours) - std::chrono::microseconds(1);
  EXPECT_EQ(keys.look(a_key("k"), kBody, last), Verdict::Done);
  EXPECT_EQ(keys.look(a_key("k"), kOther, last + std::chrono::microseconds(1)), Verdict::New);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(CallKeysTest, an_account_has_a_bound_of_its_own) {
  CallKeys keys;
  for (int64_t i = 0; i < limits::kCallKeysPerAccountMax; ++i)
    keys.finish(done(a_key(std::to_string(i)), kNow));
  EXPECT_EQ(keys.look(a_key("one more"), kBody, kNow), Verdict::Full);
  EXPECT_EQ(keys.look(a_key("7"), kBody, kNow), Verdict::Done)
      << "known ones are answered all the same";
  EXPECT_EQ(keys.look(a_key("one more", "other"), kBody, kNow), Verdict::New);
  keys.drop(a_key("7"));
  EXPECT_EQ(keys.look(a_key("one more"), kBody, kNow), Verdict::New);
}

}  // namespace
}  // namespace atrium::openapi
