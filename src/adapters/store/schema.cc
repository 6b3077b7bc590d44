#include "adapters/store/schema.h"

#include <array>
#include <filesystem>
#include <string>

namespace atrium::store {
namespace {

// "ATRM" in the file's header tells our files from those of other programs.
constexpr int64_t kApplicationId = 0x4154524D;

// Times are microseconds since 1970, spans are microseconds; NULL = not known.  Enumerations are numbers of
// domain/types.h, which therefore only grow at their ends.
constexpr const char* kVersion1 = R"sql(
  CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
  INSERT INTO schema_version VALUES (1);

  CREATE TABLE dismissals (
    operation TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    room_sid TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    operator_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    failure TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    fenced_at INTEGER, media_cut_at INTEGER, notified_at INTEGER, closed_at INTEGER,
    fenced_us INTEGER, media_cut_us INTEGER, notified_us INTEGER, closed_us INTEGER,
    users_at_fence INTEGER NOT NULL,
    notified INTEGER,
    not_notified INTEGER,
    packets_after_cut INTEGER,
    transports_at_fence INTEGER,
    transports_closed INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dismissals_by_room ON dismissals (app, room, accepted_at);
  CREATE INDEX dismissals_by_app ON dismissals (app, accepted_at);
  CREATE INDEX dismissals_by_age ON dismissals (accepted_at);
  CREATE INDEX dismissals_running ON dismissals (state) WHERE state = 0;

  CREATE TABLE not_notified (
    operation TEXT NOT NULL REFERENCES dismissals ON DELETE CASCADE,
    position INTEGER NOT NULL,
    user TEXT NOT NULL,
    participant TEXT NOT NULL,
    reason INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 3),
    PRIMARY KEY (operation, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tombstones (
    participant TEXT NOT NULL,
    token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    room_sid TEXT NOT NULL,
    user TEXT NOT NULL,
    operation TEXT NOT NULL,
    code INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (participant, token_hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tombstones_by_expiry ON tombstones (expires_at);
)sql";

// Ban rules, and dismissals that a ban of the room began or that closed its name for a while.
constexpr const char* kVersion2 = R"sql(
  ALTER TABLE dismissals ADD COLUMN code INTEGER NOT NULL DEFAULT -1011;
  ALTER TABLE dismissals ADD COLUMN forbidden_until INTEGER;

  CREATE TABLE bans (
    id TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    room TEXT, user TEXT, ip TEXT,
    token BLOB CHECK (length(token) = 32),
    operator_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK (room IS NOT NULL OR user IS NOT NULL OR ip IS NOT NULL),
    CHECK (ip IS NULL OR (room IS NULL AND user IS NULL))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bans_by_app ON bans (app, id);
  CREATE INDEX bans_by_expiry ON bans (expires_at);

  UPDATE schema_version SET version = 2;
)sql";

// Applications.  Keys and secrets are sealed (base/crypto.h) under a key that lies outside the store.
constexpr const char* kVersion3 = R"sql(
  CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    any_ids INTEGER NOT NULL CHECK (any_ids IN (0, 1)),
    primary_key BLOB NOT NULL,
    secondary_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE api_keys (
    api_key TEXT PRIMARY KEY,
    app TEXT NOT NULL REFERENCES apps ON DELETE CASCADE,
    secret BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX api_keys_by_app ON api_keys (app);

  UPDATE schema_version SET version = 3;
)sql";

// History: lives of rooms and visits to them.  An end that is NULL: still open.  The row of a user's first visit to a
// life (is_first) stands for all of that user's visits to it when they are counted and paged, which the two indexes of
// such rows answer without a look at the table.
constexpr const char* kVersion4 = R"sql(
  CREATE TABLE lives (
    room_sid TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    reason INTEGER NOT NULL,
    interrupted INTEGER NOT NULL CHECK (interrupted IN (0, 1))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX lives_by_app ON lives (app, started_at);
  CREATE INDEX lives_by_room ON lives (app, room, started_at);
  CREATE INDEX lives_by_end ON lives (ended_at) WHERE ended_at IS NOT NULL;
  CREATE INDEX lives_open ON lives (started_at) WHERE ended_at IS NULL;

  CREATE TABLE visits (
    participant TEXT PRIMARY KEY,
    room_sid TEXT NOT NULL,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    is_first INTEGER NOT NULL CHECK (is_first IN (0, 1)),
    hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
    published INTEGER NOT NULL CHECK (published IN (0, 1)),
    device INTEGER NOT NULL,
    model TEXT NOT NULL,
    sdk TEXT NOT NULL,
    network TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    left_at INTEGER,
    reason INTEGER NOT NULL,
    interrupted INTEGER NOT NULL CHECK (interrupted IN (0, 1))
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX visits_by_call ON visits (room_sid, user, joined_at);
  CREATE INDEX visits_by_app ON visits (app, joined_at, participant, device, user, is_first)
    WHERE is_first = 1;
  CREATE INDEX visits_by_room ON visits (app, room, joined_at, participant, device, user, is_first)
    WHERE is_first = 1;
  CREATE INDEX visits_by_end ON visits (left_at) WHERE left_at IS NOT NULL;
  CREATE INDEX visits_open ON visits (room_sid, user, joined_at) WHERE left_at IS NULL;

  UPDATE schema_version SET version = 4;
)sql";

// Step i leads from version i to version i + 1 and leaves that number in schema_version.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {kVersion1, kVersion2, kVersion3,
                                                                 kVersion4};

Result<int64_t> single_number(Database& database, const char* sql) {
  Statement statement = TRY(Statement::prepare(database, sql));
  if (!TRY(statement.start().step()))
    return fail(ErrorKind::Unsupported, "the store has no schema version");
  return statement.number();
}

// What an operator goes back to when the new version does not suit.
Result<void> copy_before(Database& database, const std::string& path, int64_t version) {
  const std::string copy = path + ".v" + std::to_string(version);
  if (std::filesystem::exists(copy)) return {};
  Statement vacuum = TRY(Statement::prepare(database, "VACUUM INTO ?"));
  return vacuum.start().put(std::string_view(copy)).finish();
}

}  // namespace

Result<int64_t> version_of(Database& database) {
  const int64_t application = TRY(single_number(database, "PRAGMA application_id"));
  const int64_t tables = TRY(single_number(database, "SELECT count(*) FROM sqlite_schema"));
  if (application == 0 && tables == 0) return 0;
  if (application != kApplicationId)
    return fail(ErrorKind::Unsupported, "the store's file is the database of another program");
  return single_number(database, "SELECT version FROM schema_version");
}

Result<void> migrate(Database& database, const std::string& path) {
  const int64_t version = TRY(version_of(database));
  if (version > kSchemaVersion)
    return fail(ErrorKind::Unsupported, "the store was written by a newer version of this program");
  if (version < 0) return fail(ErrorKind::Unsupported, "the store has no schema version");
  if (version > 0 && version < kSchemaVersion) TRY(copy_before(database, path, version));
  const std::string mark = "PRAGMA application_id = " + std::to_string(kApplicationId);
  for (auto step = static_cast<size_t>(version); step < kMigrations.size(); ++step) {
    Transaction transaction = TRY(Transaction::begin(database));
    TRY(database.run(mark.c_str()));
    TRY(database.run(kMigrations[step]));
    TRY(transaction.commit());
  }
  return {};
}

}  // namespace atrium::store
