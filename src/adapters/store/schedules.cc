#include "adapters/store/schedules.h"

#include <string>

#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

constexpr const char* kPutSql =
    "INSERT OR REPLACE INTO schedules VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kDropSql = "DELETE FROM schedules WHERE id = ?";
constexpr const char* kPutPolicySql =
    "INSERT OR REPLACE INTO policies VALUES (?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kDropPolicySql = "DELETE FROM policies WHERE app = ? AND room = ?";
constexpr const char* kAllSql = "SELECT * FROM schedules ORDER BY id";
constexpr const char* kAllPoliciesSql = "SELECT * FROM policies ORDER BY app, room";

}  // namespace

Result<ScheduleTable> ScheduleTable::create(Database& database) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return ScheduleTable(Statements{.put = TRY(prepare(kPutSql)),
                                  .drop = TRY(prepare(kDropSql)),
                                  .put_policy = TRY(prepare(kPutPolicySql)),
                                  .drop_policy = TRY(prepare(kDropPolicySql)),
                                  .all = TRY(prepare(kAllSql)),
                                  .all_policies = TRY(prepare(kAllPoliciesSql))});
}

Result<void> ScheduleTable::put(const domain::Schedule& schedule) {
  const std::string warn_before = spans_text(schedule.warn_before);
  Statement& statement = statements_.put.start();
  statement.put(schedule.id.value)
      .put(schedule.app.value)
      .put(schedule.room.value)
      .put(schedule.room_sid.value)
      .put(schedule.reason)
      .put(schedule.operator_id)
      .put(schedule.request_id)
      .put(static_cast<int64_t>(schedule.follows_wall))
      .put(unix_us(schedule.due_at))
      .put(unix_us(schedule.created_at));
  put_span(statement, schedule.forbidden);
  return statement.put(static_cast<int64_t>(schedule.refuses_joins)).put(warn_before).finish();
}

Result<void> ScheduleTable::drop(const ScheduleId& id) {
  return statements_.drop.start().put(id.value).finish();
}

Result<void> ScheduleTable::put(const domain::RoomPolicy& policy) {
  std::vector<std::string> ids;
  for (const UserId& host : policy.hosts) ids.push_back(host.value);
  const std::string hosts = list_text(ids), warn_before = spans_text(policy.warn_before);
  Statement& statement = statements_.put_policy.start();
  statement.put(policy.app.value).put(policy.room.value);
  put_time(statement, policy.end_at);
  put_span(statement, policy.max_duration);
  put_span(statement, policy.idle);
  put_span(statement, policy.without_host);
  return statement.put(hosts)
      .put(warn_before)
      .put(policy.reason)
      .put(policy.operator_id)
      .put(unix_us(policy.updated_at))
      .finish();
}

Result<void> ScheduleTable::drop_policy(const AppId& app, const RoomId& room) {
  return statements_.drop_policy.start().put(app.value).put(room.value).finish();
}

Result<std::vector<domain::Schedule>> ScheduleTable::load_schedules() {
  std::vector<domain::Schedule> schedules;
  Statement& row = statements_.all.start();
  while (TRY(row.step())) {
    domain::Schedule& schedule = schedules.emplace_back();
    schedule.id = ScheduleId(row.text());
    schedule.app = AppId(row.text());
    schedule.room = RoomId(row.text());
    schedule.room_sid = RoomSid(row.text());
    schedule.reason = row.text();
    schedule.operator_id = row.text();
    schedule.request_id = row.text();
    schedule.follows_wall = row.number() != 0;
    schedule.due_at = wall_from_unix_us(row.number());
    schedule.created_at = wall_from_unix_us(row.number());
    schedule.forbidden = read_span(row);
    schedule.refuses_joins = row.number() != 0;
    schedule.warn_before = TRY(spans_of(row.text()));
  }
  return schedules;
}

Result<std::vector<domain::RoomPolicy>> ScheduleTable::load_policies() {
  std::vector<domain::RoomPolicy> policies;
  Statement& row = statements_.all_policies.start();
  while (TRY(row.step())) {
    domain::RoomPolicy& policy = policies.emplace_back();
    policy.app = AppId(row.text());
    policy.room = RoomId(row.text());
    policy.end_at = read_time(row);
    policy.max_duration = read_span(row);
    policy.idle = read_span(row);
    policy.without_host = read_span(row);
    for (std::string& host : TRY(texts_of(row.text()))) policy.hosts.emplace_back(std::move(host));
    policy.warn_before = TRY(spans_of(row.text()));
    policy.reason = row.text();
    policy.operator_id = row.text();
    policy.updated_at = wall_from_unix_us(row.number());
  }
  return policies;
}

}  // namespace atrium::store
