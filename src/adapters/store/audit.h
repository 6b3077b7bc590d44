// AuditLog: the table of audit records (schema.cc), each row chained to the one before by a MAC whose key lies outside
// the store.  A row has one record, or a run of records of one account and of no operation that were given at once; its
// sequence is that of the last.  Owner: Store, within whose transactions it writes.  Thread: store.
// Does not: begin or commit transactions, read a clock, write files, verify (audit_verify.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/store/audit_chain.h"
#include "adapters/store/sqlite.h"
#include "base/limits.h"
#include "base/time.h"
#include "domain/audit.h"

namespace atrium::store {

// Records of one account or operation that are looked at for one page, whatever its filters.
inline constexpr int64_t kAuditScanMax = 10 * limits::kAuditPageMax;

struct AuditOptions {
  AuditKey key{};
  // Appends `line` (checkpoint_line(), no end of line) to a file outside the store and returns when it is on the disk.
  // Empty: no checkpoints are written, and no record is ever removed.
  std::function<Result<void>(const AuditCheckpoint& checkpoint, std::string_view line)>
      write_checkpoint = {};
  // Smaller in tests.
  Duration keep = std::chrono::days(limits::kAuditKeepDays);
  int64_t rows_max = limits::kAuditRowsMax;
  int64_t checkpoint_records = limits::kAuditCheckpointRecords;  // also the length of a segment
  int64_t scan_max = kAuditScanMax;
  Duration checkpoint_every = std::chrono::milliseconds(limits::kAuditCheckpointMs);
};

class AuditLog {
 public:
  static Result<AuditLog> create(Database& database, AuditOptions options);

  // In the running transaction, in this order.  Texts longer than kAuditTextBytesMax are cut.
  Result<void> append(Database& database, std::span<const domain::AuditEntry> entries);
  // What was appended since the last commit may have been rolled back: nothing more is counted on it being there.
  void undone() { head_ = std::nullopt; }
  // After a commit, and at next_checkpoint(): writes a checkpoint when one is due.  An error is that of
  // write_checkpoint or of the disk; it is tried again when the next one is due.  Not inside a transaction.
  Result<void> committed(Now now);
  // As committed(), but due as soon as there is something new: at the end of the process.
  Result<void> checkpoint(Now now);
  // Removes whole segments of records that are all older than `keep`, or that `rows_max` has no room for: the rows that
  // end in them.  About `rows` rows, at least one segment if one is to go; never the latest record, nor one that no
  // checkpoint covers.  What goes is checkpointed as the new base first, so that the transaction may still be rolled
  // back.  Gives the number of records.
  Result<int64_t> purge(Database& database, Wall now, int64_t rows);

  // When committed() has something to do without any new commit; kNever: nothing.
  Mono next_checkpoint() const;
  // At most min(limit, kAuditPageMax) records of exactly this account (an empty one: those of callers who are not
  // known), after `after_sequence`; until is exclusive.  Looks at no more than kAuditScanMax of them.  Malformed: a
  // record that cannot be read.
  Result<domain::AuditPage> list(const domain::AuditQuery& query);
  Result<bool> has_records();

 private:
  struct Head {
    int64_t sequence = 0;  // 0: there is no record
    Sha256 mac{};
  };
  struct Statements {
    Statement insert, last_until, first, latest_time, remove, rows_end;
    Statement of_account, of_operation;
  };
  AuditLog(Statements statements, AuditOptions options)
      : statements_(std::move(statements)), options_(std::move(options)), mac_key_(options_.key) {}
  Result<Head> last_until(int64_t sequence);
  // As the table has it now: one that is remembered might have been rolled back since.
  Result<Head> head();
  Result<void> append_bounded(std::span<const domain::AuditEntry> entries);
  Result<int64_t> last_to_remove(int64_t first, int64_t head, Wall now, int64_t rows);
  Result<void> write(AuditCheckpoint::Kind kind, const Head& of, Wall now);

  // owned
  Statements statements_;
  // given
  AuditOptions options_;
  // derived
  HmacSha256 mac_key_;          // of the options' key
  std::optional<Head> head_;    // when last seen, to know what is due; none: not known
  int64_t checkpointed_ = 0;    // what the latest checkpoint of this process covers
  int64_t tried_sequence_ = 0;  // the head when one was last tried
  std::optional<Mono> tried_at_;
};

}  // namespace atrium::store
