// Rows of the audit that hold several records.
#include <gmock/gmock.h>

#include <filesystem>

#include "adapters/store/audit_body.h"
#include "adapters/store/audit_fixture.h"
#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::AuditEntry;
using domain::AuditQuery;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AuditRunsTest : public AuditFixture {
 protected:
  // A read of the second `n`.
  AuditEntry read(int n, std::string account = "100") const {
    AuditEntry out = entry(2 * n + 1);
    out.phase = domain::AuditPhase::Read;
    out.at = kAuditStart + std::chrono::seconds(n);
    out.account = std::move(account);
    if (n % 7 == 0) out.action = "ListBans";
    return out;
  }
  std::vector<AuditEntry> reads(int from, int to) const {
    std::vector<AuditEntry> out;
    for (int n = from; n <= to; ++n) out.push_back(read(n));
    return out;
  }
  void append_checkpointed(const std::vector<AuditEntry>& entries) {
    append(entries);
    MUST(log_->checkpoint(now()));
  }
  std::string row_ends() {
    Statement row = MUST(Statement::prepare(database_, "SELECT sequence FROM audit ORDER BY 1"));
    std::string out;
    for (row.start(); MUST(row.step());) out += std::to_string(row.number()) + " ";
    return out;
  }
};

TEST_F(AuditRunsTest, records_of_one_account_and_no_operation_share_a_row) {
  std::vector<AuditEntry> entries = reads(1, 5);  // 1 to 5
  entries.push_back(entry(6));                    // of an operation
  entries.push_back(entry(12));
  for (int n = 8; n <= 9; ++n) entries.push_back(read(n));
  for (int n = 10; n <= 12; ++n) entries.push_back(read(n, "200"));
  append(entries);
  append(reads(13, 14));
  EXPECT_EQ(row_ends(), "5 6 7 9 12 14 ");
  const domain::AuditPage page = MUST(log_->list({.account = "100", .limit = 100}));
  ASSERT_EQ(page.records.size(), 11u);
  for (const domain::StoredAudit& one : page.records)
    EXPECT_EQ(one.entry, one.sequence <= 12 ? entries[static_cast<size_t>(one.sequence) - 1]
                                            : read(static_cast<int>(one.sequence)));
  EXPECT_EQ(page.records[0].mac, page.records[4].mac) << "it is the row's";
  EXPECT_NE(page.records[4].mac, page.records[5].mac);
  EXPECT_EQ(page.looked_until, 14);
  EXPECT_THAT(list({.account = "200", .limit = 9}), ElementsAre(10, 11, 12));
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().records, 14);
}

TEST_F(AuditRunsTest, a_row_is_bounded) {
  append(reads(1, 250));
  EXPECT_EQ(row_ends(), "100 200 250 ");
  std::vector<AuditEntry> long_ones = reads(1, 60);
  for (AuditEntry& one : long_ones)
    one.outcome = one.access_key = std::string(1'000, 'x');  // some 2,300 bytes each
  append(long_ones);
  EXPECT_EQ(row_ends(), "100 200 250 265 280 295 310 ");
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditRunsTest, texts_that_must_be_cut_or_escaped_do_not_end_a_record) {
  std::vector<AuditEntry> entries = reads(1, 3);
  entries[1].room = RoomId("two\nlines\"action\":\"ListBans\"");
  entries[2].room = RoomId(std::string(3'000, '\n') + "\xff");
  append(entries);
  const domain::AuditPage page = MUST(log_->list({.account = "100", .limit = 100}));
  ASSERT_EQ(page.records.size(), 3u);
  EXPECT_EQ(page.records[1].entry, entries[1]);
  EXPECT_EQ(page.records[2].entry, bounded(entries[2]));
  EXPECT_THAT(list({.account = "100", .action = "ListBans", .limit = 100}), IsEmpty());
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditRunsTest, what_is_asked_for_is_found_within_rows) {
  append(reads(1, 30));
  append(reads(31, 60));
  EXPECT_THAT(list({.account = "100", .action = "ListBans", .limit = 3}), ElementsAre(7, 14, 21));
  EXPECT_THAT(list({.account = "100", .app = AppId("app0"), .after_sequence = 50, .limit = 9}),
              ElementsAre(52, 57));
  EXPECT_THAT(
      list({.account = "100", .from = kAuditStart + 29s, .until = kAuditStart + 33s, .limit = 9}),
      ElementsAre(29, 30, 31, 32));
  EXPECT_THAT(list({.account = "100", .after_sequence = 28, .limit = 4}),
              ElementsAre(29, 30, 31, 32));
  EXPECT_THAT(list({.account = "100", .after_sequence = 60, .limit = 4}), IsEmpty());
  EXPECT_THAT(list({.account = "200", .limit = 4}), IsEmpty());
}

TEST_F(AuditRunsTest, pages_of_any_size_miss_none_and_show_none_twice) {
  scan_max_ = 11;
  open();
  append(reads(1, 20));
  append(reads(21, 21));
  append(reads(22, 70));
  for (const size_t limit : {1u, 2u, 5u, 100u}) {
    AuditQuery query{.account = "100", .action = "ListBans", .limit = limit};
    std::vector<int64_t> seen;
    for (bool has_more = true; has_more;) {
      const domain::AuditPage page = MUST(log_->list(query));
      ASSERT_LE(page.looked_until, query.after_sequence + scan_max_);
      for (const domain::StoredAudit& record : page.records) seen.push_back(record.sequence);
      query.after_sequence = page.looked_until;
      has_more = page.has_more;
    }
    EXPECT_THAT(seen, ElementsAre(7, 14, 21, 28, 35, 42, 49, 56, 63, 70)) << limit;
  }
}

TEST_F(AuditRunsTest, a_change_within_a_row_is_found_and_the_row_is_named) {
  for (const auto& [change, expected] : std::initializer_list<std::pair<const char*, const char*>>{
           {"body = replace(body, 'request25', 'request99')", "its MAC"},
           {"body = replace(body, '\"action\":\"ListBans\"', '\"action\":\"ListRooms\"')",
            "its MAC"},
           {"body = body || char(10)", "its text is not one"},
           {"body = body || char(10) || body", "its MAC"},
           {"body = replace(body, char(10), ' ')", ""},
           {"action = 'ListRooms'", "its action"},
           {"app = 'app1'", "its app"},
           {"account = '200'", "its account"},
           {"operation = 'OP_x'", "its operation"},
           {"at = at - 1", "its time"},
           {"mac = zeroblob(32)", "its MAC"}}) {
    sql("DELETE FROM audit");
    file_.clear();
    open();
    append_checkpointed(reads(1, 10));
    append_checkpointed(reads(11, 20));
    append_checkpointed(reads(21, 30));
    sql(std::string("UPDATE audit SET ") + change + " WHERE sequence = 20");
    const AuditReport report = verify();
    ASSERT_TRUE(report.finding) << change;
    EXPECT_THAT(report.finding->detail, HasSubstr(expected)) << change;
    EXPECT_EQ(report.finding->sequence, 11) << change;
    EXPECT_EQ(report.records, 10) << change;
    if (*expected == '\0') continue;  // fewer records in it: those before the rest are missing
    EXPECT_EQ(verdict(report), "altered 11") << change;
    EXPECT_EQ(report.finding->until, 20) << change;
  }
}

TEST_F(AuditRunsTest, a_row_that_is_gone_is_found) {
  append_checkpointed(reads(1, 10));
  append_checkpointed(reads(11, 20));
  append_checkpointed(reads(21, 30));
  sql("CREATE TABLE kept AS SELECT * FROM audit");
  const auto after = [&](const char* change) {
    sql("DELETE FROM audit");
    sql("INSERT INTO audit SELECT * FROM kept");
    sql(change);
    return verdict();
  };
  EXPECT_EQ(after("DELETE FROM audit WHERE sequence = 10"), "missing 1");
  EXPECT_EQ(after("DELETE FROM audit WHERE sequence = 20"), "missing 11");
  EXPECT_EQ(after("DELETE FROM audit WHERE sequence = 30"), "cut off 21");
  EXPECT_EQ(after("UPDATE audit SET sequence = 15 WHERE sequence = 20"), "altered 11");
  EXPECT_EQ(after("UPDATE audit SET sequence = 25 WHERE sequence = 20"), "missing 11");
  EXPECT_EQ(after("INSERT INTO audit SELECT 5, at, account, app, action, operation, body, mac "
                  "FROM audit WHERE sequence = 20"),
            "altered 1");
}

// Whoever has the key wrote the log anew, in other rows: those that a checkpoint ended are not ends any more.
TEST_F(AuditRunsTest, other_rows_than_those_of_the_checkpoints_are_found) {
  append_checkpointed(reads(1, 10));
  append_checkpointed(reads(11, 20));
  sql("DELETE FROM audit");
  open();
  append(reads(1, 20));
  EXPECT_EQ(verdict(), "replaced 1");
  EXPECT_EQ(verify().finding->against->sequence, 10);
}

TEST_F(AuditRunsTest, a_purge_leaves_a_row_whole_that_goes_on_behind_a_segment) {
  append_checkpointed(reads(1, 8));
  append_checkpointed(reads(9, 12));
  append_checkpointed(reads(13, 33));
  append_checkpointed(reads(34, 34));
  passed_ = 10'000s;
  EXPECT_EQ(purge(1), 8);
  EXPECT_EQ(row_ends(), "12 33 34 ");
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().first_sequence, 9);
  EXPECT_EQ(verify().bases_ahead, 0);
  EXPECT_EQ(purge(1), 4);
  EXPECT_EQ(row_ends(), "33 34 ");
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(purge(1), 0) << "33 is in the segment of the latest record";
  append_checkpointed(reads(35, 41));
  while (purge(1) > 0) {
  }
  EXPECT_EQ(row_ends(), "41 ") << "what is older than 40 and no part of a row behind it";
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().first_sequence, 35);
}

TEST_F(AuditRunsTest, as_many_rows_go_at_once_as_it_was_asked_for) {
  for (int n = 0; n < 20; ++n) append_checkpointed(reads(10 * n + 1, 10 * n + 10));
  passed_ = 10'000s;
  EXPECT_EQ(purge(7), 70);
  EXPECT_EQ(purge(100), 120) << "all but the segment of the latest record";
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditRunsTest, rows_that_no_server_wrote_are_found_and_no_page) {
  append_checkpointed(reads(1, 10));
  append_checkpointed(reads(11, 20));
  sql("UPDATE audit SET body = replace(hex(zeroblob(5000)), '00', char(10)) WHERE sequence = 20");
  const AuditReport report = verify();
  EXPECT_EQ(verdict(report), "missing 11") << "a row of one record stands where several stood";
  EXPECT_FALSE(log_->list({.account = "100", .limit = 100}));
  sql("UPDATE audit SET sequence = -9223372036854775807 - 1 WHERE sequence = 20");
  EXPECT_EQ(verify().finding->fault, AuditFault::Inserted);
}

TEST_F(AuditRunsTest, nothing_goes_from_a_log_without_records) {
  passed_ = 10'000s;
  EXPECT_EQ(purge(1), 0);
  EXPECT_EQ(file_, "") << "a base of nothing";
  append_checkpointed(reads(1, 3));
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditRunsTest, a_row_is_as_old_as_its_latest_record) {
  std::vector<AuditEntry> entries = reads(1, 10);
  entries[3].at = kAuditStart + 200s;
  append_checkpointed(entries);
  append_checkpointed(reads(11, 20));
  passed_ = 299s;
  EXPECT_EQ(purge(1), 0);
  passed_ = 301s;
  EXPECT_EQ(purge(1), 10);
  EXPECT_EQ(verdict(), "intact");
}

class AuditRunsOfStoreTest : public StoreFixture {};

// Each step of the store's purge goes on while there is more, and counts records, not rows.
TEST_F(AuditRunsOfStoreTest, all_old_segments_go_in_one_purge) {
  options.audit.write_checkpoint = [](const AuditCheckpoint&, std::string_view) -> Result<void> {
    return {};
  };
  options.audit.keep = 100s;
  restart();
  for (int n = 0; n < 4; ++n) {
    AuditEntry entry;
    entry.at = kStoreStart;
    entry.account = "100";
    WriteRequest request;
    request.audit.assign(1'000, entry);
    ASSERT_TRUE(write(std::move(request)));
  }
  MUST(store->keep_audit({.mono = Mono(2s), .wall = kStoreStart}));
  EXPECT_EQ(purge(99s).audit, 0u);
  const Purged purged = purge(101s);
  EXPECT_EQ(purged.audit, 3'000u);
  EXPECT_TRUE(purged.is_complete);
  const auto left = MUST(store->list_audit({.account = "100", .limit = 1})).records;
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].sequence, 3'001);
}

// A log that a server of version 6 of the schema wrote with this key: its rows stay as they are, and ours follow.
TEST_F(AuditRunsTest, a_log_of_single_records_goes_on_with_rows_of_several) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / "atrium_audit_runs_test";
  fs::remove_all(folder);
  fs::create_directories(folder);
  const std::string path = folder / "atrium.db";
  fs::copy_file(std::string(ATRIUM_SOURCE_DIR) + "/src/adapters/store/testdata/store_v6.db", path);
  file_ =
      "audit1 head 1 1795488316502 "
      "45b856c2807a7717f2211b31d41254fd0ba6987b4d129ea9b7cc2779762d41ec "
      "9d7ef89a8c1f8ec5774f6cd35a117aab0da50c6a30aace984596aa9353240be4\n"
      "audit1 head 7 1795488316836 "
      "f7b07298801b7b8731516b68c5c36219869654e4367cdaccc3ad92a6f4a43267 "
      "3276936ac6a9ffb64078b197acd377eb2b5722ea5509541870923f551652f7cc\n";
  log_.reset();  // its statements are of the other database
  database_ = MUST(Database::open(path));
  MUST(migrate(database_, path));
  open();
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().confirmed_sequence, 7);
  std::vector<AuditEntry> more = reads(1, 20);
  for (AuditEntry& one : more) one.account = "dev";
  append_checkpointed(more);
  EXPECT_EQ(row_ends(), "1 2 3 4 5 6 7 27 ");
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().records, 27);
  EXPECT_THAT(list({.account = "dev", .action = "ListRooms", .limit = 6}),
              ElementsAre(2, 3, 4, 5, 8, 9));
  EXPECT_TRUE(fs::exists(path + ".v6"));
  log_.reset();
  database_ = MUST(Database::open(":memory:"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace atrium::store
