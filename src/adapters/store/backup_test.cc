#include "adapters/store/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/store/schema.h"
#include "adapters/store/store.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);
const Now kNow{.mono = Mono(1s), .wall = kStart};

domain::BanRule a_ban(const std::string& id) {
  return {.id = BanId(id),
          .app = AppId("app"),
          .target = {.room = {}, .user = UserId("eve"), .ip = {}},
          .operator_id = "AK",
          .reason = std::string(1'000, 'y'),
          .created_at = kStart,
          .expires_at = kStart + 60s};
}

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_backup_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name = "atrium.db") const {
    return (folder_ / name).string();
  }
  Store open(const std::string& name = "atrium.db") const {
    return MUST(Store::open(path(name), {}, kNow));
  }
  static bool put(Store& store, const std::string& id) {
    return store
        .apply_batch(std::vector<WriteRequest>{
            PutBans{.operation = OperationId("OP_" + id), .put = {a_ban("BN_" + id)}}})[0]
        .has_value();
  }
  static void fill(Store& store, int rules) {
    PutBans many{.operation = OperationId("OP_many")};
    for (int i = 0; i < rules; ++i) many.put.push_back(a_ban("BN_" + std::to_string(i)));
    ASSERT_TRUE(store.apply_batch(std::vector<WriteRequest>{std::move(many)})[0]);
  }
  Result<void> run_raw(const char* sql, const std::string& name = "atrium.db") const {
    Database database = TRY(Database::open(path(name)));
    return database.run(sql);
  }
  Result<void> copy(const std::string& to = "copy.db", Source source = Source::Live) const {
    return copy_store(path(), source, path(to), nullptr);
  }
  static int64_t rows(const Inspection& inspection, const std::string& table) {
    for (const TableRows& one : inspection.tables)
      if (one.table == table) return one.rows;
    return -1;
  }
  // Garbage over the middle of one page.
  void damage(const std::string& name, int64_t page) const {
    std::fstream file(path(name), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(page * 4'096 + 16);
    file << std::string(2'000, '\x5a');
  }

  fs::path folder_;
};

TEST_F(BackupTest, copies_a_store_that_is_open_with_what_is_only_in_its_log) {
  Store store = open();
  ASSERT_TRUE(put(store, "1"));
  ASSERT_TRUE(fs::exists(path() + "-wal"));
  ASSERT_TRUE(copy());
  EXPECT_FALSE(fs::exists(path("copy.db-wal"))) << "one file is the whole copy";
  std::ifstream file(path("copy.db"), std::ios::binary);
  file.seekg(18);
  EXPECT_EQ(file.get(), 1) << "who reads it makes no log beside it (SQLite's file format, 1.3)";
  const Inspection found = inspect_store(path("copy.db"), Source::Still);
  EXPECT_EQ(found.verdict, Verdict::Good);
  EXPECT_EQ(found.schema_version, kSchemaVersion);
  EXPECT_EQ(rows(found, "bans"), 1);
  EXPECT_EQ(rows(found, "dismissals"), 0);
  Store copied = open("copy.db");
  EXPECT_THAT(MUST(copied.list_bans(AppId(), BanId(), 10, kStart)), ElementsAre(a_ban("BN_1")));
}

// Tens of megabytes, and a commit between any two steps: none fails, and the copy is of one moment and is not begun
// anew.
TEST_F(BackupTest, commits_go_on_between_the_steps_and_the_copy_is_of_one_moment) {
  Store store = open();
  constexpr int kRules = 20'000;
  fill(store, kRules);
  ASSERT_GT(fs::file_size(path()) + fs::file_size(path() + "-wal"), 20'000'000u);
  int64_t steps = 0, total = 0, last_left = INT64_MAX;
  ASSERT_TRUE(copy_store(path(), Source::Live, path("copy.db"), [&](CopyProgress progress) {
    EXPECT_LT(progress.pages_left, last_left) << "begun anew";
    last_left = progress.pages_left;
    total = progress.pages_total;
    ASSERT_LT(++steps, 1'000) << "it would never end";
    EXPECT_TRUE(put(store, "during" + std::to_string(steps)));
  }));
  EXPECT_GT(total, 5'000);
  EXPECT_EQ(steps, (total + limits::kBackupPagesPerStep - 1) / limits::kBackupPagesPerStep);
  EXPECT_EQ(rows(inspect_store(path("copy.db"), Source::Still), "bans"), kRules);
  EXPECT_EQ(rows(inspect_store(path(), Source::Live), "bans"), kRules + steps);
}

TEST_F(BackupTest, looking_at_a_still_file_makes_nothing_beside_it) {
  { Store store = open(); }
  fs::remove(path() + "-wal");
  fs::remove(path() + "-shm");
  EXPECT_EQ(inspect_store(path(), Source::Still).verdict, Verdict::Good);
  EXPECT_FALSE(fs::exists(path() + "-wal"));
  EXPECT_FALSE(fs::exists(path() + "-shm"));
}

TEST_F(BackupTest, a_name_with_marks_of_a_uri_is_a_name) {
  { Store store = open("what?#100%.db"); }
  EXPECT_EQ(inspect_store(path("what?#100%.db"), Source::Still).verdict, Verdict::Good);
  EXPECT_TRUE(copy_store(path("what?#100%.db"), Source::Live, path("copy.db"), nullptr));
}

TEST_F(BackupTest, a_damaged_page_is_found) {
  {
    Store store = open();
    fill(store, 1'000);
  }
  ASSERT_EQ(inspect_store(path(), Source::Still).verdict, Verdict::Good);
  int found = 0;
  const auto pages = static_cast<int64_t>(fs::file_size(path()) / 4'096);
  for (int64_t page = 1; page < pages; page += pages / 10) {
    fs::copy_file(path(), path("bad.db"), fs::copy_options::overwrite_existing);
    damage("bad.db", page);
    const Inspection seen = inspect_store(path("bad.db"), Source::Still);
    if (seen.verdict == Verdict::Damaged && !seen.problems.empty()) ++found;
    EXPECT_LE(seen.problems.size(), 21u);
  }
  EXPECT_GE(found, 9) << "of ten; a page may be a free one";
}

TEST_F(BackupTest, a_file_cut_short_is_found) {
  {
    Store store = open();
    fill(store, 1'000);
  }
  fs::resize_file(path(), fs::file_size(path()) / 2);
  EXPECT_EQ(inspect_store(path(), Source::Still).verdict, Verdict::Damaged);
}

TEST_F(BackupTest, rows_without_their_parent_are_found) {
  { Store store = open(); }
  ASSERT_TRUE(run_raw("INSERT INTO not_notified VALUES ('OP_none', 0, 'u', 'PA_1', 0)"));
  const Inspection found = inspect_store(path(), Source::Still);
  EXPECT_EQ(found.verdict, Verdict::Damaged);
  EXPECT_THAT(found.problems,
              ElementsAre(HasSubstr("not_notified belongs to a row of dismissals")));
}

TEST_F(BackupTest, says_what_a_file_is_that_is_no_store_of_ours) {
  EXPECT_EQ(inspect_store(path("none.db"), Source::Still).verdict, Verdict::Unreadable);
  EXPECT_FALSE(fs::exists(path("none.db")));
  std::ofstream(path("empty.db"));
  EXPECT_EQ(inspect_store(path("empty.db"), Source::Still).verdict, Verdict::Foreign);
  std::ofstream(path("text.db")) << std::string(8'192, 'x');
  EXPECT_EQ(inspect_store(path("text.db"), Source::Still).verdict, Verdict::Foreign);
  ASSERT_TRUE(run_raw("CREATE TABLE theirs (x)", "theirs.db"));
  EXPECT_EQ(inspect_store(path("theirs.db"), Source::Still).verdict, Verdict::Foreign);
  { Store store = open(); }
  ASSERT_TRUE(run_raw("UPDATE schema_version SET version = 99"));
  const Inspection newer = inspect_store(path(), Source::Still);
  EXPECT_EQ(newer.verdict, Verdict::Newer);
  EXPECT_EQ(newer.schema_version, 99);
}

TEST_F(BackupTest, older_versions_are_good) {
  fs::copy_file(std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v1.db",
                path());
  const Inspection found = inspect_store(path(), Source::Still);
  EXPECT_EQ(found.verdict, Verdict::Good);
  EXPECT_EQ(found.schema_version, 1);
  EXPECT_EQ(rows(found, "bans"), -1);
}

TEST_F(BackupTest, the_log_of_a_store_that_was_killed_is_folded_in) {
  {
    Store store = open();
    ASSERT_TRUE(put(store, "1"));
    // What a kill leaves: the file and its log, as they are while the store is open.
    for (const char* part : {"", "-wal"}) fs::copy_file(path() + part, path("killed.db") + part);
  }
  ASSERT_TRUE(fold_log(path("killed.db")));
  EXPECT_FALSE(fs::exists(path("killed.db-wal")));
  EXPECT_EQ(rows(inspect_store(path("killed.db"), Source::Still), "bans"), 1);
}

TEST_F(BackupTest, the_log_of_an_open_store_is_not_taken_away) {
  Store store = open();
  ASSERT_TRUE(put(store, "1"));
  EXPECT_FALSE(fold_log(path()));
  EXPECT_TRUE(put(store, "2"));
}

}  // namespace
}  // namespace atrium::store
