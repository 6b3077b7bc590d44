// The store on a disk that loses its head: FaultVfs and DiskModel.  The crash of a whole node is in
// node/store_crash_test.cc; here are the store's own rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "adapters/store/schema.h"
#include "adapters/store/sqlite.h"
#include "adapters/store/store.h"
#include "adapters/store/vfs_disk_testing.h"
#include "adapters/store/vfs_fault.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;
using Loss = DiskModel::Loss;

const Now kNow{.mono = Mono(1s), .wall = wall_from_unix_ms(1'800'000'000'123)};

class FaultyStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string("atrium_faulty_") + test->name();
    std::ranges::replace(name, '/', '_');
    folder_ = fs::temp_directory_path() / name;
    begin();
  }
  void TearDown() override {
    end();
    fs::remove_all(folder_);
  }

  void begin() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void end() {
    store.reset();
    vfs.reset();
    if (disk) disk->settle();
    disk.reset();
  }
  std::string path() const { return (folder_ / "atrium.db").string(); }

  // A store on a disk that follows the plan.
  void open(DiskModel::Plan plan) {
    disk.emplace(plan);
    syncs.clear();
    vfs = MUST(FaultVfs::create([this](const VfsStep& step) { return answer(step); }));
    reopen_all();
  }
  void reopen_all() {
    StoreOptions options;
    options.vfs = vfs->name();
    if (auto opened = Store::open(path(), std::move(options), kNow))
      store = std::make_unique<Store>(std::move(*opened));
  }
  VfsVerdict answer(const VfsStep& step) {
    if (step.op == VfsOp::Sync) syncs.insert(step.number);
    const bool is_meant = full_path.empty() || step.path == full_path;
    if (is_full && is_meant && step.op == VfsOp::Write) return VfsVerdict::Full;
    return disk->on_step(step);
  }

  static domain::BanRule a_rule(const std::string& id) {
    domain::BanRule rule;
    rule.id = BanId(id);
    rule.app = AppId("app");
    rule.target.room = RoomId("room-" + id);
    rule.created_at = kNow.wall;
    rule.expires_at = kNow.wall + 3600s;
    return rule;
  }
  Result<void> write(PutBans put) {
    const std::vector<WriteRequest> batch = {std::move(put)};
    return store->apply_batch(batch).at(0);
  }
  Result<void> ban(const std::string& id) {
    return write({.operation = OperationId("OP_" + id), .put = {a_rule(id)}});
  }
  Result<void> lift(const std::string& id) {
    return write({.operation = OperationId("OP_lift"), .put = {}, .drop = {BanId(id)}});
  }
  std::string integrity() const {
    Database database = MUST(Database::open(path()));
    Statement check = MUST(Statement::prepare(database, "PRAGMA integrity_check(1)"));
    return MUST(check.start().step()) ? check.text() : "nothing";
  }
  std::set<std::string> rules() {
    std::set<std::string> ids;
    for (const auto& rule : MUST(store->list_bans(AppId(), BanId(), 100, kNow.wall)))
      ids.insert(rule.id.value);
    return ids;
  }

  fs::path folder_;
  std::optional<DiskModel> disk;
  std::unique_ptr<FaultVfs> vfs;
  std::unique_ptr<Store> store;
  std::set<uint64_t> syncs;  // the steps that are syncs
  bool is_full = false;
  std::string full_path;  // where it is; empty: everywhere
};

using Rules = std::set<std::string>;

TEST_F(FaultyStoreTest, what_was_written_is_durable_and_what_was_not_synced_is_lost) {
  open({});
  ASSERT_TRUE(ban("one"));
  const uint64_t until_here = vfs->steps();
  ASSERT_TRUE(ban("two"));
  EXPECT_GT(vfs->steps(), until_here) << "the model sees nothing: it could not fail";
  end();
  begin();
  open({.crash_at = until_here + 1});
  ASSERT_TRUE(ban("one"));
  EXPECT_FALSE(ban("two"));
  EXPECT_FALSE(ban("three")) << "a crashed store is dead";
  end();
  open({});
  EXPECT_EQ(rules(), Rules{"one"});
}

TEST_F(FaultyStoreTest, a_crash_while_the_schema_is_made_leaves_a_store_that_opens) {
  open({});
  const uint64_t steps = vfs->steps();
  const std::set<uint64_t> its_syncs = syncs;
  end();
  for (uint64_t step = 1; step <= steps && !HasFailure(); ++step)
    for (const Loss loss : {Loss::Nothing, Loss::Unsynced, Loss::Torn, Loss::LastAlone}) {
      // A sync in each way, a write in one: what is between two syncs is alike.
      if (!its_syncs.contains(step) && step % 4 != static_cast<uint64_t>(loss)) continue;
      begin();
      open({.crash_at = step, .loss = loss});
      EXPECT_TRUE(vfs->has_crashed());
      end();
      open({});
      EXPECT_TRUE(store && ban("one")) << "step " << step;
      end();
    }
}

class UpgradeCrashTest : public FaultyStoreTest {
 protected:
  void begin_with_version_4() {
    begin();
    fs::copy_file(std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v4.db",
                  path());
  }
  static int64_t number(const std::string& file, const char* sql) {
    Database database = MUST(Database::open(file));
    auto statement = Statement::prepare(database, sql);
    if (!statement) return -1;  // not the table, or not a database
    return statement->start().step().value_or(false) ? statement->number() : -1;
  }
};

// An operator goes back to the copy: half of one is none.
TEST_F(UpgradeCrashTest, a_crash_in_the_midst_of_it_leaves_all_rows_and_a_whole_copy) {
  begin_with_version_4();
  open({});
  ASSERT_TRUE(store);
  const uint64_t steps = vfs->steps();
  end();
  for (uint64_t step = 1; step <= steps && !HasFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    const auto loss = step % 2 == 0 ? Loss::Unsynced : Loss::Nothing;
    begin_with_version_4();
    open({.crash_at = step, .loss = loss});
    end();
    open({});
    ASSERT_TRUE(store);
    end();
    const std::string copy = path() + ".v4";
    EXPECT_EQ(number(path(), "SELECT version FROM schema_version"), kSchemaVersion);
    EXPECT_EQ(number(path(), "SELECT count(*) FROM apps"), 1);
    ASSERT_TRUE(fs::exists(copy));
    EXPECT_EQ(number(copy, "SELECT version FROM schema_version"), 4);
    EXPECT_EQ(number(copy, "SELECT count(*) FROM bans"), 4);
  }
}

TEST_F(FaultyStoreTest, a_failed_sync_makes_it_read_only_at_once) {
  open({});
  ASSERT_TRUE(ban("one"));
  const uint64_t syncs = disk->syncs();
  end();
  begin();
  open({.fail_sync = syncs + 1});
  ASSERT_TRUE(ban("one"));
  const auto failed = ban("two");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Unavailable);
  EXPECT_TRUE(store->needs_reopening());
  const uint64_t steps = vfs->steps();
  const auto refused = ban("three");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  EXPECT_FALSE(store->purge(kNow.wall));
  EXPECT_EQ(vfs->steps(), steps) << "a refused write does not touch the file";
  EXPECT_EQ(rules(), Rules{"one"}) << "it is read as before";
  ASSERT_TRUE(store->reopen());
  EXPECT_FALSE(store->needs_reopening());
  EXPECT_EQ(rules(), Rules{"one"}) << "what was refused does not come back";
  EXPECT_TRUE(ban("three"));
  EXPECT_EQ(rules(), (Rules{"one", "three"}));
}

// A sync fails, the store is opened anew, by the same process or the next, and at each step the power may go.
class FailedSyncTest : public FaultyStoreTest, public testing::WithParamInterface<bool> {
 protected:
  // What was acknowledged, in a run with this plan.
  Rules run(DiskModel::Plan plan) {
    Rules acknowledged;
    open(plan);
    if (!store) return {};
    if (ban("one")) acknowledged.insert("one");
    restart();  // "one" is in the file now, and the log is empty
    if (store && ban("two")) acknowledged.insert("two");
    if (store && GetParam())
      static_cast<void>(store->reopen());
    else
      restart();
    if (store && ban("three")) acknowledged.insert("three");
    if (store && lift("one")) acknowledged.erase("one");
    return acknowledged;
  }
  // Whether the plan's crash came.
  bool survives(DiskModel::Plan plan) {
    begin();
    const Rules acknowledged = run(plan);
    const bool has_crashed = vfs->has_crashed();
    end();
    open({});
    EXPECT_TRUE(store) << "step " << plan.crash_at;
    if (!store) return false;
    EXPECT_EQ(integrity(), "ok") << "step " << plan.crash_at;
    const Rules there = rules();
    for (const std::string& id : acknowledged)
      EXPECT_TRUE(there.contains(id)) << "step " << plan.crash_at << ": " << id;
    if (!has_crashed) EXPECT_FALSE(there.contains("one")) << "it was lifted";
    end();
    return has_crashed && !HasFailure();
  }
  void restart() {
    store.reset();
    reopen_all();
  }
};

// The kernel takes bytes that it could not write for written: without mend_wal a later power cut takes away what was
// confirmed after them.
TEST_P(FailedSyncTest, what_is_confirmed_afterwards_survives_every_crash) {
  open({});
  ASSERT_TRUE(ban("one"));
  restart();
  const uint64_t first = vfs->steps(), syncs = disk->syncs();
  ASSERT_TRUE(ban("two"));
  ASSERT_EQ(disk->syncs(), syncs + 2) << "the log's header and its frames";
  end();
  for (const uint64_t fails : {syncs + 1, syncs + 2})
    for (const Loss loss : {Loss::Unsynced, Loss::Torn, Loss::LastAlone}) {
      bool has_crashed = true;
      for (uint64_t step = first; has_crashed; ++step)
        has_crashed = survives({.crash_at = step, .fail_sync = fails, .loss = loss});
    }
}

INSTANTIATE_TEST_SUITE_P(Process, FailedSyncTest, testing::Bool());

TEST_F(FaultyStoreTest, a_full_disk_fails_writes_and_keeps_the_store_usable) {
  open({});
  ASSERT_TRUE(ban("one"));
  is_full = true;
  const auto failed = ban("two");
  ASSERT_FALSE(failed);
  EXPECT_TRUE(is_disk_full(failed.error()));
  EXPECT_FALSE(store->needs_reopening());
  EXPECT_EQ(rules(), Rules{"one"});
  is_full = false;
  EXPECT_TRUE(ban("two"));
}

TEST_F(FaultyStoreTest, a_store_that_cannot_be_reopened_refuses_and_may_be_tried_again) {
  open({});
  ASSERT_TRUE(ban("one"));
  const uint64_t syncs = disk->syncs();
  end();
  begin();
  open({.fail_sync = syncs + 1});
  ASSERT_TRUE(ban("one"));
  ASSERT_FALSE(ban("two"));
  is_full = true;
  EXPECT_FALSE(store->reopen());
  EXPECT_FALSE(ban("three"));
  EXPECT_FALSE(store->list_bans(AppId(), BanId(), 100, kNow.wall));
  EXPECT_FALSE(store->find_dismissal(OperationId("OP_1")));
  EXPECT_FALSE(store->purge(kNow.wall));
  is_full = false;
  ASSERT_TRUE(store->reopen());
  EXPECT_EQ(rules(), Rules{"one"});
}

TEST_F(FaultyStoreTest, a_long_log_is_copied_and_a_failure_of_that_is_told) {
  open({});
  const auto write_many = [&](int round) {
    std::vector<domain::BanRule> many;
    for (int i = 0; i < 200; ++i) many.push_back(a_rule(std::to_string(round * 1'000 + i)));
    return write({.operation = OperationId("OP"), .put = std::move(many)});
  };
  const uint64_t at_first = fs::file_size(path());
  int round = 0;
  while (fs::file_size(path()) == at_first && ++round < 300) ASSERT_TRUE(write_many(round));
  EXPECT_LT(round, 300) << "the log never went into the file";
  EXPECT_LT(fs::file_size(path() + "-wal"), 16u << 20);
  is_full = true;
  full_path = path();
  while (store->last_checkpoint() && ++round < 600) ASSERT_TRUE(write_many(round));
  ASSERT_FALSE(store->last_checkpoint());
  EXPECT_TRUE(is_disk_full(store->last_checkpoint().error()));
  is_full = false;
  store->checkpoint();
  EXPECT_TRUE(store->last_checkpoint());
}

}  // namespace
}  // namespace atrium::store
