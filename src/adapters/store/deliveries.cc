#include "adapters/store/deliveries.h"

#include <algorithm>
#include <optional>
#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kAddSql =
    "INSERT INTO deliveries VALUES (?,?,?,?,0,0,'',?) ON CONFLICT DO NOTHING";
constexpr const char* kBeginSql = "INSERT INTO backlogs VALUES (?,0,0) ON CONFLICT DO NOTHING";
constexpr const char* kForgetBacklogSql = "DELETE FROM backlogs WHERE webhook = ?";
constexpr const char* kMarkDroppedSql =
    "INSERT INTO dropped_webhooks VALUES (?) ON CONFLICT DO NOTHING";
constexpr const char* kRemoveSql =
    "DELETE FROM deliveries WHERE webhook = ? AND app = ? AND room = ? AND cursor = ?";
constexpr const char* kFailSql =
    "UPDATE deliveries SET attempts = ?, failed_beside_others = ?, why = ? "
    "WHERE webhook = ? AND app = ? AND room = ? AND cursor = ?";
constexpr const char* kDieSql =
    "INSERT INTO dead_letters VALUES (?,?,?,?,?,?,?) ON CONFLICT DO NOTHING";
constexpr const char* kKeepEventSql = "UPDATE events SET is_kept = 1 WHERE cursor = ?";
constexpr const char* kLetEventGoSql =
    "UPDATE events SET is_kept = 0 WHERE cursor = ?1 AND is_kept = 1 "
    "AND NOT EXISTS (SELECT 1 FROM dead_letters WHERE cursor = ?1) "
    "AND NOT EXISTS (SELECT 1 FROM deliveries WHERE cursor = ?1)";

// What is redriven waits as long as the dead letter would have been kept.
constexpr std::string_view kRedriveSql =
    "INSERT INTO deliveries SELECT webhook, app, room, cursor, 0, 0, '', died_at + ? "
    "FROM dead_letters WHERE webhook = ?";
constexpr std::string_view kForgetRedrivenSql = "DELETE FROM dead_letters WHERE webhook = ?";
constexpr std::string_view kSomeEvents =
    " AND cursor IN (SELECT cursor FROM dead_letters WHERE webhook = ? ORDER BY cursor LIMIT ?)";
constexpr std::string_view kOneEvent = " AND cursor = (SELECT cursor FROM events WHERE id = ?)";
constexpr std::string_view kOnce = " ON CONFLICT DO NOTHING";

constexpr const char* kNextRoomSql =
    "SELECT app, room FROM deliveries WHERE webhook = ? AND (app, room) > (?, ?) "
    "ORDER BY app, room LIMIT 1";
constexpr const char* kBacklogsSql =
    "SELECT webhook, waiting, dead, (SELECT min(expires_at) FROM deliveries "
    "WHERE deliveries.webhook = backlogs.webhook) FROM backlogs";

constexpr const char* kExpiredSql =
    "SELECT waiting.webhook, waiting.app, waiting.room, waiting.cursor, waiting.attempts, "
    "waiting.why FROM webhooks CROSS JOIN deliveries AS waiting "
    "ON waiting.webhook = webhooks.id AND waiting.expires_at < ? LIMIT ?";
constexpr const char* kOldDeadSql =
    "SELECT webhook, cursor FROM dead_letters WHERE died_at < ? ORDER BY died_at LIMIT ?";
constexpr const char* kRemoveDeadSql = "DELETE FROM dead_letters WHERE webhook = ? AND cursor = ?";
constexpr const char* kDroppedSql = "SELECT webhook FROM dropped_webhooks LIMIT 1";
constexpr const char* kRowsOfDroppedSql =
    "SELECT webhook, app, room, cursor, 0 FROM deliveries WHERE webhook = ?1 UNION ALL "
    "SELECT webhook, app, room, cursor, 1 FROM dead_letters WHERE webhook = ?1 LIMIT ?2";
constexpr const char* kForgetDroppedSql = "DELETE FROM dropped_webhooks WHERE webhook = ?";

constexpr std::string_view kTooOld = "too old";

// An event that is held stops its room.
std::string run_sql() {
  return "SELECT waiting.attempts, waiting.failed_beside_others, " + std::string(kEventColumns) +
         " FROM deliveries AS waiting CROSS JOIN events ON events.cursor = waiting.cursor "
         "WHERE waiting.webhook = ?1 AND waiting.app = ?2 AND waiting.room = ?3 AND "
         "waiting.cursor < coalesce((SELECT min(held.cursor) FROM events AS held "
         "WHERE held.held_by <> '' AND held.app = ?2 AND held.room = ?3), 9223372036854775807) "
         "ORDER BY waiting.cursor LIMIT ?4";
}
std::string dead_sql() {
  return "SELECT dead.attempts, dead.why, dead.died_at, " + std::string(kEventColumns) +
         " FROM dead_letters AS dead CROSS JOIN events ON events.cursor = dead.cursor "
         "WHERE dead.webhook = ? AND dead.cursor > ? ORDER BY dead.cursor LIMIT ?";
}

}  // namespace

Result<Deliveries> Deliveries::create(Database& database, Duration keep) {
  const auto prepare = [&](std::string_view sql) {
    return Statement::prepare(database, std::string(sql).c_str());
  };
  const std::string redrive(kRedriveSql), forget(kForgetRedrivenSql);
  const std::string some(kSomeEvents), one(kOneEvent), once(kOnce);
  return Deliveries(Statements{.add = TRY(prepare(kAddSql)),
                               .begin = TRY(prepare(kBeginSql)),
                               .forget_backlog = TRY(prepare(kForgetBacklogSql)),
                               .mark_dropped = TRY(prepare(kMarkDroppedSql)),
                               .remove = TRY(prepare(kRemoveSql)),
                               .fail = TRY(prepare(kFailSql)),
                               .die = TRY(prepare(kDieSql)),
                               .keep_event = TRY(prepare(kKeepEventSql)),
                               .let_event_go = TRY(prepare(kLetEventGoSql)),
                               .redrive_some = TRY(prepare(redrive + some + once)),
                               .redrive_one = TRY(prepare(redrive + one + once)),
                               .forget_some = TRY(prepare(forget + some)),
                               .forget_one = TRY(prepare(forget + one)),
                               .next_room = TRY(prepare(kNextRoomSql)),
                               .run = TRY(prepare(run_sql())),
                               .dead = TRY(prepare(dead_sql())),
                               .backlogs = TRY(prepare(kBacklogsSql)),
                               .expired = TRY(prepare(kExpiredSql)),
                               .old_dead = TRY(prepare(kOldDeadSql)),
                               .remove_dead = TRY(prepare(kRemoveDeadSql)),
                               .dropped = TRY(prepare(kDroppedSql)),
                               .rows_of_dropped = TRY(prepare(kRowsOfDroppedSql)),
                               .forget_dropped = TRY(prepare(kForgetDroppedSql))},
                    keep);
}

// --- writing -------------------------------------------------------------------------------------

Result<void> Deliveries::add(const WebhookId& webhook, const domain::Event& event, int64_t cursor) {
  return statements_.add.start()
      .put(webhook.value)
      .put(event.app.value)
      .put(event.room.value)
      .put(cursor)
      .put(unix_us(event.at + keep_))
      .finish();
}

Result<void> Deliveries::begin(const WebhookId& webhook) {
  return statements_.begin.start().put(webhook.value).finish();
}

Result<void> Deliveries::drop(const WebhookId& webhook) {
  TRY(statements_.forget_backlog.start().put(webhook.value).finish());
  return statements_.mark_dropped.start().put(webhook.value).finish();
}

Result<uint32_t> Deliveries::remove(Database& database, const Place& place) {
  statements_.remove.start()
      .put(place.webhook.value)
      .put(place.app.value)
      .put(place.room.value)
      .put(place.cursor);
  TRY(statements_.remove.finish());
  return database.rows_changed();
}

Result<void> Deliveries::bury(Database& database, const Place& place, uint32_t attempts,
                              std::string_view why, Wall at) {
  if (TRY(remove(database, place)) == 0) return {};
  statements_.die.start()
      .put(place.webhook.value)
      .put(place.cursor)
      .put(place.app.value)
      .put(place.room.value)
      .put(static_cast<int64_t>(attempts))
      .put(why)
      .put(unix_us(at));
  TRY(statements_.die.finish());
  return statements_.keep_event.start().put(place.cursor).finish();
}

Result<void> Deliveries::note(Database& database, const domain::DeliveryOutcome& outcome) {
  const Place place{outcome.webhook, outcome.app, outcome.room, outcome.cursor};
  switch (outcome.end) {
    case domain::DeliveryEnd::Delivered:
    case domain::DeliveryEnd::NotWanted:
      TRY(remove(database, place));
      return statements_.let_event_go.start().put(place.cursor).finish();
    case domain::DeliveryEnd::Failed:
      return statements_.fail.start()
          .put(static_cast<int64_t>(outcome.attempts))
          .put(static_cast<int64_t>(outcome.failed_beside_others))
          .put(outcome.why)
          .put(place.webhook.value)
          .put(place.app.value)
          .put(place.room.value)
          .put(place.cursor)
          .finish();
    case domain::DeliveryEnd::Dead:
      return bury(database, place, outcome.attempts, outcome.why, outcome.at);
  }
  return {};
}

Result<void> Deliveries::redrive(const WebhookId& webhook, const EventId& event) {
  const bool is_one = !event.empty();
  const auto run = [&](Statement& statement) {
    statement.put(webhook.value);
    if (is_one) return statement.put(event.value).finish();
    return statement.put(webhook.value).put(limits::kDeadLettersPageMax).finish();
  };
  Statement& redrive = is_one ? statements_.redrive_one : statements_.redrive_some;
  TRY(run(redrive.start().put(int64_t{keep_.count()})));
  return run((is_one ? statements_.forget_one : statements_.forget_some).start());
}

// --- purging -------------------------------------------------------------------------------------

Result<DeliveriesPurged> Deliveries::purge(Database& database, Wall now, int64_t rows) {
  DeliveriesPurged purged;
  purged.dropped = TRY(remove_dropped(database, rows));
  purged.too_old = TRY(bury_expired(database, now, rows));
  purged.dead_letters = TRY(remove_old_dead(now, rows));
  return purged;
}

Result<uint32_t> Deliveries::bury_expired(Database& database, Wall now, int64_t rows) {
  struct Expired {
    Place place;
    uint32_t attempts = 0;
    std::string why;
  };
  std::vector<Expired> expired;
  Statement& row = statements_.expired.start().put(unix_us(now)).put(rows);
  while (TRY(row.step())) {
    Expired& one = expired.emplace_back();
    one.place.webhook = WebhookId(row.text());
    one.place.app = AppId(row.text());
    one.place.room = RoomId(row.text());
    one.place.cursor = row.number();
    one.attempts = static_cast<uint32_t>(row.number());
    const std::string latest = row.text();
    one.why = std::string(kTooOld) + (latest.empty() ? "" : ": " + latest);
  }
  for (const Expired& one : expired) TRY(bury(database, one.place, one.attempts, one.why, now));
  return static_cast<uint32_t>(expired.size());
}

Result<uint32_t> Deliveries::remove_old_dead(Wall now, int64_t rows) {
  std::vector<std::pair<WebhookId, int64_t>> old;
  Statement& row = statements_.old_dead.start().put(unix_us(now - keep_)).put(rows);
  while (TRY(row.step())) {
    WebhookId webhook(row.text());
    old.emplace_back(std::move(webhook), row.number());
  }
  for (const auto& [webhook, cursor] : old) TRY(remove_dead(webhook, cursor));
  return static_cast<uint32_t>(old.size());
}

Result<void> Deliveries::remove_dead(const WebhookId& webhook, int64_t cursor) {
  TRY(statements_.remove_dead.start().put(webhook.value).put(cursor).finish());
  return statements_.let_event_go.start().put(cursor).finish();
}

// One webhook at a time, a few of its rows.
Result<uint32_t> Deliveries::remove_dropped(Database& database, int64_t rows) {
  std::string dropped;
  statements_.dropped.start();
  while (TRY(statements_.dropped.step())) dropped = statements_.dropped.text();
  if (dropped.empty()) return 0;
  struct Row {
    Place place;
    bool is_dead = false;
  };
  std::vector<Row> found;
  Statement& row = statements_.rows_of_dropped.start().put(dropped).put(rows);
  while (TRY(row.step())) {
    Row& one = found.emplace_back();
    one.place.webhook = WebhookId(row.text());
    one.place.app = AppId(row.text());
    one.place.room = RoomId(row.text());
    one.place.cursor = row.number();
    one.is_dead = row.number() != 0;
  }
  for (const Row& one : found) {
    if (!one.is_dead) TRY(remove(database, one.place));
    TRY(remove_dead(one.place.webhook, one.place.cursor));
  }
  if (std::ssize(found) < rows) TRY(statements_.forget_dropped.start().put(dropped).finish());
  return static_cast<uint32_t>(found.size());
}

// --- reading -------------------------------------------------------------------------------------

Result<std::vector<domain::Delivery>> Deliveries::run_of(const Place& room) {
  std::vector<domain::Delivery> run;
  Statement& row = statements_.run.start();
  row.put(room.webhook.value).put(room.app.value).put(room.room.value);
  row.put(int64_t{limits::kWebhookRunMax});
  while (TRY(row.step())) {
    domain::Delivery& delivery = run.emplace_back();
    delivery.webhook = room.webhook;
    delivery.attempts = static_cast<uint32_t>(row.number());
    delivery.failed_beside_others = static_cast<uint32_t>(row.number());
    delivery.event = read_event(row);
  }
  return run;
}

Result<std::vector<domain::DeliveryRun>> Deliveries::next(const WebhookId& webhook,
                                                          const AppId& after_app,
                                                          const RoomId& after_room) {
  std::vector<domain::DeliveryRun> runs;
  Place at{webhook, after_app, after_room, 0};
  while (std::ssize(runs) < limits::kWebhookRoomsPerFetch) {
    Statement& row = statements_.next_room.start();
    row.put(at.webhook.value).put(at.app.value).put(at.room.value);
    if (!TRY(row.step())) break;
    Place next{webhook, AppId(row.text()), RoomId(row.text()), 0};
    row.start();  // ends the read
    at = std::move(next);
    auto run = TRY(run_of(at));
    if (!run.empty()) runs.push_back({at.app, at.room, std::move(run)});
  }
  return runs;
}

Result<std::vector<domain::DeadLetter>> Deliveries::list_dead(const WebhookId& webhook,
                                                              int64_t after_cursor, size_t limit) {
  std::vector<domain::DeadLetter> letters;
  Statement& row = statements_.dead.start().put(webhook.value).put(after_cursor);
  row.put(static_cast<int64_t>(std::min<size_t>(limit, limits::kDeadLettersPageMax)));
  while (TRY(row.step())) {
    domain::DeadLetter& letter = letters.emplace_back();
    letter.webhook = webhook;
    letter.attempts = static_cast<uint32_t>(row.number());
    letter.why = row.text();
    letter.died_at = wall_from_unix_us(row.number());
    letter.event = read_event(row);
  }
  return letters;
}

Result<std::vector<domain::WebhookBacklog>> Deliveries::backlogs() {
  std::vector<domain::WebhookBacklog> backlogs;
  Statement& row = statements_.backlogs.start();
  while (TRY(row.step())) {
    domain::WebhookBacklog& backlog = backlogs.emplace_back();
    backlog.webhook = WebhookId(row.text());
    backlog.waiting = static_cast<uint64_t>(row.number());
    backlog.dead = static_cast<uint64_t>(row.number());
    if (const auto expires_at = read_time(row)) backlog.oldest_waiting_at = *expires_at - keep_;
  }
  return backlogs;
}

}  // namespace atrium::store
