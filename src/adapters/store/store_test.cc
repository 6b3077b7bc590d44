#include "adapters/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/store/rows.h"
#include "adapters/store/schema.h"
#include "adapters/store/sqlite.h"
#include "base/limits.h"
#include "base/seeded_secret_source.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;
using domain::DismissalRecord;
using domain::DismissalState;
using domain::NotNotified;
using domain::NotNotifiedReason;
using domain::Tombstone;
using testing::ElementsAre;

constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);
const Now kNow{.mono = Mono(1s), .wall = kStart};

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_store_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name = "atrium.db") const {
    return (folder_ / name).string();
  }
  Store open(StoreOptions options = {}, Now now = kNow) const {
    return MUST(Store::open(path(), std::move(options), now));
  }
  Result<void> run_raw(const char* sql) const {
    Database database = TRY(Database::open(path()));
    return database.run(sql);
  }

  fs::path folder_;
};

DismissalRecord a_record(const char* operation, Wall accepted_at = kStart) {
  DismissalRecord record;
  record.operation = OperationId(operation);
  record.app = AppId("app");
  record.room = RoomId("room");
  record.room_sid = RoomSid("RM_1");
  record.accepted_at = accepted_at;
  return record;
}

DismissalRecord a_full_record(const char* operation) {
  DismissalRecord record = a_record(operation);
  record.epoch = 0xffff'ffff'ffff'fff0;
  record.state = DismissalState::Done;
  record.operator_id = "AKLT1";
  record.request_id = "20260101";
  record.reason = std::string("why\0not", 7);
  record.failure = "none";
  record.fenced_at = kStart + 1ms;
  record.media_cut_at = kStart + 2ms;
  record.notified_at = kStart + 3ms;
  record.closed_at = kStart + 4ms;
  record.fenced_us = 10;
  record.media_cut_us = 20;
  record.notified_us = 30;
  record.closed_us = 40;
  record.users_at_fence = 7;
  record.notified = 5;
  record.not_notified = 2;
  record.not_notified_names = {
      {UserId("bob"), ParticipantSid("PA_b"), NotNotifiedReason::Reconnecting},
      {UserId("amy"), ParticipantSid("PA_a"), NotNotifiedReason::NotWritable},
  };
  record.packets_after_cut = 0;
  record.transports_at_fence = 7;
  record.transports_closed = 6;
  return record;
}

Tombstone a_tombstone(const char* participant, Wall expires_at = kStart + 60s) {
  Tombstone tombstone;
  tombstone.app = AppId("app");
  tombstone.room = RoomId("room");
  tombstone.room_sid = RoomSid("RM_1");
  tombstone.participant = ParticipantSid(participant);
  tombstone.user = UserId("bob");
  tombstone.token_hash = sha256(as_bytes(participant));
  tombstone.operation = OperationId("OP_1");
  tombstone.code = domain::ClientCode::RoomDismiss;
  tombstone.expires_at = expires_at;
  tombstone.text = "end of the lesson";
  tombstone.operator_id = "AKLTteacher";
  return tombstone;
}

bool put(Store& store, DismissalRecord record, std::vector<Tombstone> tombstones = {}) {
  const std::vector<WriteRequest> batch = {PutDismissal{std::move(record), std::move(tombstones)}};
  return store.apply_batch(batch).at(0).has_value();
}
bool put(Store& store, std::vector<Tombstone> tombstones) {
  const std::vector<WriteRequest> batch = {PutTombstones{std::move(tombstones)}};
  return store.apply_batch(batch).at(0).has_value();
}
std::optional<DismissalRecord> find(Store& store, const char* operation) {
  return MUST(store.find_dismissal(OperationId(operation)));
}
std::vector<std::string> participants(Store& store, Wall now = kStart) {
  std::vector<std::string> sids;
  for (const Tombstone& tombstone : MUST(store.load_tombstones(now)))
    sids.push_back(tombstone.participant.value);
  return sids;
}
std::vector<std::string> operations(const std::vector<DismissalRecord>& records) {
  std::vector<std::string> ids;
  for (const DismissalRecord& record : records) ids.push_back(record.operation.value);
  return ids;
}

TEST_F(StoreTest, full_record_comes_back_after_reopening) {
  const DismissalRecord written = a_full_record("OP_1");
  {
    Store store = open();
    ASSERT_TRUE(put(store, written));
  }
  Store store = open();
  const auto read = find(store, "OP_1");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->app, written.app);
  EXPECT_EQ(read->room, written.room);
  EXPECT_EQ(read->room_sid, written.room_sid);
  EXPECT_EQ(read->epoch, written.epoch);
  EXPECT_EQ(read->state, DismissalState::Done);
  EXPECT_EQ(read->operator_id, "AKLT1");
  EXPECT_EQ(read->request_id, "20260101");
  EXPECT_EQ(read->reason, written.reason);
  EXPECT_EQ(read->failure, "none");
  EXPECT_EQ(read->accepted_at, kStart);
  EXPECT_EQ(read->fenced_at, written.fenced_at);
  EXPECT_EQ(read->media_cut_at, written.media_cut_at);
  EXPECT_EQ(read->notified_at, written.notified_at);
  EXPECT_EQ(read->closed_at, written.closed_at);
  EXPECT_EQ(read->fenced_us, 10);
  EXPECT_EQ(read->media_cut_us, 20);
  EXPECT_EQ(read->notified_us, 30);
  EXPECT_EQ(read->closed_us, 40);
  EXPECT_EQ(read->users_at_fence, 7u);
  EXPECT_EQ(read->notified, 5u);
  EXPECT_EQ(read->not_notified, 2u);
  EXPECT_EQ(read->not_notified_names, written.not_notified_names);
  EXPECT_EQ(read->packets_after_cut, 0u);
  EXPECT_EQ(read->transports_at_fence, 7u);
  EXPECT_EQ(read->transports_closed, 6u);
}

TEST_F(StoreTest, what_is_not_known_stays_not_known) {
  Store store = open();
  ASSERT_TRUE(put(store, a_record("OP_1")));
  const auto read = find(store, "OP_1");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->fenced_at || read->media_cut_at || read->notified_at || read->closed_at);
  EXPECT_FALSE(read->fenced_us || read->media_cut_us || read->notified_us || read->closed_us);
  EXPECT_FALSE(read->notified || read->not_notified || read->packets_after_cut);
  EXPECT_FALSE(read->transports_at_fence || read->transports_closed);
}

TEST_F(StoreTest, unknown_operation_is_not_found) {
  Store store = open();
  EXPECT_FALSE(find(store, "OP_none"));
}

TEST_F(StoreTest, later_write_of_an_operation_replaces_it_whole) {
  Store store = open();
  ASSERT_TRUE(put(store, a_full_record("OP_1")));
  DismissalRecord later = a_record("OP_1");
  later.not_notified_names = {
      {UserId("zoe"), ParticipantSid("PA_z"), NotNotifiedReason::Connecting}};
  ASSERT_TRUE(put(store, later));
  const auto read = find(store, "OP_1");
  EXPECT_EQ(read->not_notified_names, later.not_notified_names);
  EXPECT_FALSE(read->closed_at);
  EXPECT_EQ(MUST(store.list_dismissals(AppId("app"), RoomId(), 10)).size(), 1u);
}

TEST_F(StoreTest, running_operations_are_interrupted_when_the_store_is_opened_again) {
  {
    Store store = open();
    DismissalRecord running = a_record("OP_running");
    running.fenced_at = kStart;
    ASSERT_TRUE(put(store, running));
    DismissalRecord failed = a_record("OP_failed");
    failed.state = DismissalState::Failed;
    ASSERT_TRUE(put(store, failed));
    ASSERT_TRUE(put(store, a_full_record("OP_done")));
    EXPECT_EQ(find(store, "OP_running")->state, DismissalState::Running);
  }
  Store store = open();
  const auto interrupted = find(store, "OP_running");
  EXPECT_EQ(interrupted->state, DismissalState::Interrupted);
  EXPECT_EQ(interrupted->fenced_at, kStart);
  EXPECT_FALSE(interrupted->media_cut_at || interrupted->closed_at || interrupted->notified);
  EXPECT_EQ(interrupted->failure, "");
  EXPECT_EQ(find(store, "OP_failed")->state, DismissalState::Failed);
  EXPECT_EQ(find(store, "OP_done")->state, DismissalState::Done);
}

// What the disk holds at `point` is what a process that dies there leaves behind.
TEST_F(StoreTest, crash_before_commit_leaves_nothing_of_the_batch_and_all_that_was_before) {
  StoreOptions options;
  bool is_armed = false;
  options.at_point = [&](std::string_view point) {
    if (!is_armed || point != "before_commit") return;
    fs::copy(path(), path("crash.db"));
    fs::copy(path() + "-wal", path("crash.db-wal"));
  };
  Store store = open(std::move(options));
  ASSERT_TRUE(put(store, a_full_record("OP_before")));
  is_armed = true;
  ASSERT_TRUE(put(store, a_full_record("OP_lost"), {a_tombstone("PA_lost")}));
  Store after = MUST(Store::open(path("crash.db"), {}, kNow));
  EXPECT_TRUE(find(after, "OP_before"));
  EXPECT_FALSE(find(after, "OP_lost"));
  EXPECT_THAT(participants(after), ElementsAre());
}

TEST_F(StoreTest, crash_after_commit_leaves_the_whole_batch) {
  StoreOptions options;
  options.at_point = [&](std::string_view point) {
    if (point != "after_commit") return;
    fs::copy(path(), path("crash.db"));
    fs::copy(path() + "-wal", path("crash.db-wal"));
  };
  Store store = open(std::move(options));
  const std::vector<WriteRequest> batch = {
      PutDismissal{a_full_record("OP_1"), {a_tombstone("PA_1")}},
      PutDismissal{a_record("OP_2"), {}}};
  EXPECT_EQ(store.apply_batch(batch).size(), 2u);
  Store after = MUST(Store::open(path("crash.db"), {}, kNow));
  EXPECT_TRUE(find(after, "OP_1"));
  EXPECT_EQ(find(after, "OP_2")->state, DismissalState::Interrupted);
  EXPECT_THAT(participants(after), ElementsAre("PA_1"));
}

TEST_F(StoreTest, batch_is_one_transaction) {
  StoreOptions options;
  std::vector<std::string> points;
  options.at_point = [&](std::string_view point) { points.emplace_back(point); };
  Store store = open(std::move(options));
  const std::vector<WriteRequest> batch = {PutDismissal{a_record("OP_1"), {}},
                                           PutDismissal{a_record("OP_2"), {}},
                                           PutTombstones{{a_tombstone("PA_1")}}};
  const auto results = store.apply_batch(batch);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0] && results[1] && results[2]);
  EXPECT_THAT(points, ElementsAre("before_commit", "after_commit"));
}

TEST_F(StoreTest, empty_batch_touches_nothing) {
  StoreOptions options;
  int points = 0;
  options.at_point = [&](std::string_view) { ++points; };
  Store store = open(std::move(options));
  EXPECT_TRUE(store.apply_batch({}).empty());
  EXPECT_EQ(points, 0);
}

TEST_F(StoreTest, request_that_breaks_a_rule_fails_alone_and_leaves_nothing) {
  Store store = open();
  DismissalRecord broken = a_full_record("OP_broken");
  broken.not_notified_names[1].reason = static_cast<NotNotifiedReason>(99);
  const std::vector<WriteRequest> batch = {PutDismissal{a_record("OP_1"), {}},
                                           PutDismissal{broken, {a_tombstone("PA_broken")}},
                                           PutDismissal{a_record("OP_2"), {}}};
  const auto results = store.apply_batch(batch);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  EXPECT_FALSE(results[1]);
  EXPECT_TRUE(results[2]);
  EXPECT_TRUE(find(store, "OP_1"));
  EXPECT_FALSE(find(store, "OP_broken"));
  EXPECT_TRUE(find(store, "OP_2"));
  EXPECT_THAT(participants(store), ElementsAre());
}

TEST_F(StoreTest, full_disk_fails_the_write_and_the_store_stays_usable) {
  { Store store = open(); }
  const auto pages = static_cast<int64_t>(fs::file_size(path()) / 4096);
  Store store = open({.pages_max = pages + 4});
  ASSERT_TRUE(put(store, a_full_record("OP_before")));
  DismissalRecord huge = a_record("OP_huge");
  huge.reason = std::string(100'000, 'x');
  const std::vector<WriteRequest> batch = {PutDismissal{a_record("OP_small"), {}},
                                           PutDismissal{huge, {}}};
  const auto results = store.apply_batch(batch);
  ASSERT_EQ(results.size(), 2u);
  EXPECT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().kind, ErrorKind::Unavailable);
  EXPECT_STREQ(results[1].error().what, "the disk is full");
  EXPECT_EQ(results[0].has_value(), find(store, "OP_small").has_value());
  EXPECT_TRUE(find(store, "OP_before"));
  EXPECT_FALSE(find(store, "OP_huge"));
  EXPECT_TRUE(put(store, a_record("OP_after")));
  EXPECT_TRUE(find(store, "OP_after"));
}

// While it lives, the kernel refuses to let any file of this process grow beyond `bytes`: write(2) fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lowered{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lowered);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

TEST_F(StoreTest, failing_disk_fails_the_whole_batch_and_the_store_recovers_with_it) {
  Store store = open();
  ASSERT_TRUE(put(store, a_full_record("OP_before")));
  DismissalRecord large = a_record("OP_large");
  large.reason = std::string(400'000, 'x');
  {
    const FileSizeLimit limit(fs::file_size(path() + "-wal") + 100'000);
    const std::vector<WriteRequest> batch = {
        PutDismissal{a_record("OP_small"), {a_tombstone("PA_1")}}, PutDismissal{large, {}}};
    const auto results = store.apply_batch(batch);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_FALSE(results[0]);
    EXPECT_FALSE(results[1]);
    EXPECT_EQ(results[0].error().kind, ErrorKind::Unavailable);
  }
  EXPECT_TRUE(find(store, "OP_before"));
  EXPECT_FALSE(find(store, "OP_small"));
  EXPECT_THAT(participants(store), ElementsAre());
  EXPECT_TRUE(put(store, large));
  EXPECT_EQ(find(store, "OP_large")->reason.size(), large.reason.size());
}

TEST_F(StoreTest, store_held_by_another_process_fails_the_batch_and_recovers) {
  Store store = open();
  {
    Database other = MUST(Database::open(path()));
    const Transaction held = MUST(Transaction::begin(other));
    EXPECT_FALSE(put(store, a_record("OP_1")));
    EXPECT_FALSE(find(store, "OP_1"));
  }
  EXPECT_TRUE(put(store, a_record("OP_1")));
  EXPECT_TRUE(find(store, "OP_1"));
}

TEST_F(StoreTest, planted_fault_pretends_to_write_dismissals) {
  Store store = open({.drop_dismissal_writes = true});
  EXPECT_TRUE(put(store, a_record("OP_1"), {a_tombstone("PA_1")}));
  EXPECT_TRUE(put(store, {a_tombstone("PA_2")}));
  EXPECT_FALSE(find(store, "OP_1"));
  EXPECT_THAT(participants(store), ElementsAre("PA_2"));
}

TEST_F(StoreTest, names_beyond_the_receipts_bound_are_left_out) {
  Store store = open();
  DismissalRecord record = a_record("OP_1");
  record.not_notified_names.resize(limits::kReceiptNamesMax + 5);
  record.not_notified = limits::kReceiptNamesMax + 5;
  ASSERT_TRUE(put(store, record));
  EXPECT_EQ(find(store, "OP_1")->not_notified_names.size(),
            static_cast<size_t>(limits::kReceiptNamesMax));
  EXPECT_EQ(find(store, "OP_1")->not_notified, limits::kReceiptNamesMax + 5);
}

TEST_F(StoreTest, tombstones_come_back_latest_first_and_unexpired_only) {
  const Tombstone middle = a_tombstone("PA_middle", kStart + 30s);
  {
    Store store = open();
    ASSERT_TRUE(put(store, {a_tombstone("PA_early", kStart + 10s),
                            a_tombstone("PA_late", kStart + 50s), middle}));
  }
  Store store = open();
  EXPECT_THAT(participants(store), ElementsAre("PA_late", "PA_middle", "PA_early"));
  EXPECT_THAT(participants(store, kStart + 10s), ElementsAre("PA_late", "PA_middle"));
  EXPECT_EQ(MUST(store.load_tombstones(kStart + 20s)).at(1), middle);
}

TEST_F(StoreTest, tombstone_of_the_same_participant_and_token_is_replaced) {
  Store store = open();
  ASSERT_TRUE(put(store, {a_tombstone("PA_1", kStart + 10s)}));
  ASSERT_TRUE(put(store, {a_tombstone("PA_1", kStart + 20s)}));
  const auto rows = MUST(store.load_tombstones(kStart));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].expires_at, kStart + 20s);
}

TEST_F(StoreTest, final_record_takes_away_the_tombstones_of_those_who_were_told) {
  Tombstone elsewhere = a_tombstone("PA_other");
  elsewhere.operation = OperationId("OP_2");
  Store store = open();
  ASSERT_TRUE(put(store, a_record("OP_1"), {a_tombstone("PA_1"), a_tombstone("PA_2"), elsewhere}));
  const std::vector<WriteRequest> batch = {
      PutDismissal{a_record("OP_1"), {}, {ParticipantSid("PA_1"), ParticipantSid("PA_other")}}};
  ASSERT_TRUE(store.apply_batch(batch).at(0).has_value());
  EXPECT_THAT(participants(store), testing::UnorderedElementsAre("PA_2", "PA_other"));
}

TEST_F(StoreTest, writing_takes_away_what_is_too_old_by_the_time_of_the_new_rows) {
  Store store = open();
  const Wall later = kStart + std::chrono::days(31);
  ASSERT_TRUE(put(store, a_record("OP_old"), {a_tombstone("PA_old")}));
  ASSERT_TRUE(put(store, a_record("OP_new", later), {a_tombstone("PA_new", later + 60s)}));
  EXPECT_FALSE(find(store, "OP_old"));
  EXPECT_TRUE(find(store, "OP_new"));
  EXPECT_THAT(participants(store, kStart - 1s), ElementsAre("PA_new"));
}

TEST_F(StoreTest, writing_leaves_what_may_still_be_alive) {
  Store store = open();
  ASSERT_TRUE(put(store, {a_tombstone("PA_1", kStart + 60s)}));
  ASSERT_TRUE(put(store, {a_tombstone("PA_2", kStart + 60s + 59s)}));
  EXPECT_THAT(participants(store, kStart + 59s), ElementsAre("PA_2", "PA_1"));
}

TEST_F(StoreTest, purge_removes_expired_tombstones_and_records_of_thirty_days) {
  Store store = open();
  DismissalRecord old_record = a_full_record("OP_old");
  ASSERT_TRUE(put(store, old_record));
  ASSERT_TRUE(put(store, a_record("OP_new", kStart + 1s)));
  ASSERT_TRUE(put(store, {a_tombstone("PA_1", kStart + 10s),
                          a_tombstone("PA_2", kStart + std::chrono::days(40))}));
  const auto purged = store.purge(kStart + std::chrono::days(30) + 1ms);
  ASSERT_TRUE(purged);
  EXPECT_EQ(purged->dismissals, 1u);
  EXPECT_EQ(purged->tombstones, 1u);
  EXPECT_TRUE(purged->is_complete);
  EXPECT_FALSE(find(store, "OP_old"));
  EXPECT_TRUE(find(store, "OP_new"));
  EXPECT_THAT(participants(store, kStart), ElementsAre("PA_2"));
  // The names of the purged record are gone too: a record of the same id does not find them.
  ASSERT_TRUE(put(store, a_record("OP_old", kStart + std::chrono::days(30))));
  EXPECT_TRUE(find(store, "OP_old")->not_notified_names.empty());
}

TEST_F(StoreTest, purge_works_in_bounded_steps) {
  Store store = open();
  const int64_t per_call = limits::kPurgeRowsPerStep * limits::kPurgeStepsMax;
  std::vector<Tombstone> many;
  for (int64_t i = 0; i < per_call + 3; ++i)
    many.push_back(a_tombstone(("PA_" + std::to_string(i)).c_str()));
  ASSERT_TRUE(put(store, many));
  const auto first = store.purge(kStart + 61s);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->tombstones, per_call);
  EXPECT_FALSE(first->is_complete);
  const auto second = store.purge(kStart + 61s);
  EXPECT_EQ(second->tombstones, 3u);
  EXPECT_TRUE(second->is_complete);
}

TEST_F(StoreTest, purge_keeps_the_latest_records_within_their_bound_and_all_that_run) {
  Store store = open({.dismissals_max = 2});
  DismissalRecord done = a_full_record("OP_1");
  ASSERT_TRUE(put(store, a_record("OP_0", kStart - 1s)));  // Running
  ASSERT_TRUE(put(store, done));
  for (const char* operation : {"OP_2", "OP_3"}) {
    DismissalRecord later = a_full_record(operation);
    later.accepted_at = kStart + 1s;
    ASSERT_TRUE(put(store, later));
  }
  const Purged purged = MUST(store.purge(kStart + 2s));
  EXPECT_EQ(purged.dismissals, 2u);
  EXPECT_TRUE(find(store, "OP_0"));
  EXPECT_FALSE(find(store, "OP_1"));
  EXPECT_FALSE(find(store, "OP_2"));
  EXPECT_TRUE(find(store, "OP_3"));
}

TEST_F(StoreTest, opening_purges) {
  {
    Store store = open();
    ASSERT_TRUE(put(store, a_full_record("OP_old")));
  }
  Store store = open({}, {.mono = Mono(1s), .wall = kStart + std::chrono::days(31)});
  EXPECT_FALSE(find(store, "OP_old"));
}

TEST_F(StoreTest, records_are_listed_latest_first_by_application_and_room) {
  Store store = open();
  DismissalRecord other_room = a_record("OP_2", kStart + 2s),
                  other_app = a_record("OP_3", kStart + 3s);
  other_room.room = RoomId("another");
  other_app.app = AppId("another");
  ASSERT_TRUE(put(store, a_record("OP_1", kStart + 1s)));
  ASSERT_TRUE(put(store, other_room));
  ASSERT_TRUE(put(store, other_app));
  ASSERT_TRUE(put(store, a_full_record("OP_4")));
  const AppId app("app");
  const auto all = MUST(store.list_dismissals(app, RoomId(), 10));
  EXPECT_THAT(operations(all), ElementsAre("OP_2", "OP_1", "OP_4"));
  EXPECT_EQ(all[2].not_notified_names.size(), 2u);
  EXPECT_THAT(operations(MUST(store.list_dismissals(app, RoomId("room"), 10))),
              ElementsAre("OP_1", "OP_4"));
  EXPECT_THAT(operations(MUST(store.list_dismissals(app, RoomId(), 1))), ElementsAre("OP_2"));
  EXPECT_THAT(operations(MUST(store.list_dismissals(AppId("none"), RoomId(), 10))), ElementsAre());
}

domain::BanRule a_ban(const char* id, domain::BanTarget target, Wall expires_at,
                      const char* app = "app") {
  return {.id = BanId(id),
          .app = AppId(app),
          .target = std::move(target),
          .operator_id = "AK",
          .reason = "why",
          .created_at = kStart,
          .expires_at = expires_at};
}

TEST_F(StoreTest, ban_rules_come_back_as_they_were) {
  const domain::BanRule room =
      a_ban("BN_1", {.room = RoomId("r"), .user = {}, .ip = {}}, kStart + 60s);
  const domain::BanRule seat =
      a_ban("BN_2", {.room = RoomId("r"), .user = UserId("u"), .ip = {}}, kStart + 60s);
  const domain::BanRule range =
      a_ban("BN_3", {.room = {}, .user = {}, .ip = IpPrefix::parse("2001:db8::/32")}, kStart + 10s);
  const domain::BanRule theirs =
      a_ban("BN_4", {.room = {}, .user = UserId("u"), .ip = {}}, kStart + 60s, "another");
  {
    Store store = open();
    ASSERT_TRUE(store.apply_batch(std::vector<WriteRequest>{
        PutBans{.operation = OperationId("OP_1"), .put = {room, seat, range, theirs}}})[0]);
    PutDismissal with_rule{.record = a_record("OP_2", kStart), .tombstones = {}};
    with_rule.bans = {a_ban("BN_5", {.room = RoomId("s"), .user = {}, .ip = {}}, kStart + 60s)};
    ASSERT_TRUE(store.apply_batch(std::vector<WriteRequest>{with_rule})[0]);
  }
  Store store = open();
  const AppId app("app");
  EXPECT_THAT(MUST(store.list_bans(app, BanId(), 3, kStart)), ElementsAre(room, seat, range));
  EXPECT_EQ(MUST(store.list_bans(app, BanId("BN_3"), 3, kStart)).at(0).id, BanId("BN_5"));
  EXPECT_EQ(MUST(store.list_bans(AppId(), BanId(), 10, kStart)).size(), 5u);
  EXPECT_EQ(MUST(store.list_bans(app, BanId(), 10, kStart + 10s)).size(), 3u) << "one ran out";
  ASSERT_TRUE(store.apply_batch(std::vector<WriteRequest>{
      PutBans{.operation = OperationId("OP_3"), .drop = {BanId("BN_1"), BanId("BN_2")}}})[0]);
  EXPECT_EQ(MUST(store.list_bans(app, BanId(), 10, kStart)).size(), 2u);
  EXPECT_EQ(MUST(store.purge(kStart + 10s)).bans, 1u);
  EXPECT_EQ(MUST(store.list_bans(app, BanId(), 10, kStart)).size(), 1u);
}

// --- applications ---

domain::App some_app(const char* id = "a7e100000000000000000001") {
  domain::App app;
  app.id = AppId(id);
  app.account = "school";
  app.name = "lessons";
  app.any_ids = true;
  app.primary_key = "first key of some app";
  app.secondary_key = "second key of some app";
  app.api_keys = {{"alias", "secret of the alias"}};
  app.created_at = kNow.wall;
  return app;
}

class AppStoreTest : public StoreTest {
 protected:
  StoreOptions sealed_with(uint8_t byte) {
    StoreOptions options;
    options.sealing.key.fill(byte);
    options.sealing.nonces = &nonces_;
    return options;
  }
  static Result<void> put(Store& store, domain::App app, bool is_new) {
    const WriteRequest request = PutApp{OperationId("OP_1"), std::move(app), is_new};
    return store.apply_batch({&request, 1}).front();
  }
  SeededSecretSource nonces_{5};
};

TEST_F(AppStoreTest, app_is_read_back_as_it_was_written_and_replaced_as_a_whole) {
  Store store = open(sealed_with(1));
  ASSERT_TRUE(put(store, some_app(), true));
  EXPECT_EQ(MUST(store.load_apps()), std::vector{some_app()});
  domain::App changed = some_app();
  changed.enabled = false;
  changed.secondary_key = "third key";
  changed.api_keys = {{"another", "secret"}};
  ASSERT_TRUE(put(store, changed, false));
  EXPECT_EQ(MUST(store.load_apps()), std::vector{changed});
}

TEST_F(AppStoreTest, file_shows_no_key_and_another_sealing_key_opens_none) {
  {
    Store store = open(sealed_with(1));
    ASSERT_TRUE(put(store, some_app(), true));
  }
  for (const auto& file : fs::directory_iterator(folder_)) {
    if (!file.is_regular_file()) continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    for (const char* secret : {"first key of some app", "second key of some app", "secret of the"})
      EXPECT_EQ(bytes.find(secret), std::string::npos) << file.path();
  }
  Store other = open(sealed_with(2));
  EXPECT_FALSE(other.load_apps().has_value());
}

TEST_F(AppStoreTest, second_app_of_one_id_or_api_key_fails_alone) {
  Store store = open(sealed_with(1));
  ASSERT_TRUE(put(store, some_app(), true));
  const auto same_id = put(store, some_app(), true);
  ASSERT_FALSE(same_id);
  EXPECT_EQ(same_id.error().kind, ErrorKind::Conflict);
  const auto same_key = put(store, some_app("a7e100000000000000000002"), true);
  ASSERT_FALSE(same_key);
  EXPECT_EQ(MUST(store.load_apps()), std::vector{some_app()});
}

// A file that version 1 of the schema was written into by a daemon of that time.
TEST_F(StoreTest, file_of_version_1_is_copied_and_brought_up_to_date) {
  std::filesystem::copy_file(
      std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v1.db", path());
  const Wall then = wall_from_unix_us(1'795'403'821'000'000);
  Store store = open({}, {.mono = Mono(1s), .wall = then});
  const auto record = find(store, "OP_Ho35l4hdVx5lTRXDu");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->reason, "end of the lesson");
  EXPECT_EQ(record->code, domain::ClientCode::RoomDismiss);
  EXPECT_FALSE(record->forbidden_until.has_value());
  EXPECT_EQ(MUST(store.load_tombstones(then)).size(), 1u);
  EXPECT_TRUE(MUST(store.list_bans(AppId(), BanId(), 10, then)).empty());
  EXPECT_TRUE(std::filesystem::exists(path() + ".v1"));
  EXPECT_TRUE(run_raw("SELECT code FROM dismissals"));
}

// The same of version 2, with ban rules in it.
TEST_F(StoreTest, file_of_version_2_keeps_its_ban_rules) {
  std::filesystem::copy_file(
      std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v2.db", path());
  const Wall then = wall_from_unix_us(1'795'412'500'000'000);
  Store store = open({}, {.mono = Mono(1s), .wall = then});
  const auto bans = MUST(store.list_bans(AppId(), BanId(), 10, then));
  ASSERT_EQ(bans.size(), 4u);
  EXPECT_EQ(bans[0].id, BanId("BN_1QK53HxipVIya6bSz"));
  EXPECT_EQ(bans[0].target.ip->text(), "192.0.2.7");
  EXPECT_EQ(bans[2].target.user, UserId("eve"));
  EXPECT_TRUE(std::filesystem::exists(path() + ".v2"));
  EXPECT_TRUE(run_raw("SELECT id, primary_key FROM apps"));
}

// The same of version 3, which has no history yet.
TEST_F(StoreTest, file_of_version_3_keeps_its_ban_rules_and_takes_history) {
  std::filesystem::copy_file(
      std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v3.db", path());
  const Wall then = wall_from_unix_us(1'795'413'100'000'000);
  Store store = open({}, {.mono = Mono(1s), .wall = then});
  const auto bans = MUST(store.list_bans(AppId(), BanId(), 10, then));
  ASSERT_EQ(bans.size(), 4u);
  EXPECT_EQ(bans[2].target.room, RoomId("closed"));
  EXPECT_TRUE(std::filesystem::exists(path() + ".v3"));
  EXPECT_TRUE(run_raw("SELECT room_sid FROM lives"));
  EXPECT_TRUE(run_raw("SELECT participant FROM visits"));
}

// The same of version 5, whose tombstones knew a code and not the words.
TEST_F(StoreTest, file_of_version_5_keeps_its_tombstones_without_words) {
  std::filesystem::copy_file(
      std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v5.db", path());
  const Wall then = wall_from_unix_us(1'795'437'100'000'000);
  Store store = open({}, {.mono = Mono(1s), .wall = then});
  const auto tombstones = MUST(store.load_tombstones(then));
  ASSERT_EQ(tombstones.size(), 1u);
  EXPECT_EQ(tombstones[0].user, UserId("cid"));
  EXPECT_EQ(tombstones[0].code, domain::ClientCode::KickedOut);
  EXPECT_EQ(tombstones[0].text, "");
  EXPECT_TRUE(std::filesystem::exists(path() + ".v5"));
}

// The same of version 4, with history in it: what is open becomes what the store shows as open.
TEST_F(StoreTest, file_of_version_4_keeps_its_rows_and_ends_what_was_open_by_events) {
  fs::copy_file(std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v4.db",
                path());
  const Wall then = wall_from_unix_us(1'795'413'100'000'000);
  const AppId app("a7e100000000000000000009");
  Store store = open({}, {.mono = Mono(1s), .wall = then});
  const auto bans = MUST(store.list_bans(AppId(), BanId(), 10, then));
  ASSERT_EQ(bans.size(), 4u);
  EXPECT_EQ(bans[2].target.room, RoomId("closed"));
  const domain::HistoryQuery all{
      .app = app, .from = wall_from_unix_s(1'795'413'000), .until = then, .limit = 10};
  const auto lives = MUST(store.list_lives(all)).lives;
  ASSERT_EQ(lives.size(), 2u);
  EXPECT_EQ(lives[0].ended_at, wall_from_unix_s(1'795'413'005));
  EXPECT_FALSE(lives[0].interrupted);
  EXPECT_TRUE(lives[1].interrupted);
  EXPECT_EQ(MUST(store.list_visitors(all, then)).total, 2u);
  const auto events = MUST(store.list_events({.app = app, .limit = 10})).events;
  ASSERT_EQ(events.size(), 2u) << "the open life's end and its visitor's, and nothing of the other";
  EXPECT_EQ(events[0].event.kind, domain::EventKind::UserLeft);
  EXPECT_EQ(events[0].event.participant, ParticipantSid("PA_here"));
  EXPECT_TRUE(events[0].event.hidden);
  EXPECT_EQ(events[1].event.kind, domain::EventKind::RoomEnded);
  EXPECT_EQ(events[1].event.room_sid, RoomSid("RM_open"));
  EXPECT_TRUE(MUST(store.load_webhooks()).empty());
  EXPECT_TRUE(MUST(store.load_schedules()).empty());
  EXPECT_FALSE(MUST(store.has_audit()));
}

// What an operator goes back to.
TEST_F(StoreTest, file_of_version_4_is_copied_as_it_was_before_it_is_changed) {
  fs::copy_file(std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v4.db",
                path());
  { Store store = open({}, {.mono = Mono(1s), .wall = wall_from_unix_s(1'795'413'100)}); }
  const auto number = [&](const std::string& file, const char* sql) {
    Database database = MUST(Database::open(file));
    Statement statement = MUST(Statement::prepare(database, sql));
    EXPECT_TRUE(MUST(statement.start().step()));
    return statement.number();
  };
  EXPECT_EQ(number(path() + ".v4", "SELECT version FROM schema_version"), 4);
  EXPECT_EQ(number(path() + ".v4", "SELECT count(*) FROM bans"), 4);
  EXPECT_EQ(number(path() + ".v4", "SELECT count(*) FROM lives WHERE ended_at IS NULL"), 1);
  EXPECT_EQ(number(path(), "SELECT version FROM schema_version"), kSchemaVersion);
  EXPECT_EQ(number(path(), "SELECT count(*) FROM apps"), 1);
  EXPECT_EQ(number(path(), "SELECT management FROM api_keys"), 0) << "no key manages by itself";
  EXPECT_EQ(number(path(), "SELECT count(*) FROM open_lives"), 0);
}

TEST_F(StoreTest, file_of_a_newer_version_is_refused) {
  { Store store = open(); }
  ASSERT_TRUE(run_raw("UPDATE schema_version SET version = 99"));
  const auto refused = Store::open(path(), {}, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
  EXPECT_STREQ(refused.error().what, "the store was written by a newer version of this program");
}

TEST_F(StoreTest, database_of_another_program_is_refused_and_left_as_it_was) {
  ASSERT_TRUE(run_raw("CREATE TABLE theirs (x)"));
  const auto refused = Store::open(path(), {}, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
  EXPECT_FALSE(run_raw("SELECT * FROM dismissals"));
  EXPECT_TRUE(run_raw("SELECT * FROM theirs"));
}

TEST_F(StoreTest, file_that_is_no_database_is_refused) {
  std::ofstream(path()) << std::string(8'192, 'x');
  const auto refused = Store::open(path(), {}, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
}

TEST_F(StoreTest, missing_folder_is_an_error) {
  const auto refused = Store::open((folder_ / "none" / "atrium.db").string(), {}, kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
}

TEST_F(StoreTest, migrating_twice_changes_nothing) {
  Database database = MUST(Database::open(path()));
  EXPECT_TRUE(migrate(database, path()));
  EXPECT_TRUE(migrate(database, path()));
}

}  // namespace
}  // namespace atrium::store
