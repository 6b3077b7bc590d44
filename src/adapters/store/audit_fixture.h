// For tests: an audit log in a database in memory, with a checkpoint file that is a string.
#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "adapters/store/audit.h"
#include "adapters/store/audit_verify.h"
#include "adapters/store/schema.h"

namespace atrium::store {

inline constexpr Wall kAuditStart = wall_from_unix_ms(1'800'000'000'123);
inline constexpr int64_t kAuditSegment = 10;

class AuditFixture : public testing::Test {
 protected:
  AuditFixture() {
    key_.fill(7);
    MUST(migrate(database_, ":memory:"));
    open();
  }

  // As a restart does.
  void open() {
    AuditOptions options{.key = key_,
                         .write_checkpoint = [this](const AuditCheckpoint& checkpoint,
                                                    std::string_view line) -> Result<void> {
                           if (is_file_broken_) return fail(ErrorKind::Unavailable, "full");
                           EXPECT_EQ(read_checkpoint_line(key_, line), checkpoint);
                           file_.append(line).append("\n");
                           return {};
                         },
                         .keep = 100s,
                         .rows_max = 1'000,
                         .checkpoint_records = kAuditSegment,
                         .scan_max = scan_max_};
    log_.emplace(MUST(AuditLog::create(database_, std::move(options))));
  }
  Now now() const { return {.mono = Mono(1s) + passed_, .wall = kAuditStart + passed_}; }

  // The n-th entry, one second after the one before.
  domain::AuditEntry entry(int n) const {
    domain::AuditEntry out;
    out.phase = n % 2 == 0 ? domain::AuditPhase::Accepted : domain::AuditPhase::Finished;
    out.at = kAuditStart + std::chrono::seconds(n);
    out.account = n % 3 == 0 ? "100" : "200";
    out.access_key = "AK";
    out.action = n % 2 == 0 ? "DismissRoom" : "ListRooms";
    out.version = "2026-12-01";
    out.app = AppId(n % 5 == 0 ? "app0" : "app1");
    out.room = RoomId("lobby \"1\"\n");
    if (n % 2 == 0) out.operation = OperationId("OP_" + std::to_string(n));
    out.request_id = "request" + std::to_string(n);
    out.source = "2001:db8::1";
    if (n % 4 == 0) out.body_hash = sha256(as_bytes(out.request_id));
    out.status = 200;
    return out;
  }
  void append(std::span<const domain::AuditEntry> entries) {
    Transaction transaction = MUST(Transaction::begin(database_));
    MUST(log_->append(database_, entries));
    MUST(transaction.commit());
  }
  // Entries `from` to `to`, each in a transaction of its own, with what a server does after each.
  void run(int from, int to) {
    for (int n = from; n <= to; ++n) {
      passed_ = std::chrono::seconds(n);
      const domain::AuditEntry one = entry(n);
      append(std::span(&one, 1));
      MUST(log_->committed(now()));
    }
  }
  // Gives the number of records.
  int64_t purge(int64_t rows = 1) {
    Transaction transaction = MUST(Transaction::begin(database_));
    const int64_t removed = MUST(log_->purge(database_, now().wall, rows));
    MUST(transaction.commit());
    return removed;
  }
  void sql(const std::string& text) { MUST(database_.run(text.c_str())); }
  int64_t number(const char* text) {
    Statement statement = MUST(Statement::prepare(database_, text));
    int64_t out = 0;
    statement.start();
    while (MUST(statement.step())) out = statement.number();
    return out;
  }
  std::vector<int64_t> list(const domain::AuditQuery& query) {
    std::vector<int64_t> out;
    const domain::AuditPage page = MUST(log_->list(query));
    for (const domain::StoredAudit& one : page.records) out.push_back(one.sequence);
    return out;
  }

  AuditReport verify(const AuditKey& key) {
    MUST(database_.run("BEGIN"));
    const auto checkpoints = read_checkpoints(key, file_).found;
    const AuditReport report = MUST(verify_audit(
        database_, key, {.checkpoints = checkpoints, .at_least = newest_sequence(checkpoints)}));
    MUST(database_.run("COMMIT"));
    return report;
  }
  AuditReport verify() { return verify(key_); }
  // "intact", or "altered 7".
  static std::string verdict(const AuditReport& report) {
    if (!report.finding) return "intact";
    constexpr const char* kNames[] = {"altered",  "missing", "inserted",
                                      "replaced", "cut off", "unguarded"};
    return std::string(kNames[static_cast<size_t>(report.finding->fault)]) + " " +
           std::to_string(report.finding->sequence);
  }
  std::string verdict() { return verdict(verify()); }

  AuditKey key_{};
  Database database_ = Database::open(":memory:").value();
  std::string file_;  // the checkpoints
  bool is_file_broken_ = false;
  int64_t scan_max_ = kAuditScanMax;
  Duration passed_{};
  std::optional<AuditLog> log_;
};

}  // namespace atrium::store
