#include "adapters/store/bulks.h"

#include <algorithm>
#include <chrono>

#include "adapters/store/rows.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

using domain::BulkItemState;
using domain::DismissalState;

constexpr auto kKeep = std::chrono::days(limits::kRecordKeepDays);

constexpr const char* kKnownSql = "SELECT 1 FROM bulks WHERE operation = ?";
constexpr const char* kPutSql =
    "INSERT INTO bulks VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (operation) DO UPDATE SET "
    "finished_at = excluded.finished_at, per_second = excluded.per_second";
constexpr const char* kPutItemSql = "INSERT INTO bulk_items VALUES (?,?,?,?)";
constexpr const char* kPurgeItemsSql =
    "DELETE FROM bulk_items WHERE (operation, position) IN (SELECT bulk_items.operation, position "
    "FROM bulks CROSS JOIN bulk_items USING (operation) WHERE accepted_at < ? "
    "ORDER BY accepted_at LIMIT ?)";
constexpr const char* kPurgeSql =
    "DELETE FROM bulks WHERE operation IN (SELECT operation FROM bulks WHERE accepted_at < ? "
    "AND NOT EXISTS (SELECT 1 FROM bulk_items WHERE bulk_items.operation = bulks.operation) "
    "ORDER BY accepted_at LIMIT ?)";
constexpr const char* kFindSql = "SELECT * FROM bulks WHERE operation = ?";
// The latest dismissal of each life.
constexpr const char* kItemsSql =
    "SELECT items.room, items.room_sid, dismissals.operation, dismissals.state "
    "FROM bulk_items AS items LEFT JOIN dismissals ON dismissals.operation = "
    "(SELECT operation FROM dismissals WHERE items.room_sid <> '' AND room_sid = items.room_sid "
    "ORDER BY accepted_at DESC LIMIT 1) "
    "WHERE items.operation = ? AND position >= ? ORDER BY position LIMIT ?";

BulkItemState state_of(const domain::BulkDismissal& bulk, const domain::BulkItem& item,
                       std::optional<DismissalState> dismissal) {
  if (!dismissal)
    return bulk.finished_at || item.room_sid.empty() ? BulkItemState::NotThere
                                                     : BulkItemState::Waiting;
  switch (*dismissal) {
    case DismissalState::Running:
      return BulkItemState::Running;
    case DismissalState::Failed:
      return BulkItemState::Failed;
    case DismissalState::Done:
    case DismissalState::Interrupted:  // no life survives its process
      return BulkItemState::Dismissed;
  }
  return BulkItemState::Failed;
}

}  // namespace

Result<Bulks> Bulks::create(Database& database) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return Bulks(Statements{.known = TRY(prepare(kKnownSql)),
                          .put = TRY(prepare(kPutSql)),
                          .put_item = TRY(prepare(kPutItemSql)),
                          .purge_items = TRY(prepare(kPurgeItemsSql)),
                          .purge = TRY(prepare(kPurgeSql)),
                          .find = TRY(prepare(kFindSql)),
                          .items = TRY(prepare(kItemsSql))});
}

Result<bool> Bulks::is_known(const OperationId& operation) {
  bool found = false;
  Statement& row = statements_.known.start().put(operation.value);
  while (TRY(row.step())) found = true;
  return found;
}

Result<void> Bulks::put(Database& database, const domain::BulkDismissal& bulk) {
  const auto count = std::ssize(bulk.items);
  TRY(purge(database, bulk.accepted_at, (count + 1) * limits::kPurgeRowsPerWrite));
  const bool is_new = !TRY(is_known(bulk.operation));
  Statement& put = statements_.put.start();
  put.put(bulk.operation.value)
      .put(bulk.app.value)
      .put(bulk.operator_id)
      .put(bulk.request_id)
      .put(bulk.reason)
      .put(unix_us(bulk.accepted_at));
  put_time(put, bulk.finished_at);
  TRY(put.put(static_cast<int64_t>(bulk.per_second)).put(int64_t{count}).finish());
  if (!is_new) return {};
  for (ptrdiff_t i = 0; i < count; ++i) {
    const domain::BulkItem& item = bulk.items[static_cast<size_t>(i)];
    statements_.put_item.start().put(bulk.operation.value).put(int64_t{i});
    TRY(statements_.put_item.put(item.room.value).put(item.room_sid.value).finish());
  }
  return {};
}

Result<uint32_t> Bulks::purge(Database& database, Wall now, int64_t rows) {
  const int64_t oldest_us = unix_us(now - kKeep);
  TRY(statements_.purge_items.start().put(oldest_us).put(rows).finish());
  const uint32_t items = database.rows_changed();
  TRY(statements_.purge.start().put(oldest_us).put(rows).finish());
  return items + database.rows_changed();
}

Result<std::optional<domain::BulkPage>> Bulks::find(const OperationId& operation, size_t offset,
                                                    size_t limit) {
  domain::BulkPage page;
  bool is_found = false;
  Statement& row = statements_.find.start().put(operation.value);
  while (TRY(row.step())) {
    is_found = true;
    page.bulk.operation = OperationId(row.text());
    page.bulk.app = AppId(row.text());
    page.bulk.operator_id = row.text();
    page.bulk.request_id = row.text();
    page.bulk.reason = row.text();
    page.bulk.accepted_at = wall_from_unix_us(row.number());
    page.bulk.finished_at = read_time(row);
    page.bulk.per_second = static_cast<uint32_t>(row.number());
    page.total = static_cast<uint32_t>(row.number());
  }
  if (!is_found) return std::nullopt;
  page.offset = offset;
  Statement& items = statements_.items.start().put(operation.value);
  items.put(static_cast<int64_t>(offset));
  items.put(static_cast<int64_t>(std::min<size_t>(limit, limits::kBulkPageMax)));
  while (TRY(items.step())) {
    domain::BulkItemResult& result = page.items.emplace_back();
    result.item.room = RoomId(items.text());
    result.item.room_sid = RoomSid(items.text());
    if (auto of_dismissal = items.optional_text())
      result.operation = OperationId(std::move(*of_dismissal));
    const auto state = items.optional_number<int64_t>();
    result.state =
        state_of(page.bulk, result.item,
                 state ? std::optional(static_cast<DismissalState>(*state)) : std::nullopt);
  }
  return page;
}

}  // namespace atrium::store
