#include "adapters/store/audit.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "adapters/store/audit_body.h"
#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kInsertSql = "INSERT INTO audit VALUES (?,?,?,?,?,?,?,?)";
constexpr const char* kHeadSql = "SELECT sequence, mac FROM audit ORDER BY sequence DESC LIMIT 1";
constexpr const char* kFirstSql = "SELECT sequence FROM audit ORDER BY sequence LIMIT 1";
constexpr const char* kMacOfSql = "SELECT mac FROM audit WHERE sequence = ?";
constexpr const char* kLatestTimeSql =
    "SELECT max(at) FROM audit WHERE sequence > ? AND sequence <= ?";
constexpr const char* kRemoveSql = "DELETE FROM audit WHERE sequence <= ?";
constexpr const char* kOfAccountSql =
    "SELECT sequence, body, mac FROM audit WHERE account = ? AND sequence > ? AND sequence <= ? "
    "AND at >= ? AND at < ? AND (? = '' OR app = ?) AND (? = '' OR action = ?) "
    "ORDER BY sequence LIMIT ?";
// The unary plus keeps the account's index out of it: an operation has few records.
constexpr const char* kOfOperationSql =
    "SELECT sequence, body, mac FROM audit WHERE operation = ? AND operation <> '' "
    "AND +account = ? AND sequence > ? AND sequence <= ? AND at >= ? AND at < ? "
    "AND (? = '' OR app = ?) AND (? = '' OR action = ?) ORDER BY sequence LIMIT ?";
constexpr const char* kScanAccountSql =
    "SELECT max(sequence), count(*) FROM (SELECT sequence FROM audit WHERE account = ? "
    "AND sequence > ? ORDER BY sequence LIMIT ?)";
constexpr const char* kScanOperationSql =
    "SELECT max(sequence), count(*) FROM (SELECT sequence FROM audit WHERE operation = ? "
    "AND operation <> '' AND sequence > ? ORDER BY sequence LIMIT ?)";

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
                .head = TRY(prepare(kHeadSql)),
                .first = TRY(prepare(kFirstSql)),
                .mac_of = TRY(prepare(kMacOfSql)),
                .latest_time = TRY(prepare(kLatestTimeSql)),
                .remove = TRY(prepare(kRemoveSql)),
                .scan_account = TRY(prepare(kScanAccountSql)),
                .scan_operation = TRY(prepare(kScanOperationSql)),
                .of_account = TRY(prepare(kOfAccountSql)),
                .of_operation = TRY(prepare(kOfOperationSql))},
               std::move(options));
  TRY(log.head());
  return log;
}

Result<AuditLog::Head> AuditLog::head() {
  Head found{.sequence = 0, .mac = audit_genesis(options_.key)};
  Statement& row = statements_.head.start();
  while (TRY(row.step())) {
    found.sequence = row.number();
    found.mac = mac_from(row.bytes());
  }
  head_ = found;
  return found;
}

Result<bool> AuditLog::has_records() {
  return TRY(head()).sequence > 0;
}

Result<void> AuditLog::append(Database& database, std::span<const domain::AuditEntry> entries) {
  DCHECK(database.is_in_transaction());
  Head before = head_ ? *head_ : TRY(head());
  for (const domain::AuditEntry& given : entries) {
    std::optional<domain::AuditEntry> changed;
    const domain::AuditEntry& entry = is_bounded(given) ? given : changed.emplace(bounded(given));
    const std::string body = audit_body(entry);
    const AuditRow row{.sequence = before.sequence + 1,
                       .at_us = unix_us(entry.at),
                       .account = entry.account,
                       .app = entry.app.value,
                       .action = entry.action,
                       .operation = entry.operation.value,
                       .body = body};
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

// The end of the last segment to go, first - 1 when none is to.
Result<int64_t> AuditLog::last_to_remove(int64_t first, int64_t head, Wall now, int64_t rows) {
  const int64_t segment = options_.checkpoint_records;
  const int64_t last_allowed = std::min(head - 1, checkpointed_);
  const int64_t oldest_kept_us = unix_us(now - options_.keep);
  int64_t last = first - 1;
  for (int64_t end = (last / segment + 1) * segment; end <= last_allowed; end += segment) {
    if (last >= first && end - first + 1 > rows) break;
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

Result<uint32_t> AuditLog::purge(Database& database, Wall now, int64_t rows) {
  if (!options_.write_checkpoint) return 0;
  int64_t first = 0;
  statements_.first.start();
  while (TRY(statements_.first.step())) first = statements_.first.number();
  const Head latest = TRY(head());
  const int64_t last = TRY(last_to_remove(first, latest.sequence, now, rows));
  if (last < first) return 0;
  Head base{.sequence = last, .mac = {}};
  statements_.mac_of.start().put(last);
  while (TRY(statements_.mac_of.step())) base.mac = mac_from(statements_.mac_of.bytes());
  // First the line, then the rows: with the line alone they are records that may go, without it a hole.
  TRY(write(AuditCheckpoint::Kind::Base, base, now));
  TRY(statements_.remove.start().put(last).finish());
  return database.rows_changed();
}

// --- reading -------------------------------------------------------------------------------------

bool is_of_operation(const domain::AuditQuery& query) {
  return query.operation && !query.operation->empty();
}

// How far this page looks, and whether there is more behind it.
Result<void> AuditLog::bound_scan(const domain::AuditQuery& query, domain::AuditPage& page) {
  const bool is_of_one = is_of_operation(query);
  Statement& scan = (is_of_one ? statements_.scan_operation : statements_.scan_account).start();
  scan.put(is_of_one ? query.operation->value : query.account);
  scan.put(query.after_sequence).put(options_.scan_max);
  page.looked_until = query.after_sequence;
  while (TRY(scan.step())) {
    page.looked_until = scan.optional_number<int64_t>().value_or(query.after_sequence);
    page.has_more = scan.number() >= options_.scan_max;
  }
  return {};
}

Result<domain::AuditPage> AuditLog::list(const domain::AuditQuery& query) {
  domain::AuditPage page;
  TRY(bound_scan(query, page));
  const auto limit = std::min<size_t>(query.limit, limits::kAuditPageMax);
  const bool is_of_one = is_of_operation(query);
  Statement& row = (is_of_one ? statements_.of_operation : statements_.of_account).start();
  if (is_of_one) row.put(query.operation->value);
  row.put(query.account)
      .put(query.after_sequence)
      .put(page.looked_until)
      .put(query.from ? unix_us(*query.from) : std::numeric_limits<int64_t>::min())
      .put(query.until ? unix_us(*query.until) : std::numeric_limits<int64_t>::max())
      .put(query.app.value)
      .put(query.app.value)
      .put(query.action)
      .put(query.action)
      .put(static_cast<int64_t>(limit));
  while (TRY(row.step())) {
    domain::StoredAudit record{.sequence = row.number(), .entry = {}, .mac = {}};
    auto entry = parse_audit_body(row.text());
    if (!entry) {
      row.start();  // an open statement would keep its transaction from ending
      return std::unexpected(entry.error());
    }
    record.entry = std::move(*entry);
    record.mac = mac_from(row.bytes());
    page.records.push_back(std::move(record));
  }
  if (page.records.size() < limit) return page;
  page.looked_until = limit == 0 ? query.after_sequence : page.records.back().sequence;
  page.has_more = true;
  return page;
}

}  // namespace atrium::store
