#include "adapters/store/call_keys.h"

#include <algorithm>
#include <chrono>

#include "adapters/store/rows.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

constexpr auto kKeep = std::chrono::hours(limits::kCallKeyKeepHours);

constexpr const char* kPutSql = "INSERT OR REPLACE INTO call_keys VALUES (?,?,?,?,?,?,?,?,?)";
constexpr const char* kPurgeSql =
    "DELETE FROM call_keys WHERE (account, action, version, call_key) IN "
    "(SELECT account, action, version, call_key FROM call_keys WHERE at <= ? ORDER BY at LIMIT ?)";
constexpr const char* kAllSql = "SELECT * FROM call_keys WHERE at > ? ORDER BY at DESC LIMIT ?";

}  // namespace

Result<CallKeys> CallKeys::create(Database& database) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  return CallKeys(Statements{.put = TRY(prepare(kPutSql)),
                             .purge = TRY(prepare(kPurgeSql)),
                             .all = TRY(prepare(kAllSql))});
}

Result<void> CallKeys::put(const domain::KeyedCall& call) {
  statements_.purge.start().put(unix_us(call.at - kKeep)).put(limits::kPurgeCallKeysPerWrite);
  TRY(statements_.purge.finish());
  return statements_.put.start()
      .put(call.key.account)
      .put(call.key.action)
      .put(call.key.version)
      .put(call.key.key)
      .put(ByteView(call.body_hash))
      .put(call.operation.value)
      .put(call.outcome)
      .put(call.subject)
      .put(unix_us(call.at))
      .finish();
}

Result<uint32_t> CallKeys::purge(Database& database, Wall now, int64_t rows) {
  TRY(statements_.purge.start().put(unix_us(now - kKeep)).put(rows).finish());
  return database.rows_changed();
}

Result<std::vector<domain::KeyedCall>> CallKeys::load(Wall now) {
  std::vector<domain::KeyedCall> calls;
  Statement& row = statements_.all.start().put(unix_us(now - kKeep)).put(limits::kCallKeysMax);
  while (TRY(row.step())) {
    domain::KeyedCall& call = calls.emplace_back();
    call.key.account = row.text();
    call.key.action = row.text();
    call.key.version = row.text();
    call.key.key = row.text();
    const ByteView hash = row.bytes();
    if (hash.size() != call.body_hash.size()) return malformed("a stored call has no body hash");
    std::ranges::copy(hash, call.body_hash.begin());
    call.operation = OperationId(row.text());
    call.outcome = row.optional_number<uint8_t>();
    call.subject = row.text();
    call.at = wall_from_unix_us(row.number());
  }
  std::ranges::reverse(calls);
  return calls;
}

}  // namespace atrium::store
