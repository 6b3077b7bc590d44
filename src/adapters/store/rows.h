// Between the domain's words and the tables' columns: one function to put a row, one to read it, in the same order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/store/sqlite.h"
#include "domain/event.h"
#include "domain/types.h"

namespace atrium::store {

inline constexpr const char* kPutDismissalSql =
    "INSERT OR REPLACE INTO dismissals VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
inline constexpr const char* kPutNotNotifiedSql = "INSERT INTO not_notified VALUES (?,?,?,?,?)";
inline constexpr const char* kPutTombstoneSql =
    "INSERT OR REPLACE INTO tombstones VALUES (?,?,?,?,?,?,?,?,?,?,?)";
inline constexpr const char* kPutBanSql =
    "INSERT OR REPLACE INTO bans VALUES (?,?,?,?,?,?,?,?,?,?)";

// Columns of events in the order in which read_event() takes them.
inline constexpr const char* kEventColumns =
    "events.cursor, events.sequence, events.held_by, events.id, events.kind, events.app, "
    "events.room, events.room_sid, events.participant, events.user, events.track, events.reason, "
    "events.reason_number, events.reason_name, events.reason_text, events.operation, "
    "events.operator_id, events.at, events.stayed, events.hidden, events.device, events.model, "
    "events.sdk, events.network, events.track_kind, events.track_source";
inline constexpr const char* kPutEventSql =
    "INSERT INTO events VALUES (NULL,?,?,0,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

// The whole row; `record` must live until the statement has run.
void put_dismissal(Statement& statement, const domain::DismissalRecord& record);
void put_event(Statement& statement, const domain::Event& event, int64_t sequence,
               const OperationId& held_by);
void put_reason(Statement& statement, const domain::Reason& reason);  // six columns, `why` first
void put_time(Statement& statement, const std::optional<Wall>& time);
void put_span(Statement& statement, const std::optional<Duration>& span);
void put_tombstone(Statement& statement, const domain::Tombstone& tombstone);
Result<void> write_ban(Statement& statement, const domain::BanRule& rule);  // runs it, too

// Columns in the order of the table.  not_notified_names is another table's.
domain::DismissalRecord read_dismissal(Statement& row);
domain::NotNotified read_not_notified(Statement& row);  // user, participant, reason
domain::Tombstone read_tombstone(Statement& row);
domain::StoredEvent read_event(Statement& row);
domain::Reason read_reason(Statement& row);
std::optional<Wall> read_time(Statement& row);
std::optional<Duration> read_span(Statement& row);
Result<domain::BanRule> read_ban(Statement& row);  // Malformed: an address range that is none

// Texts of any content as one, and back.  Malformed: it was not made by list_text().
std::string list_text(const std::vector<std::string>& texts);
Result<std::vector<std::string>> texts_of(std::string_view list);
// Spans as microseconds with commas between them.
std::string spans_text(const std::vector<Duration>& spans);
Result<std::vector<Duration>> spans_of(std::string_view text);

constexpr int64_t unix_us(Wall wall) {
  return wall.time_since_epoch().count();
}
constexpr Wall wall_from_unix_us(int64_t us) {
  return Wall(Duration(us));
}

}  // namespace atrium::store
