#include "adapters/store/audit_verify.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "adapters/store/audit_body.h"
#include "adapters/store/rows.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

using Kind = AuditCheckpoint::Kind;

constexpr int64_t kProgressEvery = 100'000;
// More than a server leaves without a checkpoint: one is due after so many records, and all that wait may be committed
// with the last of them; and after so long.
constexpr int64_t kUncoveredRecordsMax = limits::kAuditCheckpointRecords + limits::kAuditQueueMax;
constexpr int64_t kUncoveredUsMax = 10 * 1'000 * limits::kAuditCheckpointMs;
constexpr const char* kTableSql =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'audit'";
constexpr const char* kAllSql =
    "SELECT sequence, at, account, app, action, operation, body, mac FROM audit ORDER BY sequence";

// A row with texts of its own.
struct StoredRow {
  AuditRow row;
  std::string account, app, action, operation, body;
  ByteView mac;                // until the next row is read
  int64_t first_sequence = 0;  // as many before its own as its text has records
};

StoredRow read_row(Statement& from) {
  StoredRow out;
  out.row.sequence = from.number();
  out.row.at_us = from.number();
  out.account = from.text();
  out.app = from.text();
  out.action = from.text();
  out.operation = from.text();
  out.body = from.text();
  out.mac = from.bytes();
  // A number or a text that is none of ours is not reckoned with; its MAC will not fit.
  const int64_t count = audit_body_count(out.body);
  const bool is_usable = count <= limits::kAuditRowRecordsMax && out.row.sequence >= 1;
  out.first_sequence = out.row.sequence - (is_usable ? count - 1 : 0);
  return out;
}

AuditRow view_of(const StoredRow& stored) {
  return {.sequence = stored.row.sequence,
          .at_us = stored.row.at_us,
          .account = stored.account,
          .app = stored.app,
          .action = stored.action,
          .operation = stored.operation,
          .body = stored.body};
}

// What can be said of a row whose MAC does not fit.
const char* what_differs(const StoredRow& stored) {
  if (stored.mac.size() != Sha256().size()) return "its MAC is not 32 bytes long";
  if (audit_body_count(stored.body) > limits::kAuditRowRecordsMax)
    return "its text is not one that the server writes";
  Wall latest{};
  const bool is_single = stored.first_sequence == stored.row.sequence;
  for (const std::string_view body : audit_bodies(stored.body)) {
    const auto entry = parse_audit_body(body);
    if (!entry) return "its text is not one that the server writes";
    latest = std::max(latest, entry->at);
    if (stored.account != entry->account) return "its account is not the one in its text";
    if (stored.operation != entry->operation.value)
      return "its operation is not the one in its text";
    if (stored.app != (is_single ? entry->app.value : ""))
      return "its app is not the one in its text";
    if (stored.action != (is_single ? entry->action : ""))
      return "its action is not the one in its text";
  }
  if (stored.row.at_us != unix_us(latest)) return "its time is not the one in its text";
  return "its MAC is not that of what it says after the record before it";
}

Result<bool> has_table(Database& database) {
  Statement tables = TRY(Statement::prepare(database, kTableSql));
  bool has = false;
  tables.start();
  while (TRY(tables.step())) has = tables.number() != 0;
  return has;
}

class Verification {
 public:
  Verification(const AuditKey& key, const AuditEvidence& evidence)
      : mac_key_(key), evidence_(evidence), before_(audit_genesis(key)) {
    for (const AuditCheckpoint& one : evidence.checkpoints) by_sequence_.emplace(one.sequence, one);
  }

  // False: the first fault is found.
  bool take(const StoredRow& stored);
  AuditReport finish();
  int64_t records() const { return report_.records; }  // intact until now

 private:
  bool start_at(const StoredRow& first);
  bool compare_with_checkpoints(int64_t first, int64_t last);
  int64_t confirmed_before(const AuditCheckpoint& checkpoint) const;
  void find(AuditFault fault, int64_t sequence, std::optional<Wall> at, const char* detail,
            std::optional<AuditCheckpoint> against = {}) {
    report_.finding = AuditFinding{.fault = fault,
                                   .sequence = sequence,
                                   .until = sequence,
                                   .at = at,
                                   .detail = detail,
                                   .against = against};
  }
  int64_t newest_base(int64_t until) const;
  bool is_unguarded() const {
    const int64_t uncovered = report_.last_sequence - report_.confirmed_sequence;
    return is_started() && uncovered > 0 &&
           (uncovered > kUncoveredRecordsMax ||
            uncovered_until_us_ - uncovered_since_us_ > kUncoveredUsMax);
  }
  bool is_started() const { return report_.first_sequence != 0; }

  // given
  const HmacSha256 mac_key_;
  const AuditEvidence& evidence_;
  // derived
  std::multimap<int64_t, AuditCheckpoint> by_sequence_;
  std::vector<AuditCheckpoint> confirmed_;  // those that the records fit
  Sha256 before_;                           // the MAC of the record before the next
  int64_t expected_ = 1;                    // the next record's sequence
  // Times of the first and the last record since the latest confirmed one.
  int64_t uncovered_since_us_ = 0, uncovered_until_us_ = 0;
  AuditReport report_;
};

// The newest base of a sequence up to `until`; 0: none.
int64_t Verification::newest_base(int64_t until) const {
  int64_t newest = 0;
  for (const auto& [sequence, checkpoint] : by_sequence_)
    if (checkpoint.kind == Kind::Base && sequence <= until) newest = std::max(newest, sequence);
  return newest;
}

// Records before the first were removed by the server where a base says so, and else by somebody.
bool Verification::start_at(const StoredRow& first) {
  const int64_t sequence = first.row.sequence;
  if (sequence < 1) {
    find(AuditFault::Inserted, sequence, wall_from_unix_us(first.row.at_us),
         "the server counts from 1");
    return false;
  }
  const int64_t base = newest_base(sequence - 1);
  expected_ = base + 1;
  if (first.first_sequence > expected_) {
    find(AuditFault::Missing, expected_, std::nullopt,
         "the log does not begin where a purge left off, nor with record 1");
    return false;
  }
  const auto [begin, end] = by_sequence_.equal_range(base);
  for (auto at = begin; at != end; ++at)
    if (at->second.kind == Kind::Base) before_ = at->second.mac;
  report_.first_sequence = expected_;
  report_.confirmed_sequence = base;
  return true;
}

// Of a row; a checkpoint is of a row's last record.
bool Verification::compare_with_checkpoints(int64_t first, int64_t last) {
  const auto end = by_sequence_.upper_bound(last);
  for (auto at = by_sequence_.lower_bound(first); at != end; ++at) {
    if (at->first != last || !constant_time_equal(at->second.mac, before_)) {
      find(AuditFault::Replaced, confirmed_before(at->second) + 1, std::nullopt,
           "the records up to a checkpoint are not those that it was made of: they were cut off "
           "and others written in their place",
           at->second);
      return false;
    }
    confirmed_.push_back(at->second);
    report_.confirmed_sequence = last;
  }
  return true;
}

// What checkpoints older than this one confirm: later ones may have been made of what replaced its records.
int64_t Verification::confirmed_before(const AuditCheckpoint& checkpoint) const {
  int64_t newest = report_.first_sequence - 1;
  for (const AuditCheckpoint& one : confirmed_)
    if (one.at <= checkpoint.at) newest = std::max(newest, one.sequence);
  return newest;
}

bool Verification::take(const StoredRow& stored) {
  if (!is_started() && !start_at(stored)) return false;
  const Wall at = wall_from_unix_us(stored.row.at_us);
  if (stored.first_sequence > expected_) {
    find(AuditFault::Missing, expected_, std::nullopt, "later records are there");
    return false;
  }
  if (stored.row.sequence < expected_) {
    find(AuditFault::Inserted, stored.row.sequence, at, "there are two of this number");
    return false;
  }
  const Sha256 mac = audit_mac(mac_key_, before_, view_of(stored));
  if (!constant_time_equal(mac, stored.mac) || stored.first_sequence != expected_) {
    find(AuditFault::Altered, expected_, at, what_differs(stored));
    report_.finding->until = stored.row.sequence;
    return false;
  }
  before_ = mac;
  if (report_.last_sequence == report_.confirmed_sequence || report_.records == 0)
    uncovered_since_us_ = stored.row.at_us;
  uncovered_until_us_ = stored.row.at_us;
  report_.last_sequence = stored.row.sequence;
  report_.records += stored.row.sequence - expected_ + 1;
  expected_ = stored.row.sequence + 1;
  return compare_with_checkpoints(stored.first_sequence, stored.row.sequence);
}

AuditReport Verification::finish() {
  if (report_.finding) return report_;
  const int64_t newest_removed = newest_base(std::numeric_limits<int64_t>::max());
  if (is_started())
    report_.bases_ahead = std::max<int64_t>(0, newest_removed - report_.first_sequence + 1);
  else
    expected_ = newest_base(evidence_.at_least) + 1;
  if (report_.last_sequence < evidence_.at_least) {
    const auto known = by_sequence_.lower_bound(expected_);
    find(AuditFault::CutOff, expected_, std::nullopt, "a checkpoint was made of a later record",
         known == by_sequence_.end() ? std::nullopt : std::optional(known->second));
  } else if (is_unguarded()) {
    find(AuditFault::Unguarded, report_.confirmed_sequence + 1,
         wall_from_unix_us(uncovered_since_us_),
         "no checkpoint follows it: the checkpoint file was shortened or removed, or the server "
         "cannot write it");
  }
  return report_;
}

}  // namespace

int64_t newest_sequence(std::span<const AuditCheckpoint> checkpoints) {
  int64_t newest = 0;
  for (const AuditCheckpoint& one : checkpoints) newest = std::max(newest, one.sequence);
  return newest;
}

Result<AuditReport> verify_audit(Database& database, const AuditKey& key,
                                 const AuditEvidence& evidence,
                                 const std::function<void(int64_t records)>& on_progress) {
  Verification verification(key, evidence);
  if (!TRY(has_table(database))) {
    if (evidence.at_least == 0) return fail(ErrorKind::Unsupported, "the store has no audit log");
    return verification.finish();
  }
  Statement rows = TRY(Statement::prepare(database, kAllSql));
  rows.start();
  int64_t next_progress = kProgressEvery;
  while (TRY(rows.step())) {
    if (!verification.take(read_row(rows))) break;
    if (!on_progress || verification.records() < next_progress) continue;
    on_progress(verification.records());
    next_progress += kProgressEvery;
  }
  return verification.finish();
}

}  // namespace atrium::store
