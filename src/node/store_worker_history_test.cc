#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "node/store_worker.h"
#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

namespace fs = std::filesystem;

const Now kNow{.mono = Mono(std::chrono::seconds(1)), .wall = wall_from_unix_s(1'795'386'900)};

class StoreWorkerHistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / ("atrium_store_worker_history_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void open(store::StoreOptions options) {
    auto opened = store::Store::open((folder_ / "atrium.db").string(), std::move(options), kNow);
    worker_.emplace(MUST(std::move(opened)), requests, replies);
  }
  template <typename T>
  T reply() {
    StoreReply next;
    EXPECT_TRUE(replies.try_receive(next));
    EXPECT_TRUE(std::holds_alternative<T>(next));
    return std::holds_alternative<T>(next) ? std::get<T>(std::move(next)) : T();
  }

  fs::path folder_;
  TightRing<StoreRequest> requests;
  TightRing<StoreReply> replies;
  std::optional<StoreWorker> worker_;
};

store::PutHistory visits(int count) {
  store::PutHistory put;
  for (int i = 0; i < count; ++i) {
    domain::Event& joined = put.facts.emplace_back();
    joined.kind = domain::EventKind::UserJoined;
    joined.app = AppId("app");
    joined.room = RoomId("room");
    joined.room_sid = RoomSid("RM_1");
    joined.participant = ParticipantSid("PA_" + std::to_string(i));
    joined.user = UserId("user-" + std::to_string(i));
    joined.at = kNow.wall;
  }
  return put;
}
store::PutDismissal a_dismissal(const char* operation) {
  store::PutDismissal put;
  put.record.operation = OperationId(operation);
  put.record.accepted_at = kNow.wall;
  return put;
}

TEST_F(StoreWorkerHistoryTest, history_that_fills_the_disk_fails_alone) {
  open({.pages_max = 60});
  requests.values.push_back(store::WriteRequest(a_dismissal("OP_1")));
  requests.values.push_back(store::WriteRequest(visits(1'000)));
  requests.values.push_back(store::WriteRequest(a_dismissal("OP_2")));
  worker_->on_wake(kNow);
  EXPECT_TRUE(reply<RecordWritten>().ok);
  const auto history = reply<HistoryWritten>();
  EXPECT_FALSE(history.ok);
  EXPECT_EQ(history.facts, 1'000u);
  EXPECT_NE(history.why, "");
  EXPECT_TRUE(reply<RecordWritten>().ok);
  requests.values.push_back(FindDismissal{WaiterId{1}, OperationId("OP_2")});
  worker_->on_wake(kNow);
  EXPECT_TRUE(reply<DismissalFound>().record.has_value()) << "it is really there";
}

TEST_F(StoreWorkerHistoryTest, a_question_sees_the_facts_before_it) {
  open({});
  domain::HistoryQuery query{
      .app = AppId("app"), .from = kNow.wall, .until = kNow.wall, .limit = 10};
  requests.values.push_back(store::WriteRequest(visits(3)));
  requests.values.push_back(FindVisitors{WaiterId{1}, query});
  requests.values.push_back(FindLives{WaiterId{2}, query});
  worker_->on_wake(kNow);
  EXPECT_TRUE(reply<HistoryWritten>().ok);
  const auto visitors = reply<VisitorsFound>();
  EXPECT_EQ(visitors.waiter, WaiterId{1});
  EXPECT_EQ(visitors.page.value().total, 3u);
  EXPECT_EQ(reply<LivesFound>().page.value().total, 0u);
}

}  // namespace
}  // namespace atrium::node::testing
