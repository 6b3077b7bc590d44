#include "adapters/store/audit.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/store/audit_body.h"
#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kInsertSql = "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?)";
constexpr const char* kLastUntilSql =
    "SELECT sequence, mac FROM audit WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1";
constexpr const char* kFirstSql = "SELECT sequence, body FROM audit ORDER BY sequence LIMIT 1";
// Where so many rows from the first on end.
constexpr const char* kRowsEndSql =
    "SELECT max(sequence) FROM (SELECT sequence FROM audit ORDER BY sequence LIMIT ?)";
constexpr const char* kLatestTimeSql =
    "SELECT max(at) FROM audit WHERE sequence > ? AND sequence <= ?";
constexpr const char* kRemoveSql = "DELETE FROM audit WHERE sequence <= ?";
constexpr const char* kOfAccountSql =
    "SELECT sequence, body, mac FROM audit WHERE account = ? AND sequence > ? ORDER BY sequence";
// The unary plus keeps the account's index out of it: an operation has few records.
constexpr const char* kOfOperationSql =
    "SELECT sequence, body, mac FROM audit WHERE operation = ? AND operation <> '' "
    "AND +account = ? AND sequence > ? ORDER BY sequence";

// One of another length was not written by us; the chain shows it.
Sha256 mac_from(ByteView bytes) {
  Sha256 out{};
  std::ranges::copy(bytes.first(std::min(bytes.size(), out.size())), out.begin());
  return out;
}

}  // namespace

Result<AuditLog> AuditLog::create(Database& database, AuditOptions options) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  AuditLog log({.insert = TRY(prepare(kInsertSql)),
                .last_until = TRY(prepare(kLastUntilSql)),
                .first = TRY(prepare(kFirstSql)),
                .latest_time = TRY(prepare(kLatestTimeSql)),
                .remove = TRY(prepare(kRemoveSql)),
                .rows_end = TRY(prepare(kRowsEndSql)),
                .of_account = TRY(prepare(kOfAccountSql)),
                .of_operation = TRY(prepare(kOfOperationSql))},
               std::move(options));
  TRY(log.head());
  return log;
}

// The last row that ends with this record or before it.
Result<AuditLog::Head> AuditLog::last_until(int64_t sequence) {
  Head found{.sequence = 0, .mac = audit_genesis(options_.key)};
  Statement& row = statements_.last_until.start().put(sequence);
  while (TRY(row.step())) {
    found.sequence = row.number();
    found.mac = mac_from(row.bytes());
  }
  return found;
}

Result<AuditLog::Head> AuditLog::head() {
  head_ = TRY(last_until(std::numeric_limits<int64_t>::max()));
  return *head_;
}

Result<bool> AuditLog::has_records() {
  return TRY(head()).sequence > 0;
}

// --- writing -------------------------------------------------------------------------------------

namespace {

// Records that one row can hold: those of one account, which its index finds, and of no operation, which another one
// does.  Reads and refusals, of which there are many a second, are so.
bool may_share_row(const domain::AuditEntry& one, const domain::AuditEntry& other) {
  return one.account == other.account && one.operation.empty() && other.operation.empty();
}

// The first of `entries` and those after it that its row has room for, as the row has them.
struct Run {
  size_t size = 0;
  Wall latest{};
  std::string body{};
};
Run first_run(std::span<const domain::AuditEntry> entries) {
  const domain::AuditEntry& first = entries.front();
  const auto size_max = std::min<size_t>(entries.size(), limits::kAuditRowRecordsMax);
  Run run{.size = 1, .latest = first.at, .body = audit_body(first)};
  while (run.size < size_max && run.body.size() < limits::kAuditRowBytes &&
         may_share_row(first, entries[run.size])) {
    const domain::AuditEntry& entry = entries[run.size++];
    run.body += kAuditBodiesEnd;
    append_audit_body(run.body, entry);
    run.latest = std::max(run.latest, entry.at);
  }
  return run;
}

}  // namespace

Result<void> AuditLog::append(Database& database, std::span<const domain::AuditEntry> entries) {
  DCHECK(database.is_in_transaction());
  if (std::ranges::all_of(entries, [](const auto& entry) { return is_bounded(entry); }))
    return append_bounded(entries);
  std::vector<domain::AuditEntry> changed;
  for (const domain::AuditEntry& entry : entries) changed.push_back(bounded(entry));
  return append_bounded(changed);
}

Result<void> AuditLog::append_bounded(std::span<const domain::AuditEntry> entries) {
  Head before = head_ ? *head_ : TRY(head());
  while (!entries.empty()) {
    const domain::AuditEntry& first = entries.front();
    const Run run = first_run(entries);
    const bool is_single = run.size == 1;
    const AuditRow row{.sequence = before.sequence + static_cast<int64_t>(run.size),
                       .at_us = unix_us(run.latest),
                       .account = first.account,
                       .app = is_single ? std::string_view(first.app.value) : "",
                       .action = is_single ? std::string_view(first.action) : "",
                       .operation = first.operation.value,
                       .body = run.body};
    const Sha256 mac = audit_mac(mac_key_, before.mac, row);
    statements_.insert.start()
        .put(row.sequence)
        .put(row.at_us)
        .put(row.account)
        .put(row.app)
        .put(row.action)
        .put(row.operation)
        .put(row.body)
        .put(mac);
    TRY(statements_.insert.finish());
    before = Head{.sequence = row.sequence, .mac = mac};
    entries = entries.subspan(run.size);
  }
  head_ = before;
  return {};
}

// --- checkpoints ---------------------------------------------------------------------------------

Mono AuditLog::next_checkpoint() const {
  if (!options_.write_checkpoint) return kNever;
  if (head_ && head_->sequence <= checkpointed_) return kNever;
  return tried_at_ ? *tried_at_ + options_.checkpoint_every : Mono();
}

Result<void> AuditLog::committed(Now now) {
  const bool is_enough = head_ && head_->sequence - tried_sequence_ >= options_.checkpoint_records;
  if (!is_enough && now.mono < next_checkpoint()) return {};
  return checkpoint(now);
}

Result<void> AuditLog::checkpoint(Now now) {
  if (!options_.write_checkpoint) return {};
  tried_at_ = now.mono;
  const Head latest = TRY(head());
  tried_sequence_ = latest.sequence;
  if (latest.sequence <= checkpointed_) return {};
  TRY(write(AuditCheckpoint::Kind::Head, latest, now.wall));
  checkpointed_ = latest.sequence;
  return {};
}

Result<void> AuditLog::write(AuditCheckpoint::Kind kind, const Head& of, Wall now) {
  const AuditCheckpoint checkpoint{.kind = kind, .sequence = of.sequence, .mac = of.mac, .at = now};
  return options_.write_checkpoint(checkpoint, checkpoint_line(options_.key, checkpoint));
}

// --- pruning -------------------------------------------------------------------------------------

// The end of the last segment to go, less than `first` when none is to.  `first`: the end of the first row.
Result<int64_t> AuditLog::last_to_remove(int64_t first, int64_t head, Wall now, int64_t rows) {
  const int64_t segment = options_.checkpoint_records;
  const int64_t last_allowed = std::min(head - 1, checkpointed_);
  const int64_t oldest_kept_us = unix_us(now - options_.keep);
  statements_.rows_end.start().put(rows);
  int64_t rows_end = 0;
  while (TRY(statements_.rows_end.step())) rows_end = statements_.rows_end.number();
  int64_t last = first - 1;
  for (int64_t end = (last / segment + 1) * segment; end <= last_allowed; end += segment) {
    if (last >= first && end > rows_end) break;
    if (head - last <= options_.rows_max) {
      Statement& latest = statements_.latest_time.start().put(last).put(end);
      int64_t latest_us = std::numeric_limits<int64_t>::max();
      while (TRY(latest.step())) latest_us = latest.number();
      if (latest_us >= oldest_kept_us) break;
    }
    last = end;
  }
  return last;
}

Result<int64_t> AuditLog::purge(Database& database, Wall now, int64_t rows) {
  DCHECK(database.is_in_transaction());
  if (!options_.write_checkpoint) return 0;
  int64_t first = 0, removed_before = 0;  // the end of the first row, and of what is gone
  statements_.first.start();
  while (TRY(statements_.first.step())) {
    first = statements_.first.number();
    removed_before = first - audit_body_count(statements_.first.text());
  }
  const Head latest = TRY(head());
  const int64_t last = TRY(last_to_remove(first, latest.sequence, now, rows));
  if (last < first) return 0;
  const Head base =
      TRY(last_until(last));  // a row that goes on behind the segment's end stays whole
  // First the line, then the rows: with the line alone they are records that may go, without it a hole.
  TRY(write(AuditCheckpoint::Kind::Base, base, now));
  TRY(statements_.remove.start().put(base.sequence).finish());
  return base.sequence - removed_before;
}

// --- reading -------------------------------------------------------------------------------------

namespace {

bool is_of_operation(const domain::AuditQuery& query) {
  return query.operation && !query.operation->empty();
}

// What one page takes of the records that are shown to it, in the order of their sequences.
class Pager {
 public:
  Pager(const domain::AuditQuery& query, int64_t scan_max) : query_(query), scan_max_(scan_max) {
    if (!query.app.empty()) members_.push_back(audit_member("app", query.app.value));
    if (!query.action.empty()) members_.push_back(audit_member("action", query.action));
    page_.looked_until = query.after_sequence;
  }
  // True: it has all that it may have, or has looked at all that it may look at.
  bool is_full() const { return std::ssize(page_.records) >= limit_ || looked_at_ >= scan_max_; }
  // The records of a row whose last one is `sequence`.  Malformed: one of them cannot be read.
  Result<void> take(int64_t sequence, std::string_view row, const Sha256& mac) {
    if (audit_body_count(row) > limits::kAuditRowRecordsMax)
      return malformed("a row of the audit has more records than one of ours");
    const auto bodies = audit_bodies(row);
    sequence -= std::ssize(bodies);
    for (const std::string_view body : bodies) {
      if (++sequence <= query_.after_sequence) continue;
      if (is_full()) return {};
      ++looked_at_;
      page_.looked_until = sequence;
      if (!is_asked_for(body)) continue;
      page_.records.push_back({sequence, TRY(parse_audit_body(body)), mac});
    }
    return {};
  }
  domain::AuditPage finish() {
    page_.has_more = is_full();
    return std::move(page_);
  }

 private:
  // By the text alone: of the thousands that a page may look at most are not asked for.  One that says no time, as
  // no record of ours does, is taken for asked for, and then found to be damaged.
  bool is_asked_for(std::string_view body) const {
    const bool has_members =
        std::ranges::all_of(members_, [&](const auto& member) { return body.contains(member); });
    if (!has_members || (!query_.from && !query_.until)) return has_members;
    const auto at_us = audit_time(body);
    return !at_us || ((!query_.from || *at_us >= unix_us(*query_.from)) &&
                      (!query_.until || *at_us < unix_us(*query_.until)));
  }

  const domain::AuditQuery& query_;
  const int64_t scan_max_;
  const int64_t limit_ =
      static_cast<int64_t>(std::min<size_t>(query_.limit, limits::kAuditPageMax));
  std::vector<std::string> members_;  // of what is asked for
  int64_t looked_at_ = 0;
  domain::AuditPage page_;
};

}  // namespace

Result<domain::AuditPage> AuditLog::list(const domain::AuditQuery& query) {
  const bool is_of_one = is_of_operation(query);
  Statement& row = (is_of_one ? statements_.of_operation : statements_.of_account).start();
  if (is_of_one) row.put(query.operation->value);
  row.put(query.account).put(query.after_sequence);
  Pager pager(query, options_.scan_max);
  Result<void> taken;
  while (taken && !pager.is_full() && TRY(row.step())) {
    const int64_t sequence = row.number();
    const std::string body = row.text();
    taken = pager.take(sequence, body, mac_from(row.bytes()));
  }
  row.start();  // an open statement would keep its transaction from ending
  if (!taken) return std::unexpected(taken.error());
  return pager.finish();
}

}  // namespace atrium::store
