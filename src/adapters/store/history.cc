#include "adapters/store/history.h"

#include <algorithm>
#include <array>
#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

using domain::Event;
using domain::EventKind;

constexpr int64_t kNoDevice = -1;
static_assert(limits::kHistoryUsersAskedMax == 10);  // as many question marks below

// Each member of the union has an index of its own; none reads more than what is open.
constexpr const char* kLatestSql =
    "SELECT max(at) FROM (SELECT max(started_at) AS at FROM lives WHERE ended_at IS NULL "
    "UNION ALL SELECT max(ended_at) FROM lives WHERE ended_at IS NOT NULL "
    "UNION ALL SELECT max(joined_at) FROM visits WHERE left_at IS NULL "
    "UNION ALL SELECT max(left_at) FROM visits WHERE left_at IS NOT NULL)";
constexpr const char* kCloseLivesSql =
    "UPDATE lives SET ended_at = max(started_at, ?), reason = ?, reason_number = ?, "
    "reason_name = ?, reason_text = ?, operation = ?, operator_id = ?, interrupted = 1 "
    "WHERE ended_at IS NULL";
constexpr const char* kCloseVisitsSql =
    "UPDATE visits SET left_at = max(joined_at, ?), reason = ?, reason_number = ?, "
    "reason_name = ?, reason_text = ?, operation = ?, operator_id = ?, interrupted = 1 "
    "WHERE left_at IS NULL";

constexpr const char* kStartLifeSql =
    "INSERT INTO lives (room_sid, app, room, started_at, reason, interrupted) "
    "VALUES (?,?,?,?,0,0) ON CONFLICT DO NOTHING";
constexpr const char* kEndLifeSql =
    "UPDATE lives SET ended_at = max(started_at, ?), reason = ?, reason_number = ?, "
    "reason_name = ?, reason_text = ?, operation = ?, operator_id = ? "
    "WHERE room_sid = ? AND ended_at IS NULL";
constexpr const char* kEndVisitsOfLifeSql =
    "UPDATE visits SET left_at = max(joined_at, ?), reason = ?, reason_number = ?, "
    "reason_name = ?, reason_text = ?, operation = ?, operator_id = ? "
    "WHERE room_sid = ? AND left_at IS NULL";
constexpr const char* kStartVisitSql =
    "INSERT INTO visits (participant, room_sid, app, room, user, is_first, hidden, published, "
    "device, model, sdk, network, joined_at, reason, interrupted) VALUES (?,?,?,?,?,"
    "NOT EXISTS (SELECT 1 FROM visits WHERE room_sid = ? AND user = ?),"
    "?,0,?,?,?,?,?,0,0) ON CONFLICT DO NOTHING";
constexpr const char* kEndVisitSql =
    "UPDATE visits SET left_at = max(joined_at, ?), reason = ?, reason_number = ?, "
    "reason_name = ?, reason_text = ?, operation = ?, operator_id = ? "
    "WHERE participant = ? AND left_at IS NULL";
constexpr const char* kPublishedSql =
    "UPDATE visits SET published = 1 WHERE participant = ? AND published = 0";

constexpr const char* kCountLivesSql = "SELECT count(*) FROM lives";
constexpr const char* kPurgeLivesSql =
    "DELETE FROM lives WHERE room_sid IN "
    "(SELECT room_sid FROM lives WHERE ended_at < ? ORDER BY ended_at LIMIT ?)";
constexpr const char* kTrimLivesSql =
    "DELETE FROM lives WHERE room_sid IN "
    "(SELECT room_sid FROM lives WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT ?)";
constexpr const char* kCountVisitsSql = "SELECT count(*) FROM visits";
constexpr const char* kPurgeVisitsSql =
    "DELETE FROM visits WHERE participant IN "
    "(SELECT participant FROM visits WHERE left_at < ? ORDER BY left_at LIMIT ?)";
constexpr const char* kTrimVisitsSql =
    "DELETE FROM visits WHERE participant IN "
    "(SELECT participant FROM visits WHERE left_at IS NOT NULL ORDER BY left_at LIMIT ?)";

// Pages are found in an index alone; only their own rows are read.
constexpr std::string_view kLivesWhere = "FROM lives WHERE app = ? AND started_at BETWEEN ? AND ?";
constexpr std::string_view kLivesOfRoomWhere =
    "FROM lives WHERE app = ? AND room = ? AND started_at BETWEEN ? AND ?";
constexpr std::string_view kVisitsWhere =
    "FROM visits WHERE is_first = 1 AND app = ? AND joined_at BETWEEN ? AND ? AND device <> ? "
    "AND (? = 0 OR user IN (?,?,?,?,?,?,?,?,?,?))";
constexpr std::string_view kVisitsOfRoomWhere =
    "FROM visits WHERE is_first = 1 AND app = ? AND room = ? AND joined_at BETWEEN ? AND ? "
    "AND device <> ? AND (? = 0 OR user IN (?,?,?,?,?,?,?,?,?,?))";

std::string count_sql(std::string_view where) {
  return "SELECT count(*) " + std::string(where);
}
std::string lives_sql(std::string_view where) {
  return "SELECT room_sid, room, started_at, ended_at, reason, reason_number, reason_name, "
         "reason_text, operation, operator_id, interrupted, "
         "CASE WHEN ended_at IS NULL THEN (SELECT count(DISTINCT user) FROM visits "
         "WHERE visits.room_sid = lives.room_sid AND left_at IS NULL) ELSE 0 END "
         "FROM lives WHERE room_sid IN (SELECT room_sid " +
         std::string(where) +
         " ORDER BY started_at, room_sid LIMIT ? OFFSET ?) ORDER BY started_at, room_sid";
}
std::string visitors_sql(std::string_view where) {
  return "SELECT room_sid, room, user, joined_at FROM visits WHERE participant IN "
         "(SELECT participant " +
         std::string(where) +
         " ORDER BY joined_at, participant LIMIT ? OFFSET ?) ORDER BY joined_at, participant";
}

constexpr const char* kVisitsOfUserSql =
    "SELECT joined_at, left_at, reason, reason_number, reason_name, reason_text, operation, "
    "operator_id, hidden, device, model, sdk, network FROM visits "
    "WHERE room_sid = ? AND user = ? ORDER BY joined_at DESC, participant DESC LIMIT ?";
constexpr const char* kSumOfUserSql =
    "SELECT coalesce(sum(max(0, coalesce(left_at, ?) - joined_at)), 0), coalesce(max(published), "
    "0), count(*) - count(left_at), max(left_at) FROM visits WHERE room_sid = ? AND user = ?";

Result<uint64_t> read_count(Statement& statement) {
  uint64_t count = 0;
  while (TRY(statement.step())) count = static_cast<uint64_t>(statement.number());
  return count;
}

// The parameters that count and page share.
void put_query(Statement& statement, const domain::HistoryQuery& query) {
  statement.start().put(query.app.value);
  if (!query.room.empty()) statement.put(query.room.value);
  statement.put(unix_us(query.from)).put(unix_us(query.until));
}
void put_visitors_query(Statement& statement, const domain::HistoryQuery& query) {
  put_query(statement, query);
  statement.put(query.without_linux ? static_cast<int64_t>(domain::DeviceKind::Linux) : kNoDevice)
      .put(static_cast<int64_t>(query.users.size()));
  for (size_t i = 0; i < static_cast<size_t>(limits::kHistoryUsersAskedMax); ++i) {
    if (query.users.empty())
      statement.put_null();
    else
      statement.put(query.users[std::min(i, query.users.size() - 1)].value);
  }
}
void put_page(Statement& statement, const domain::HistoryQuery& query) {
  statement.put(static_cast<int64_t>(query.limit)).put(static_cast<int64_t>(query.offset));
}

}  // namespace

Result<History::Table> History::prepare_table(Database& database, const char* count,
                                              const char* purge, const char* trim) {
  return Table{TRY(Statement::prepare(database, count)), TRY(Statement::prepare(database, purge)),
               TRY(Statement::prepare(database, trim))};
}

Result<History::Questions> History::prepare_questions(Database& database, const char* count,
                                                      const char* page) {
  return Questions{TRY(Statement::prepare(database, count)),
                   TRY(Statement::prepare(database, page))};
}

Result<History> History::create(Database& database, HistoryBounds bounds) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  const auto questions = [&](std::string_view where, std::string (*page)(std::string_view)) {
    return prepare_questions(database, count_sql(where).c_str(), page(where).c_str());
  };
  return History(
      Statements{
          .latest = TRY(prepare(kLatestSql)),
          .close_lives = TRY(prepare(kCloseLivesSql)),
          .close_visits = TRY(prepare(kCloseVisitsSql)),
          .start_life = TRY(prepare(kStartLifeSql)),
          .end_life = TRY(prepare(kEndLifeSql)),
          .end_visits_of_life = TRY(prepare(kEndVisitsOfLifeSql)),
          .start_visit = TRY(prepare(kStartVisitSql)),
          .end_visit = TRY(prepare(kEndVisitSql)),
          .published = TRY(prepare(kPublishedSql)),
          .lives = TRY(prepare_table(database, kCountLivesSql, kPurgeLivesSql, kTrimLivesSql)),
          .visits = TRY(prepare_table(database, kCountVisitsSql, kPurgeVisitsSql, kTrimVisitsSql)),
          .lives_of_app = TRY(questions(kLivesWhere, lives_sql)),
          .lives_of_room = TRY(questions(kLivesOfRoomWhere, lives_sql)),
          .visitors_of_app = TRY(questions(kVisitsWhere, visitors_sql)),
          .visitors_of_room = TRY(questions(kVisitsOfRoomWhere, visitors_sql)),
          .visits_of_user = TRY(prepare(kVisitsOfUserSql)),
          .sum_of_user = TRY(prepare(kSumOfUserSql))},
      bounds);
}

// --- writing -------------------------------------------------------------------------------------

Result<std::optional<Wall>> History::latest() {
  std::optional<Wall> found;
  Statement& latest = statements_.latest.start();
  while (TRY(latest.step())) found = read_time(latest);
  return found;
}

Result<void> History::close_interrupted(Wall end, const domain::Reason& reason) {
  for (Statement* close : {&statements_.close_lives, &statements_.close_visits}) {
    close->start().put(unix_us(end));
    put_reason(*close, reason);
    TRY(close->finish());
  }
  return {};
}

Result<void> History::write(Database& database, std::span<const Event> facts) {
  for (const Event& fact : facts) TRY(write_fact(database, fact));
  return {};
}

Result<void> History::end_rows(Statement& statement, const Event& fact, std::string_view key) {
  statement.start().put(unix_us(fact.at));
  put_reason(statement, fact.reason);
  return statement.put(key).finish();
}

Result<void> History::write_fact(Database& database, const Event& fact) {
  switch (fact.kind) {
    case EventKind::RoomStarted:
      TRY(statements_.start_life.start()
              .put(fact.room_sid.value)
              .put(fact.app.value)
              .put(fact.room.value)
              .put(unix_us(fact.at))
              .finish());
      if (lives_count_) *lives_count_ += database.rows_changed();
      return {};
    case EventKind::RoomEnded:
      TRY(end_rows(statements_.end_life, fact, fact.room_sid.value));
      return end_rows(statements_.end_visits_of_life, fact, fact.room_sid.value);
    case EventKind::UserJoined:
      return start_visit(database, fact);
    case EventKind::UserLeft:
      return end_rows(statements_.end_visit, fact, fact.participant.value);
    case EventKind::TrackPublished:
      return statements_.published.start().put(fact.participant.value).finish();
    case EventKind::TrackUnpublished:
      return {};
  }
  return {};
}

Result<void> History::start_visit(Database& database, const Event& fact) {
  TRY(statements_.start_visit.start()
          .put(fact.participant.value)
          .put(fact.room_sid.value)
          .put(fact.app.value)
          .put(fact.room.value)
          .put(fact.user.value)
          .put(fact.room_sid.value)  // is_first
          .put(fact.user.value)
          .put(static_cast<int64_t>(fact.hidden))
          .put(static_cast<int64_t>(fact.with.kind))
          .put(fact.with.model)
          .put(fact.with.sdk)
          .put(fact.with.network)
          .put(unix_us(fact.at))
          .finish());
  if (visits_count_) *visits_count_ += database.rows_changed();
  return {};
}

// --- purging -------------------------------------------------------------------------------------

Result<HistoryPurged> History::purge(Database& database, Wall now, int64_t rows) {
  const int64_t oldest_kept_us = unix_us(now - bounds_.keep);
  HistoryPurged purged;
  purged.lives = TRY(purge_table(database, statements_.lives, lives_count_, bounds_.lives_max,
                                 oldest_kept_us, rows));
  purged.visits = TRY(purge_table(database, statements_.visits, visits_count_, bounds_.visits_max,
                                  oldest_kept_us, rows));
  return purged;
}

Result<uint32_t> History::purge_table(Database& database, Table& table,
                                      std::optional<int64_t>& count, int64_t rows_max,
                                      int64_t oldest_kept_us, int64_t rows) {
  if (!count) count = static_cast<int64_t>(TRY(read_count(table.count.start())));
  TRY(table.purge.start().put(oldest_kept_us).put(rows).finish());
  uint32_t gone = database.rows_changed();
  *count -= gone;
  const int64_t surplus = std::min(*count - rows_max, rows - int64_t{gone});
  if (surplus <= 0) return gone;
  TRY(table.trim.start().put(surplus).finish());
  const uint32_t trimmed = database.rows_changed();
  *count -= trimmed;
  return gone + trimmed;
}

// --- reading -------------------------------------------------------------------------------------

Result<domain::LivesPage> History::list_lives(const domain::HistoryQuery& query) {
  Questions& ask = query.room.empty() ? statements_.lives_of_app : statements_.lives_of_room;
  domain::LivesPage page;
  put_query(ask.count, query);
  page.total = TRY(read_count(ask.count));
  if (query.offset >= page.total) return page;
  put_query(ask.page, query);
  put_page(ask.page, query);
  while (TRY(ask.page.step())) {
    domain::LifeEntry& life = page.lives.emplace_back();
    life.room_sid = RoomSid(ask.page.text());
    life.room = RoomId(ask.page.text());
    life.started_at = wall_from_unix_us(ask.page.number());
    life.ended_at = read_time(ask.page);
    life.reason = read_reason(ask.page);
    life.interrupted = ask.page.number() != 0;
    life.users_now = static_cast<uint32_t>(ask.page.number());
  }
  return page;
}

Result<domain::VisitorsPage> History::list_visitors(const domain::HistoryQuery& query, Wall now) {
  Questions& ask = query.room.empty() ? statements_.visitors_of_app : statements_.visitors_of_room;
  domain::VisitorsPage page;
  put_visitors_query(ask.count, query);
  page.total = TRY(read_count(ask.count));
  if (query.offset >= page.total) return page;
  put_visitors_query(ask.page, query);
  put_page(ask.page, query);
  while (TRY(ask.page.step())) {
    domain::VisitorEntry& visitor = page.visitors.emplace_back();
    visitor.room_sid = RoomSid(ask.page.text());
    visitor.room = RoomId(ask.page.text());
    visitor.user = UserId(ask.page.text());
    visitor.first_joined_at = wall_from_unix_us(ask.page.number());
  }
  for (domain::VisitorEntry& visitor : page.visitors) TRY(add_visits(visitor, now));
  return page;
}

Result<void> History::add_visits(domain::VisitorEntry& visitor, Wall now) {
  Statement& sum = statements_.sum_of_user.start();
  sum.put(unix_us(now)).put(visitor.room_sid.value).put(visitor.user.value);
  while (TRY(sum.step())) {
    visitor.present = Duration(sum.number());
    visitor.published = sum.number() != 0;
    const bool is_present = sum.number() != 0;
    const auto last_left_at = read_time(sum);
    if (!is_present) visitor.last_left_at = last_left_at;
  }
  Statement& visits = statements_.visits_of_user.start();
  visits.put(visitor.room_sid.value)
      .put(visitor.user.value)
      .put(int64_t{limits::kHistoryRecordsMax / 2});
  while (TRY(visits.step())) {
    domain::VisitTimes& times = visitor.visits.emplace_back();
    times.joined_at = wall_from_unix_us(visits.number());
    times.left_at = read_time(visits);
    times.reason = read_reason(visits);
    if (visitor.visits.size() > 1) continue;
    visitor.hidden = visits.number() != 0;  // the rest is said of the latest visit alone
    visitor.with.kind = static_cast<domain::DeviceKind>(visits.number());
    visitor.with.model = visits.text();
    visitor.with.sdk = visits.text();
    visitor.with.network = visits.text();
  }
  std::ranges::reverse(visitor.visits);
  return {};
}

}  // namespace atrium::store
