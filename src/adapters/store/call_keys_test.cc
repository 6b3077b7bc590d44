#include "adapters/store/call_keys.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

using domain::KeyedCall;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Duration kKeep = std::chrono::hours(limits::kCallKeyKeepHours);

class CallKeysTest : public StoreFixture {
 protected:
  static KeyedCall call(const char* key, Duration after = {}) {
    return {.key = {"account", "DismissRoom", "2026-12-01", key},
            .body_hash = sha256(as_bytes(key)),
            .operation = OperationId(std::string("OP_") + key),
            .outcome = 3,
            .subject = R"({"Message":"success"})",
            .at = kStoreStart + after};
  }
  bool put(std::vector<KeyedCall> calls) {
    WriteRequest request;
    request.calls = std::move(calls);
    return write(std::move(request));
  }
  std::vector<KeyedCall> load(Duration after = {}) {
    return MUST(store->load_calls(kStoreStart + after));
  }
};

TEST_F(CallKeysTest, calls_come_back_as_they_were_newest_last) {
  KeyedCall running = call("b", 1s);
  running.outcome.reset();
  running.operation = {};
  ASSERT_TRUE(put({running, call("a")}));
  restart();
  EXPECT_THAT(load(2s), ElementsAre(call("a"), running));
}

TEST_F(CallKeysTest, each_part_of_the_key_tells_calls_apart_and_the_same_one_is_replaced) {
  std::vector<KeyedCall> calls(5, call("a"));
  calls[1].key.account = "another";
  calls[2].key.action = "KickUser";
  calls[3].key.version = "2020-12-01";
  calls[4].key.key = "A";
  ASSERT_TRUE(put(calls));
  EXPECT_EQ(load().size(), 5u);
  KeyedCall done = call("a", 1s);
  done.outcome = 7;
  ASSERT_TRUE(put({done}));
  EXPECT_EQ(load().size(), 5u);
  EXPECT_EQ(load().back(), done);
}

TEST_F(CallKeysTest, after_a_day_a_call_is_forgotten) {
  ASSERT_TRUE(put({call("a"), call("b", 1s)}));
  EXPECT_EQ(load(kKeep - 1us).size(), 2u);
  EXPECT_THAT(load(kKeep), ElementsAre(call("b", 1s)));
  EXPECT_EQ(purge(kKeep - 1us).calls, 0u);
  EXPECT_EQ(purge(kKeep).calls, 1u);
  restart();
  EXPECT_THAT(load(), ElementsAre(call("b", 1s)));
}

TEST_F(CallKeysTest, each_write_takes_a_few_old_ones_along) {
  ASSERT_TRUE(put({call("a"), call("b"), call("c"), call("d")}));
  ASSERT_TRUE(put({call("late", kKeep)}));
  EXPECT_EQ(std::ssize(load(-1s)), 5 - limits::kPurgeCallKeysPerWrite);
}

TEST_F(CallKeysTest, a_purge_goes_in_bounded_steps) {
  std::vector<KeyedCall> many;
  for (int i = 0; i <= limits::kPurgeRowsPerStep; ++i)
    many.push_back(call(std::to_string(i).c_str()));
  ASSERT_TRUE(put(std::move(many)));
  const Purged purged = purge(kKeep);
  EXPECT_EQ(purged.calls, limits::kPurgeRowsPerStep + 1);
  EXPECT_TRUE(purged.is_complete);
  EXPECT_THAT(load(-1s), IsEmpty());
}

// What the answer of the effect is found by must be there exactly when the effect is.
TEST_F(CallKeysTest, a_call_is_written_with_its_effect_or_not_at_all) {
  PutDismissal broken;
  broken.record.operation = OperationId("OP_a");
  broken.record.accepted_at = kStoreStart;
  broken.record.state = static_cast<domain::DismissalState>(9);
  WriteRequest request(broken);
  request.calls = {call("a")};
  EXPECT_FALSE(write(request));
  EXPECT_THAT(load(), IsEmpty());
  broken.record.state = domain::DismissalState::Done;
  request.what = broken;
  EXPECT_TRUE(write(request));
  EXPECT_THAT(load(), ElementsAre(call("a")));
}

}  // namespace
}  // namespace atrium::store
