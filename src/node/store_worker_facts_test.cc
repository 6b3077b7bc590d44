// Events and audit records on their way through the store worker: none overtakes another, and a write that fails loses
// none.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "adapters/store/vfs_fault.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/seeded_secret_source.h"
#include "node/store_worker.h"
#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class StoreWorkerFactsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_store_facts_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    vfs_ = MUST(store::FaultVfs::create([this](const store::VfsStep& step) {
      const bool fails = is_full_ && step.op == store::VfsOp::Write;
      return fails ? store::VfsVerdict::Full : store::VfsVerdict::Go;
    }));
    store::StoreOptions options;
    options.vfs = vfs_->name();
    options.sealing.nonces = &nonces_;
    worker_.emplace(
        MUST(store::Store::open((folder_ / "atrium.db").string(), std::move(options), now_)),
        requests_, replies_);
  }
  void TearDown() override {
    worker_.reset();
    fs::remove_all(folder_);
  }

  domain::Event event(int number, const char* room = "room") {
    domain::Event out;
    out.id = EventId("EV_" + std::to_string(number));
    out.kind = domain::EventKind::UserJoined;
    out.app = AppId("app");
    out.room = RoomId(room);
    out.room_sid = RoomSid("RM_1");
    out.participant = ParticipantSid("PA_" + std::to_string(number));
    out.user = UserId("user-" + std::to_string(number));
    out.at = now_.wall;
    return out;
  }
  static store::PutDismissal a_dismissal(const char* operation, Wall at) {
    store::PutDismissal put;
    put.record.operation = OperationId(operation);
    put.record.accepted_at = at;
    return put;
  }
  void send(store::WriteRequest request) { requests_.values.push_back(std::move(request)); }
  void run() { worker_->on_wake(now_); }
  template <typename T>
  std::vector<T> take() {
    std::vector<T> out;
    for (StoreReply& reply : replies_.values)
      if (auto* one = std::get_if<T>(&reply)) out.push_back(std::move(*one));
    replies_.values.clear();
    return out;
  }
  std::vector<domain::StoredEvent> stored() {
    replies_.values.clear();
    requests_.values.push_back(FindEvents{WaiterId{1}, {.app = AppId("app"), .limit = 100}});
    run();
    const auto found = take<EventsFound>();
    return found.empty() || !found[0].page ? std::vector<domain::StoredEvent>()
                                           : found[0].page->events;
  }

  Now now_{.mono = Mono(1s), .wall = wall_from_unix_s(1'795'386'900)};
  SeededSecretSource nonces_{5};
  fs::path folder_;
  bool is_full_ = false;
  TightRing<StoreRequest> requests_;
  TightRing<StoreReply> replies_;
  std::unique_ptr<store::FaultVfs> vfs_;
  std::optional<StoreWorker> worker_;
};

TEST_F(StoreWorkerFactsTest, events_are_numbered_in_the_order_in_which_they_came) {
  send(store::of_events({event(1), event(2)}));
  send(store::of_events({event(3, "other"), event(4)}));
  run();
  const auto written = take<EventsWritten>();
  ASSERT_EQ(written.size(), 2u);
  EXPECT_TRUE(written[0].ok && written[1].ok);
  const auto events = stored();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].event.id.value, "EV_1");
  EXPECT_EQ(events[3].event.id.value, "EV_4");
  EXPECT_EQ(events[3].sequence, 3) << "of its room";
  EXPECT_EQ(events[2].sequence, 1);
}

TEST_F(StoreWorkerFactsTest, what_a_failed_write_left_goes_before_what_comes_later) {
  is_full_ = true;
  store::WriteRequest dismissal(a_dismissal("OP_1", now_.wall));
  dismissal.events = {event(1)};
  dismissal.hold = OperationId("OP_1");
  dismissal.held_events = {event(2)};
  send(dismissal);
  run();
  EXPECT_FALSE(take<RecordWritten>().at(0).ok) << "the effect is answered as failed";
  is_full_ = false;
  send(store::of_events({event(3)}));
  run();
  store::WriteRequest release;
  release.release = OperationId("OP_1");
  send(release);
  run();
  const auto events = stored();
  ASSERT_EQ(events.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(events[i].event.id.value, "EV_" + std::to_string(i + 1));
    EXPECT_EQ(events[i].sequence, static_cast<int64_t>(i + 1));
  }
  requests_.values.push_back(FindDismissal{WaiterId{1}, OperationId("OP_1")});
  run();
  EXPECT_FALSE(take<DismissalFound>().at(0).record.has_value()) << "the effect is not repeated";
}

TEST_F(StoreWorkerFactsTest, what_waits_is_tried_again_without_anything_new) {
  is_full_ = true;
  send(store::of_events({event(1)}));
  run();
  EXPECT_FALSE(take<EventsWritten>().at(0).ok);
  is_full_ = false;
  const Mono due = worker_->next_deadline();
  ASSERT_LE(due, now_.mono + 1s);
  now_.mono = due;
  worker_->on_deadline(now_);
  EXPECT_TRUE(take<EventsWritten>().at(0).ok);
  EXPECT_EQ(stored().size(), 1u);
}

TEST_F(StoreWorkerFactsTest, a_held_event_stops_its_room_until_it_is_released) {
  store::WriteRequest dismissal(a_dismissal("OP_1", now_.wall));
  dismissal.hold = OperationId("OP_1");
  dismissal.held_events = {event(1)};
  send(dismissal);
  send(store::of_events({event(2), event(3, "other")}));
  run();
  EXPECT_TRUE(stored().empty()) << "nor what comes after it, of any room: a cursor never goes back";
  store::WriteRequest release;
  release.release = OperationId("OP_1");
  send(release);
  run();
  EXPECT_EQ(stored().size(), 3u);
}

TEST_F(StoreWorkerFactsTest, a_question_sees_the_facts_before_it) {
  domain::HistoryQuery query{
      .app = AppId("app"), .from = now_.wall, .until = now_.wall, .limit = 10};
  send(store::of_events({event(1), event(2), event(3)}));
  requests_.values.push_back(FindVisitors{WaiterId{1}, query});
  run();
  EXPECT_EQ(take<VisitorsFound>().at(0).page.value().total, 3u);
}

TEST_F(StoreWorkerFactsTest, a_redrive_of_all_goes_in_steps_and_is_answered_after_the_last) {
  constexpr int kDead = 2 * limits::kDeadLettersPageMax + 1;
  domain::Webhook hook;
  hook.id = WebhookId("WH_1");
  hook.app = AppId("app");
  send(store::PutWebhook{OperationId("OP_hook"), hook});
  std::vector<domain::Event> events;
  for (int i = 1; i <= kDead; ++i) events.push_back(event(i));
  send(store::of_events(std::move(events)));
  store::PutDeliveries outcomes;
  for (int i = 1; i <= kDead; ++i)
    outcomes.outcomes.push_back({.webhook = hook.id,
                                 .app = AppId("app"),
                                 .room = RoomId("room"),
                                 .cursor = i,
                                 .end = domain::DeliveryEnd::Dead,
                                 .at = now_.wall});
  send(std::move(outcomes));
  run();
  replies_.values.clear();
  send(store::Redrive{.operation = OperationId("OP_redrive"), .webhook = hook.id});
  run();
  EXPECT_TRUE(take<RecordWritten>().empty()) << "there is more to do";
  EXPECT_EQ(worker_->next_deadline(), Mono::min());
  requests_.values.push_back(FindBacklogs{WaiterId{1}});
  run();  // one more step, and a question in the midst of it
  EXPECT_EQ(std::get<BacklogsFound>(replies_.values.back()).backlogs.at(0).dead, 1u);
  EXPECT_TRUE(take<RecordWritten>().empty());
  run();
  EXPECT_TRUE(take<RecordWritten>().at(0).ok);
  EXPECT_EQ(worker_->next_deadline(), kNever);
  requests_.values.push_back(FindBacklogs{WaiterId{1}});
  run();
  const auto backlog = take<BacklogsFound>().at(0).backlogs.at(0);
  EXPECT_EQ(backlog.dead, 0u);
  EXPECT_EQ(backlog.waiting, static_cast<uint64_t>(kDead));
}

TEST_F(StoreWorkerFactsTest, who_waits_for_a_key_hears_of_it) {
  store::WriteRequest request;
  request.calls.push_back({.key = {"acc", "DismissRoom", "2020-12-01", "k"}, .operation = {}});
  request.calls.back().at = now_.wall;
  request.call = WaiterId{7};
  send(request);
  run();
  const auto written = take<CallWritten>();
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].waiter, WaiterId{7});
  EXPECT_TRUE(written[0].ok);
  is_full_ = true;
  request.calls.back().key.key = "k2";
  send(request);
  run();
  EXPECT_FALSE(take<CallWritten>().at(0).ok);
}

}  // namespace
}  // namespace atrium::node::testing
