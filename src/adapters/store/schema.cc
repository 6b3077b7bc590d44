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

// Events on their way to backends, in the order of their cursors; what they are told of, and what is told by itself:
// webhooks and what waits for each, schedules, policies, dismissals of many rooms, calls with a key, the audit.
constexpr const char* kVersion5Events = R"sql(
  -- held_by: an operation whose end releases it; '' = told.  is_kept: a webhook never got it, so that it outlives the
  -- others of its age.
  CREATE TABLE events (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL,
    held_by TEXT NOT NULL,
    is_kept INTEGER NOT NULL CHECK (is_kept IN (0, 1)),
    id TEXT NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    room_sid TEXT NOT NULL,
    participant TEXT NOT NULL,
    user TEXT NOT NULL,
    track TEXT NOT NULL,
    reason INTEGER NOT NULL, reason_number INTEGER NOT NULL, reason_name TEXT NOT NULL,
    reason_text TEXT NOT NULL, operation TEXT NOT NULL, operator_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    stayed INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    device INTEGER NOT NULL, model TEXT NOT NULL, sdk TEXT NOT NULL, network TEXT NOT NULL,
    track_kind INTEGER NOT NULL,
    track_source INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX events_by_app ON events (app, cursor);
  CREATE INDEX events_by_room ON events (app, room, cursor);
  CREATE INDEX events_by_time ON events (at) WHERE is_kept = 0;
  CREATE INDEX events_held ON events (app, room, cursor) WHERE held_by <> '';
  CREATE INDEX events_held_by ON events (held_by) WHERE held_by <> '';

  -- The number of the latest event of each room's name, beyond the event itself.
  CREATE TABLE event_rooms (
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    last_sequence INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (app, room)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX event_rooms_by_time ON event_rooms (last_at);
  -- purged_cursor: all events up to it may be gone.  sequence_floor: the largest number of a room's name that was
  -- forgotten; names begin above it, so that a number is never used twice.
  CREATE TABLE event_marks (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    purged_cursor INTEGER NOT NULL,
    sequence_floor INTEGER NOT NULL
  ) STRICT;
  INSERT INTO event_marks VALUES (1, 0, 0);

  -- What events have begun and not ended.
  CREATE TABLE open_lives (
    room_sid TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    started_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE open_visits (
    participant TEXT PRIMARY KEY,
    room_sid TEXT NOT NULL,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    user TEXT NOT NULL,
    hidden INTEGER NOT NULL,
    device INTEGER NOT NULL, model TEXT NOT NULL, sdk TEXT NOT NULL, network TEXT NOT NULL,
    joined_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX open_visits_by_life ON open_visits (room_sid);
  INSERT INTO open_lives SELECT room_sid, app, room, started_at FROM lives WHERE ended_at IS NULL;
  INSERT INTO open_visits
    SELECT participant, room_sid, app, room, user, hidden, device, model, sdk, network, joined_at
    FROM visits WHERE left_at IS NULL;

  ALTER TABLE lives ADD COLUMN reason_number INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE lives ADD COLUMN reason_name TEXT NOT NULL DEFAULT '';
  ALTER TABLE lives ADD COLUMN reason_text TEXT NOT NULL DEFAULT '';
  ALTER TABLE lives ADD COLUMN operation TEXT NOT NULL DEFAULT '';
  ALTER TABLE lives ADD COLUMN operator_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE visits ADD COLUMN reason_number INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE visits ADD COLUMN reason_name TEXT NOT NULL DEFAULT '';
  ALTER TABLE visits ADD COLUMN reason_text TEXT NOT NULL DEFAULT '';
  ALTER TABLE visits ADD COLUMN operation TEXT NOT NULL DEFAULT '';
  ALTER TABLE visits ADD COLUMN operator_id TEXT NOT NULL DEFAULT '';
)sql";

// Webhooks.  Deliveries wait in the order of rooms and cursors; dead letters do not wait.  What belongs to a webhook
// that was dropped goes away in steps.
constexpr const char* kVersion5Webhooks = R"sql(
  CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    business TEXT NOT NULL,
    dialect INTEGER NOT NULL CHECK (dialect IN (0, 1)),
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    api_key TEXT NOT NULL,
    events TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhooks_by_app ON webhooks (app);

  CREATE TABLE deliveries (
    webhook TEXT NOT NULL,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    cursor INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
    attempts INTEGER NOT NULL,
    failed_beside_others INTEGER NOT NULL,
    why TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (webhook, app, room, cursor)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deliveries_by_event ON deliveries (cursor);
  CREATE INDEX deliveries_by_expiry ON deliveries (webhook, expires_at);

  CREATE TABLE dead_letters (
    webhook TEXT NOT NULL,
    cursor INTEGER NOT NULL REFERENCES events ON DELETE CASCADE,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    why TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    PRIMARY KEY (webhook, cursor)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dead_letters_by_event ON dead_letters (cursor);
  CREATE INDEX dead_letters_by_time ON dead_letters (died_at);

  CREATE TABLE backlogs (
    webhook TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL,
    dead INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER deliveries_put AFTER INSERT ON deliveries BEGIN
    UPDATE backlogs SET waiting = waiting + 1 WHERE webhook = NEW.webhook;
  END;
  CREATE TRIGGER deliveries_gone AFTER DELETE ON deliveries BEGIN
    UPDATE backlogs SET waiting = waiting - 1 WHERE webhook = OLD.webhook;
  END;
  CREATE TRIGGER dead_letters_put AFTER INSERT ON dead_letters BEGIN
    UPDATE backlogs SET dead = dead + 1 WHERE webhook = NEW.webhook;
  END;
  CREATE TRIGGER dead_letters_gone AFTER DELETE ON dead_letters BEGIN
    UPDATE backlogs SET dead = dead - 1 WHERE webhook = OLD.webhook;
  END;
  CREATE TABLE dropped_webhooks (webhook TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kVersion5Orders = R"sql(
  CREATE TABLE schedules (
    id TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    room_sid TEXT NOT NULL,
    reason TEXT NOT NULL,
    operator_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    follows_wall INTEGER NOT NULL CHECK (follows_wall IN (0, 1)),
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    forbidden INTEGER,
    refuses_joins INTEGER NOT NULL CHECK (refuses_joins IN (0, 1)),
    warn_before TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE policies (
    app TEXT NOT NULL,
    room TEXT NOT NULL,
    end_at INTEGER, max_duration INTEGER, idle INTEGER, without_host INTEGER,
    hosts TEXT NOT NULL,
    warn_before TEXT NOT NULL,
    reason TEXT NOT NULL,
    operator_id TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (app, room)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE bulks (
    operation TEXT PRIMARY KEY,
    app TEXT NOT NULL,
    operator_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    accepted_at INTEGER NOT NULL,
    finished_at INTEGER,
    per_second INTEGER NOT NULL,
    total INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX bulks_by_age ON bulks (accepted_at);
  CREATE TABLE bulk_items (
    operation TEXT NOT NULL REFERENCES bulks ON DELETE CASCADE,
    position INTEGER NOT NULL,
    room TEXT NOT NULL,
    room_sid TEXT NOT NULL,
    PRIMARY KEY (operation, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX dismissals_by_life ON dismissals (room_sid, accepted_at);

  CREATE TABLE call_keys (
    account TEXT NOT NULL,
    action TEXT NOT NULL,
    version TEXT NOT NULL,
    call_key TEXT NOT NULL,
    body_hash BLOB NOT NULL CHECK (length(body_hash) = 32),
    operation TEXT NOT NULL,
    outcome INTEGER,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, action, version, call_key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX call_keys_by_age ON call_keys (at);

  ALTER TABLE api_keys ADD COLUMN management INTEGER NOT NULL DEFAULT 0
    CHECK (management IN (0, 1));

  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    account TEXT NOT NULL,
    app TEXT NOT NULL,
    action TEXT NOT NULL,
    operation TEXT NOT NULL,
    body TEXT NOT NULL,
    mac BLOB NOT NULL CHECK (length(mac) = 32)
  ) STRICT;
  CREATE INDEX audit_by_account ON audit (account, sequence);
  CREATE INDEX audit_by_operation ON audit (operation) WHERE operation <> '';
  CREATE INDEX audit_by_time ON audit (at);

  UPDATE schema_version SET version = 5;
)sql";

// What a tombstone says; whether the vendor's GetCallback shows a webhook's secret.  Those of older files say our own
// sentence and stay hidden: nobody knows who made them.
constexpr const char* kVersion6 = R"sql(
  ALTER TABLE tombstones ADD COLUMN text TEXT NOT NULL DEFAULT '';
  ALTER TABLE tombstones ADD COLUMN operator_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE webhooks ADD COLUMN shows_secret INTEGER NOT NULL DEFAULT 0
    CHECK (shows_secret IN (0, 1));
  -- No question was ever answered by it, and every record paid for it.
  DROP INDEX audit_by_time;
  UPDATE schema_version SET version = 6;
)sql";

// A row of the audit may hold several records (audit_body.h), which earlier servers cannot read: no table changes, and
// they refuse the file.
constexpr const char* kVersion7 = "UPDATE schema_version SET version = 7;";

// Step i leads from version i to version i + 1 and leaves that number in schema_version.
using Parts = std::array<const char*, 3>;
constexpr std::array<Parts, kSchemaVersion> kMigrations = {
    Parts{kVersion1},
    {kVersion2},
    {kVersion3},
    {kVersion4},
    {kVersion5Events, kVersion5Webhooks, kVersion5Orders},
    {kVersion6},
    {kVersion7},
};

Result<int64_t> single_number(Database& database, const char* sql) {
  Statement statement = TRY(Statement::prepare(database, sql));
  if (!TRY(statement.start().step()))
    return fail(ErrorKind::Unsupported, "the store has no schema version");
  return statement.number();
}

// What an operator goes back to when the new version does not suit.  It gets its name when it is whole: what a crash
// left of an earlier one is thrown away.
Result<void> copy_before(Database& database, const std::string& path, int64_t version) {
  const std::string copy = path + ".v" + std::to_string(version);
  if (std::filesystem::exists(copy)) return {};
  const std::string unfinished = copy + ".unfinished";
  std::error_code failure;
  std::filesystem::remove(unfinished, failure);  // where it stays, the next line says so
  Statement vacuum = TRY(Statement::prepare(database, "VACUUM INTO ?"));
  TRY(vacuum.start().put(std::string_view(unfinished)).finish());
  std::filesystem::rename(unfinished, copy, failure);
  if (failure) return fail(ErrorKind::Unavailable, "the copy of the store's file cannot be named");
  return {};
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
    for (const char* part : kMigrations[step])
      if (part != nullptr) TRY(database.run(part));
    TRY(transaction.commit());
  }
  return {};
}

}  // namespace atrium::store
