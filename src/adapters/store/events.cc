#include "adapters/store/events.h"

#include <algorithm>
#include <limits>
#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kKnownSql = "SELECT cursor FROM events WHERE id = ?";
constexpr const char* kNumberSql =
    "INSERT INTO event_rooms VALUES (?,?,(SELECT sequence_floor + 1 FROM event_marks),?) "
    "ON CONFLICT (app, room) DO UPDATE SET last_sequence = last_sequence + 1, "
    "last_at = max(last_at, excluded.last_at) RETURNING last_sequence";
constexpr const char* kReleaseSql =
    "UPDATE events SET held_by = '' WHERE held_by = ? AND held_by <> ''";
constexpr const char* kReleaseAllSql = "UPDATE events SET held_by = '' WHERE held_by <> ''";
constexpr const char* kLatestSql =
    "SELECT at FROM events WHERE is_kept = 0 ORDER BY at DESC LIMIT 1";

constexpr const char* kMarksSql = "SELECT purged_cursor FROM event_marks";
constexpr const char* kHeldOfAppSql =
    "SELECT min(cursor) FROM events INDEXED BY events_held WHERE held_by <> '' AND app = ?";
constexpr const char* kHeldOfRoomSql =
    "SELECT min(cursor) FROM events WHERE held_by <> '' AND app = ? AND room = ?";
// Cursors rise with time, but for what was committed within a moment: among some hundred of the earliest is the first.
constexpr const char* kFirstSinceSql =
    "SELECT min(cursor) FROM (SELECT cursor FROM events WHERE is_kept = 0 AND at >= ? "
    "ORDER BY at LIMIT ?)";
constexpr const char* kOfAppWhere = "app = ?";
constexpr const char* kOfRoomWhere = "app = ? AND room = ?";

// Candidates are few and settled first: what may not go yet is not searched through.
constexpr const char* kLastOldSql =
    "SELECT max(cursor) FROM (SELECT cursor FROM events WHERE is_kept = 0 AND at < ? "
    "ORDER BY at LIMIT ?)";
constexpr const char* kPurgeOldSql =
    "DELETE FROM events WHERE cursor IN (SELECT cursor FROM (SELECT cursor FROM events "
    "WHERE is_kept = 0 AND at < ? ORDER BY at LIMIT ?) AS old "
    "WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.cursor = old.cursor))";
// Gaps are few: the span of cursors stands for the number of rows, which would take minutes to count.
constexpr const char* kLastSurplusSql =
    "SELECT max(cursor) FROM (SELECT cursor FROM events "
    "WHERE cursor <= (SELECT max(cursor) FROM events) - ? ORDER BY cursor LIMIT ?)";
constexpr const char* kPurgeSurplusSql =
    "DELETE FROM events WHERE cursor IN (SELECT cursor FROM events "
    "WHERE cursor <= (SELECT max(cursor) FROM events) - ? ORDER BY cursor LIMIT ?)";
constexpr const char* kMarkPurgedSql =
    "UPDATE event_marks SET purged_cursor = max(purged_cursor, ?)";
constexpr const char* kRaiseFloorSql =
    "UPDATE event_marks SET sequence_floor = max(sequence_floor, (SELECT max(last_sequence) FROM "
    "(SELECT last_sequence FROM event_rooms WHERE last_at < ?1 ORDER BY last_at, app, room LIMIT "
    "?2))) WHERE EXISTS (SELECT 1 FROM event_rooms WHERE last_at < ?1)";
constexpr const char* kForgetRoomsSql =
    "DELETE FROM event_rooms WHERE (app, room) IN (SELECT app, room FROM event_rooms "
    "WHERE last_at < ? ORDER BY last_at, app, room LIMIT ?)";

constexpr int64_t kNoEnd = std::numeric_limits<int64_t>::max();

std::string list_sql(const char* where) {
  return "SELECT " + std::string(kEventColumns) + " FROM events WHERE " + where +
         " AND cursor > ? AND cursor < ? AND at >= ? ORDER BY cursor LIMIT ?";
}

Result<std::optional<int64_t>> one_number(Statement& statement) {
  std::optional<int64_t> found;
  while (TRY(statement.step())) found = statement.optional_number<int64_t>();
  return found;
}

}  // namespace

Result<EventLog> EventLog::create(Database& database, EventBounds bounds) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return EventLog(Statements{.known = TRY(prepare(kKnownSql)),
                             .number = TRY(prepare(kNumberSql)),
                             .insert = TRY(prepare(kPutEventSql)),
                             .release = TRY(prepare(kReleaseSql)),
                             .release_all = TRY(prepare(kReleaseAllSql)),
                             .latest = TRY(prepare(kLatestSql)),
                             .marks = TRY(prepare(kMarksSql)),
                             .held_of_app = TRY(prepare(kHeldOfAppSql)),
                             .held_of_room = TRY(prepare(kHeldOfRoomSql)),
                             .first_since = TRY(prepare(kFirstSinceSql)),
                             .of_app = TRY(prepare(list_sql(kOfAppWhere).c_str())),
                             .of_room = TRY(prepare(list_sql(kOfRoomWhere).c_str())),
                             .last_old = TRY(prepare(kLastOldSql)),
                             .purge_old = TRY(prepare(kPurgeOldSql)),
                             .last_surplus = TRY(prepare(kLastSurplusSql)),
                             .purge_surplus = TRY(prepare(kPurgeSurplusSql)),
                             .mark_purged = TRY(prepare(kMarkPurgedSql)),
                             .raise_floor = TRY(prepare(kRaiseFloorSql)),
                             .forget_rooms = TRY(prepare(kForgetRoomsSql))},
                  bounds);
}

// --- writing -------------------------------------------------------------------------------------

Result<std::optional<int64_t>> EventLog::insert(Database& database, const domain::Event& event,
                                                const OperationId& held_by) {
  if (TRY(one_number(statements_.known.start().put(event.id.value)))) return std::nullopt;
  Statement& number = statements_.number.start();
  number.put(event.app.value).put(event.room.value).put(unix_us(event.at));
  const int64_t sequence = TRY(one_number(number)).value_or(0);
  put_event(statements_.insert, event, sequence, held_by);
  TRY(statements_.insert.finish());
  return database.last_row_id();
}

Result<uint32_t> EventLog::release(Database& database, const OperationId& operation) {
  TRY(statements_.release.start().put(operation.value).finish());
  return database.rows_changed();
}

Result<uint32_t> EventLog::release_all(Database& database) {
  TRY(statements_.release_all.start().finish());
  return database.rows_changed();
}

// --- purging -------------------------------------------------------------------------------------

Result<uint32_t> EventLog::purge(Database& database, Wall now, int64_t rows) {
  const int64_t oldest_us = unix_us(now - bounds_.keep);
  const uint32_t old =
      TRY(purge_some(database, statements_.last_old, statements_.purge_old, oldest_us, rows));
  const uint32_t surplus = TRY(purge_some(database, statements_.last_surplus,
                                          statements_.purge_surplus, bounds_.rows_max, rows));
  const int64_t forgotten_us = unix_us(now - bounds_.keep_numbers);
  TRY(statements_.raise_floor.start().put(forgotten_us).put(rows).finish());
  if (database.rows_changed() > 0)
    TRY(statements_.forget_rooms.start().put(forgotten_us).put(rows).finish());
  return old + surplus;
}

Result<uint32_t> EventLog::purge_some(Database& database, Statement& last, Statement& purge,
                                      int64_t first, int64_t rows) {
  const auto cursor = TRY(one_number(last.start().put(first).put(rows)));
  if (!cursor) return 0;
  TRY(statements_.mark_purged.start().put(*cursor).finish());
  TRY(purge.start().put(first).put(rows).finish());
  return database.rows_changed();
}

// --- reading -------------------------------------------------------------------------------------

Result<std::optional<Wall>> EventLog::latest() {
  std::optional<Wall> found;
  Statement& latest = statements_.latest.start();
  while (TRY(latest.step())) found = read_time(latest);
  return found;
}

Result<int64_t> EventLog::first_since(Wall since) {
  Statement& first = statements_.first_since.start();
  first.put(unix_us(since)).put(limits::kEventBatchMax);
  return TRY(one_number(first)).value_or(kNoEnd);
}

Result<domain::EventsPage> EventLog::list(const domain::EventQuery& query) {
  domain::EventsPage page;
  const int64_t purged = TRY(one_number(statements_.marks.start())).value_or(0);
  page.oldest_cursor = purged + 1;
  const bool is_of_room = !query.room.empty();
  Statement& held = (is_of_room ? statements_.held_of_room : statements_.held_of_app).start();
  held.put(query.app.value);
  if (is_of_room) held.put(query.room.value);
  const int64_t end = TRY(one_number(held)).value_or(kNoEnd);
  int64_t after = std::max(query.after_cursor, purged);
  if (query.since) after = std::max(after, TRY(first_since(*query.since)) - 1);
  Statement& list = (is_of_room ? statements_.of_room : statements_.of_app).start();
  list.put(query.app.value);
  if (is_of_room) list.put(query.room.value);
  list.put(after)
      .put(end)
      .put(query.since ? unix_us(*query.since) : std::numeric_limits<int64_t>::min())
      .put(static_cast<int64_t>(std::min<size_t>(query.limit, limits::kEventPageMax)));
  while (TRY(list.step())) page.events.push_back(read_event(list));
  return page;
}

}  // namespace atrium::store
