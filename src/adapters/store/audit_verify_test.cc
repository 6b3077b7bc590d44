#include "adapters/store/audit_verify.h"

#include <gmock/gmock.h>

#include <vector>

#include "adapters/store/audit_fixture.h"
#include "base/seeded_secret_source.h"

namespace atrium::store {
namespace {

using testing::HasSubstr;

// Thirty records and a bit, the last of them checkpointed.
class AuditVerifyTest : public AuditFixture {
 protected:
  void SetUp() override {
    run(1, 35);
    ASSERT_TRUE(log_->checkpoint(now()));
    ASSERT_EQ(verdict(), "intact");
  }
  std::string detail() {
    const AuditReport report = verify();
    return report.finding ? report.finding->detail : "";
  }
  // As who knows how it is done and has no key: all MACs from `sequence` on, with a key of their own.
  void rewrite_from(int64_t sequence, const AuditKey& key) {
    Statement rows = MUST(Statement::prepare(
        database_,
        "SELECT sequence, at, account, app, action, operation, body FROM audit WHERE "
        "sequence >= ? ORDER BY sequence"));
    Statement mac_of =
        MUST(Statement::prepare(database_, "SELECT mac FROM audit WHERE sequence = ?"));
    Statement update =
        MUST(Statement::prepare(database_, "UPDATE audit SET mac = ? WHERE sequence = ?"));
    Sha256 before = audit_genesis(key);
    mac_of.start().put(sequence - 1);
    while (MUST(mac_of.step())) std::ranges::copy(mac_of.bytes(), before.begin());
    rows.start().put(sequence);
    while (MUST(rows.step())) {
      const int64_t number = rows.number(), at = rows.number();
      const std::string account = rows.text(), app = rows.text(), action = rows.text(),
                        operation = rows.text(), body = rows.text();
      before = audit_mac(HmacSha256(key), before,
                         {.sequence = number,
                          .at_us = at,
                          .account = account,
                          .app = app,
                          .action = action,
                          .operation = operation,
                          .body = body});
      MUST(update.start().put(before).put(number).finish());
    }
  }
  // Without its last `count` lines.
  void shorten_file(int count) {
    for (; count > 0; --count) {
      file_.pop_back();
      file_.erase(file_.rfind('\n') + 1);
    }
  }
};

TEST_F(AuditVerifyTest, a_change_of_any_column_is_found_and_named) {
  const std::pair<const char*, const char*> changes[] = {
      {"at = at + 1", "its time"},
      {"account = account || 'x'", "its account"},
      {"app = 'appX'", "its app"},
      {"action = 'ListBans'", "its action"},
      {"operation = 'OP_x'", "its operation"},
      {"body = replace(body, 'ListRooms', 'ListRoomz')", "its action is not the one in its text"},
      {"body = replace(body, '2001:db8::1', '2001:db8::2')", "its MAC"},
      {"body = body || ' '", "its text is not one"},
      {"mac = zeroblob(32)", "its MAC"}};
  for (const auto& [change, expected] : changes) {
    sql(std::string("UPDATE audit SET ") + change + " WHERE sequence = 17");
    const AuditReport report = verify();
    EXPECT_EQ(verdict(report), "altered 17") << change;
    ASSERT_TRUE(report.finding);
    EXPECT_THAT(report.finding->detail, HasSubstr(expected)) << change;
    EXPECT_EQ(report.records, 16);
    sql("DELETE FROM audit");
    file_.clear();
    open();
    run(1, 35);
  }
}

TEST_F(AuditVerifyTest, the_time_of_an_altered_record_is_told) {
  sql("UPDATE audit SET body = 'x' WHERE sequence = 17");
  EXPECT_EQ(verify().finding->at, kAuditStart + 17s);
}

TEST_F(AuditVerifyTest, a_mac_of_another_length_is_found) {
  sql("PRAGMA ignore_check_constraints = ON; UPDATE audit SET mac = x'00' WHERE sequence = 4");
  EXPECT_EQ(verdict(), "altered 4");
}

TEST_F(AuditVerifyTest, the_first_record_deleted_is_found) {
  sql("DELETE FROM audit WHERE sequence = 1");
  EXPECT_EQ(verdict(), "missing 1");
}
TEST_F(AuditVerifyTest, a_record_deleted_in_the_middle_is_found) {
  sql("DELETE FROM audit WHERE sequence = 20");
  EXPECT_EQ(verdict(), "missing 20");
}
TEST_F(AuditVerifyTest, a_record_deleted_and_the_later_ones_moved_up_is_found) {
  sql("DELETE FROM audit WHERE sequence = 20");
  sql("UPDATE audit SET sequence = -sequence + 1 WHERE sequence > 20");
  sql("UPDATE audit SET sequence = -sequence WHERE sequence < 0");
  EXPECT_EQ(verdict(), "altered 20");
}
TEST_F(AuditVerifyTest, the_last_record_deleted_is_found) {
  sql("DELETE FROM audit WHERE sequence = 35");
  EXPECT_EQ(verdict(), "cut off 35");
  EXPECT_EQ(verify().finding->against->sequence, 35);
}
TEST_F(AuditVerifyTest, a_whole_table_removed_is_found) {
  sql("DELETE FROM audit");
  EXPECT_EQ(verdict(), "cut off 1");
  sql("DROP TABLE audit");
  EXPECT_EQ(verdict(), "cut off 1");
}

TEST_F(AuditVerifyTest, two_records_swapped_are_found) {
  sql("UPDATE audit SET sequence = 1000 WHERE sequence = 12");
  sql("UPDATE audit SET sequence = 12 WHERE sequence = 15");
  sql("UPDATE audit SET sequence = 15 WHERE sequence = 1000");
  EXPECT_EQ(verdict(), "altered 12");
}

TEST_F(AuditVerifyTest, an_inserted_record_is_found) {
  sql("INSERT INTO audit SELECT 0, at, account, app, action, operation, body, mac FROM audit "
      "WHERE sequence = 3");
  EXPECT_EQ(verdict(), "inserted 0");
  sql("UPDATE audit SET sequence = 36 WHERE sequence = 0");
  EXPECT_EQ(verdict(), "altered 36");
}

TEST_F(AuditVerifyTest, a_number_given_twice_is_found) {
  sql("CREATE TABLE other AS SELECT * FROM audit");
  sql("DROP TABLE audit");
  sql("ALTER TABLE other RENAME TO audit");
  EXPECT_EQ(verdict(), "intact") << "the records are the same";
  sql("INSERT INTO audit SELECT * FROM audit WHERE sequence = 9");
  EXPECT_EQ(verdict(), "inserted 9");
}

TEST_F(AuditVerifyTest, later_macs_rewritten_without_the_key_are_found) {
  sql("UPDATE audit SET body = replace(body, 'request14', 'request99') WHERE sequence = 14");
  AuditKey other{};
  rewrite_from(14, other);
  EXPECT_EQ(verdict(), "altered 14");
  rewrite_from(1, other);
  EXPECT_EQ(verdict(), "altered 1");
}

TEST_F(AuditVerifyTest, with_another_key_nothing_fits) {
  AuditKey other{};
  EXPECT_EQ(verdict(verify(other)), "altered 1");
}

TEST_F(AuditVerifyTest, a_tail_cut_off_and_written_anew_is_found) {
  sql("DELETE FROM audit WHERE sequence > 15");
  open();  // the server goes on from there, with the key
  run(100, 130);
  const AuditReport report = verify();
  EXPECT_EQ(verdict(report), "replaced 12") << "the last that was confirmed before is 11";
  EXPECT_EQ(report.finding->against->sequence, 21);
}

TEST_F(AuditVerifyTest, without_the_file_of_checkpoints_the_chain_alone_is_seen) {
  file_.clear();
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().confirmed_sequence, 0);
  sql("DELETE FROM audit WHERE sequence > 30");
  EXPECT_EQ(verdict(), "intact") << "cut off and never written are the same without checkpoints";
}

TEST_F(AuditVerifyTest, a_file_of_checkpoints_that_is_too_short_is_found) {
  for (int n = 36; n < 400; ++n) run(2 * n, 2 * n);
  ASSERT_TRUE(log_->checkpoint(now()));
  ASSERT_EQ(verdict(), "intact");
  while (newest_sequence(read_checkpoints(key_, file_).found) > 21) shorten_file(1);
  EXPECT_EQ(verdict(), "unguarded 22");
  file_.clear();
  EXPECT_EQ(verdict(), "unguarded 1");
}

TEST_F(AuditVerifyTest, records_written_beside_it_are_not_asked_for) {
  const std::vector<AuditCheckpoint> checkpoints{
      read_checkpoints(key_, file_).found.back(),
      AuditCheckpoint{.sequence = 900, .mac = {}, .at = kAuditStart}};
  const AuditReport report =
      MUST(verify_audit(database_, key_, {.checkpoints = checkpoints, .at_least = 35}));
  EXPECT_EQ(verdict(report), "intact");
}

TEST_F(AuditVerifyTest, after_a_purge_the_rest_is_intact_and_guarded) {
  passed_ = 121s;
  ASSERT_EQ(purge(20), 20);
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().first_sequence, 21);
  EXPECT_EQ(verify().confirmed_sequence, 35);
  sql("DELETE FROM audit WHERE sequence = 21");
  EXPECT_EQ(verdict(), "missing 21");
  sql("DELETE FROM audit WHERE sequence <= 31");
  EXPECT_EQ(verdict(), "missing 21") << "a checkpoint of a head is no leave to remove";
  sql("DELETE FROM audit");
  EXPECT_EQ(verdict(), "cut off 21");
}

TEST_F(AuditVerifyTest, before_a_base_only_whole_segments_may_be_gone) {
  passed_ = 111s;
  ASSERT_EQ(purge(10), 10);
  passed_ = 121s;
  {
    const Transaction transaction = MUST(Transaction::begin(database_));
    ASSERT_EQ(MUST(log_->purge(database_, now().wall, 10)), 10);
  }  // the base is written, the rows are still there
  ASSERT_EQ(verdict(), "intact");
  sql("DELETE FROM audit WHERE sequence <= 14");
  EXPECT_EQ(verdict(), "missing 11");
}

TEST_F(AuditVerifyTest, a_store_without_the_table_has_no_log) {
  sql("DROP TABLE audit");
  const auto report = verify_audit(database_, key_, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::Unsupported);
}

// --- any run, any single change ------------------------------------------------------------------

class AuditVerifyProperty : public AuditFixture {
 protected:
  int64_t random(int64_t below) {
    return static_cast<int64_t>(source_.u64() % static_cast<uint64_t>(below));
  }
  // Appends, rollbacks, restarts, purges and failing checkpoint files, as they come.
  void run_at_random(int steps) {
    for (int n = 1; n <= steps; ++n) {
      passed_ += std::chrono::seconds(random(20));
      is_file_broken_ = random(10) == 0;
      std::vector<domain::AuditEntry> entries(static_cast<size_t>(random(8)), entry(n));
      if (random(6) == 0) {
        const Transaction transaction = MUST(Transaction::begin(database_));
        MUST(log_->append(database_, entries));
        if (random(2) == 0) static_cast<void>(log_->purge(database_, now().wall, 30));
        log_->undone();
      }
      log_->undone();
      append(entries);
      static_cast<void>(log_->committed(now()));
      if (random(20) == 0) open();
      if (random(5) == 0 && !is_file_broken_) purge(1 + random(30));
    }
    is_file_broken_ = false;
    const domain::AuditEntry last = entry(steps + 1);
    append(std::span(&last, 1));
    MUST(log_->checkpoint(now()));
    while (purge(1'000) >
           0) {  // what a purge that was undone left: some of it might be gone, and none may tell
    }
  }
  // One row, or several; what is to be said of it.
  std::string mutate() {
    Statement rows = MUST(Statement::prepare(database_, "SELECT sequence FROM audit ORDER BY 1"));
    std::vector<int64_t> ends;
    for (rows.start(); MUST(rows.step());) ends.push_back(rows.number());
    const auto chosen = static_cast<size_t>(random(std::ssize(ends)));
    const bool is_last = chosen + 1 == ends.size();
    const std::string end = std::to_string(ends[chosen]);
    const int64_t before = chosen == 0 ? verify().first_sequence - 1 : ends[chosen - 1];
    const std::string first = std::to_string(before + 1);
    const std::string where = " WHERE sequence = " + end;
    switch (random(6)) {
      case 0:
        sql("UPDATE audit SET mac = randomblob(32)" + where);
        return "altered " + first;
      case 1: {
        constexpr const char* kColumns[] = {"account", "app", "action", "operation", "body"};
        const std::string column = kColumns[random(5)];
        sql("UPDATE audit SET " + column + " = " + column + " || '0'" + where);
        return "altered " + first;
      }
      case 2:
        sql("UPDATE audit SET at = at - 1" + where);
        return "altered " + first;
      case 3:
        sql("DELETE FROM audit" + where);
        return (is_last ? "cut off " : "missing ") + first;
      case 4:
        sql("DELETE FROM audit WHERE sequence >= " + end);
        return "cut off " + first;
      default: {
        if (is_last) return "intact";
        const std::string next = std::to_string(ends[chosen + 1]);
        sql("UPDATE audit SET sequence = -1" + where);
        sql("UPDATE audit SET sequence = " + end + " WHERE sequence = " + next);
        sql("UPDATE audit SET sequence = " + next + " WHERE sequence = -1");
        // Rows of as many records change places; of others one is not where it must begin.
        return (ends[chosen + 1] - ends[chosen] < ends[chosen] - before ? "missing " : "altered ") +
               first;
      }
    }
  }

  SeededSecretSource source_{1};
};

TEST_F(AuditVerifyProperty, any_run_is_intact_and_any_change_is_named) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    source_ = SeededSecretSource(seed);
    sql("DELETE FROM audit");
    file_.clear();
    passed_ = {};
    open();
    run_at_random(60);
    const AuditReport report = verify();
    ASSERT_EQ(verdict(report), "intact");
    ASSERT_EQ(report.confirmed_sequence, report.last_sequence);
    ASSERT_EQ(report.bases_ahead, 0);
    const std::string expected = mutate();
    EXPECT_EQ(verdict(), expected);
  }
}

}  // namespace
}  // namespace atrium::store
