// Between the domain's words and the tables' columns: one function to put a row, one to read it, in the same order.
#pragma once

#include "adapters/store/sqlite.h"
#include "domain/types.h"

namespace atrium::store {

inline constexpr const char* kPutDismissalSql =
    "INSERT OR REPLACE INTO dismissals VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
inline constexpr const char* kPutNotNotifiedSql = "INSERT INTO not_notified VALUES (?,?,?,?,?)";
inline constexpr const char* kPutTombstoneSql =
    "INSERT OR REPLACE INTO tombstones VALUES (?,?,?,?,?,?,?,?,?)";
inline constexpr const char* kPutBanSql =
    "INSERT OR REPLACE INTO bans VALUES (?,?,?,?,?,?,?,?,?,?)";

// The whole row; `record` must live until the statement has run.
void put_dismissal(Statement& statement, const domain::DismissalRecord& record);
void put_tombstone(Statement& statement, const domain::Tombstone& tombstone);
Result<void> write_ban(Statement& statement, const domain::BanRule& rule);  // runs it, too

// Columns in the order of the table.  not_notified_names is another table's.
domain::DismissalRecord read_dismissal(Statement& row);
domain::NotNotified read_not_notified(Statement& row);  // user, participant, reason
domain::Tombstone read_tombstone(Statement& row);
Result<domain::BanRule> read_ban(Statement& row);  // Malformed: an address range that is none

constexpr int64_t unix_us(Wall wall) {
  return wall.time_since_epoch().count();
}
constexpr Wall wall_from_unix_us(int64_t us) {
  return Wall(Duration(us));
}

}  // namespace atrium::store
