#include "adapters/store/store.h"

#include <algorithm>
#include <chrono>

#include "adapters/store/rows.h"
#include "adapters/store/schema.h"
#include "adapters/store/sqlite.h"
#include "adapters/store/wal.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

constexpr auto kRecordKeep = std::chrono::days(limits::kRecordKeepDays);
constexpr auto kTombstoneKeep = std::chrono::milliseconds(limits::kTombstoneMs);

constexpr std::string_view kBeforeCommit = "before_commit", kAfterCommit = "after_commit";

// What a reader asks, with its columns in the order of the table.
constexpr const char* kFindSql = "SELECT * FROM dismissals WHERE operation = ?";
constexpr const char* kListRoomSql =
    "SELECT * FROM dismissals WHERE app = ? AND room = ? ORDER BY accepted_at DESC LIMIT ?";
constexpr const char* kListAppSql =
    "SELECT * FROM dismissals WHERE app = ? ORDER BY accepted_at DESC LIMIT ?";
constexpr const char* kNamesSql =
    "SELECT user, participant, reason FROM not_notified WHERE operation = ? ORDER BY position";
constexpr const char* kTombstonesSql =
    "SELECT * FROM tombstones WHERE expires_at > ? ORDER BY expires_at DESC LIMIT ?";

constexpr const char* kListBansSql =
    "SELECT * FROM bans WHERE app = ? AND id > ? AND expires_at > ? ORDER BY id LIMIT ?";
constexpr const char* kAllBansSql =
    "SELECT * FROM bans WHERE id > ? AND expires_at > ? ORDER BY id LIMIT ?";
constexpr const char* kDeleteBanSql = "DELETE FROM bans WHERE id = ?";
constexpr const char* kPurgeBansSql =
    "DELETE FROM bans WHERE id IN "
    "(SELECT id FROM bans WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)";

constexpr const char* kDeleteTombstoneSql =
    "DELETE FROM tombstones WHERE participant = ? AND operation = ?";

constexpr const char* kInterruptSql = "UPDATE dismissals SET state = 3 WHERE state = 0";
static_assert(static_cast<int>(domain::DismissalState::Running) == 0);
static_assert(static_cast<int>(domain::DismissalState::Interrupted) == 3);

// Deletions take the oldest first and no more than they are told.
constexpr const char* kPurgeDismissalsSql =
    "DELETE FROM dismissals WHERE operation IN "
    "(SELECT operation FROM dismissals WHERE accepted_at < ? ORDER BY accepted_at LIMIT ?)";
constexpr const char* kTrimDismissalsSql =
    "DELETE FROM dismissals WHERE operation IN "
    "(SELECT operation FROM dismissals WHERE state <> 0 ORDER BY accepted_at "
    "LIMIT max(0, min(?, (SELECT count(*) FROM dismissals) - ?)))";
constexpr const char* kPurgeTombstonesSql =
    "DELETE FROM tombstones WHERE (participant, token_hash) IN "
    "(SELECT participant, token_hash FROM tombstones WHERE expires_at <= ? ORDER BY expires_at "
    "LIMIT ?)";
constexpr const char* kTrimTombstonesSql =
    "DELETE FROM tombstones WHERE (participant, token_hash) IN "
    "(SELECT participant, token_hash FROM tombstones ORDER BY expires_at "
    "LIMIT max(0, min(?, (SELECT count(*) FROM tombstones) - ?)))";

Result<void> set_up(Database& database, const StoreOptions& options) {
  Statement journal = TRY(Statement::prepare(database, "PRAGMA journal_mode = WAL"));
  if (!TRY(journal.start().step()) || journal.text() != "wal")
    return fail(ErrorKind::Unavailable, "the store's file system cannot do write-ahead logging");
  TRY(journal.step());
  TRY(database.run(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF"));
  const std::string wal_bytes =
      "PRAGMA journal_size_limit = " + std::to_string(limits::kStoreWalBytesMax);
  TRY(database.run(wal_bytes.c_str()));
  if (options.pages_max == 0) return {};
  const std::string pages = "PRAGMA max_page_count = " + std::to_string(options.pages_max);
  return database.run(pages.c_str());
}

Result<void> check_pages(Database& database) {
  Statement check = TRY(Statement::prepare(database, "PRAGMA quick_check(1)"));
  if (!TRY(check.start().step()) || check.text() != "ok")
    return fail(ErrorKind::Unavailable, "the store's file is damaged");
  return {};
}

std::unexpected<Error> not_open() {
  return fail(ErrorKind::Unavailable, "the store is closed since its disk failed");
}
std::unexpected<Error> read_only() {
  return fail(ErrorKind::Unavailable, "the store is read-only since its disk failed");
}

}  // namespace

struct Store::State {
  // given
  StoreOptions options;
  // owned; statements go before the database they belong to
  Database database;
  Statement put_dismissal, put_not_notified, put_tombstone, delete_tombstone;
  Statement find, names, list_room, list_app, tombstones;
  Statement purge_dismissals, purge_tombstones, trim_tombstones;
  Statement put_ban, delete_ban, list_bans, all_bans, purge_bans;
  AppTable apps;
  Statement trim_dismissals;
  History history;
  WalKeeper wal = {};

  static Result<std::unique_ptr<State>> open(const std::string& path, const StoreOptions& options);
  static Result<std::unique_ptr<State>> create(Database database, StoreOptions options);

  Result<void> write(const WriteRequest& request);
  Result<void> write_alone(const WriteRequest& request);
  Result<void> write_dismissal(const PutDismissal& put);
  Result<void> write_tombstones(std::span<const domain::Tombstone> rows);
  Result<void> write_bans(std::span<const domain::BanRule> rules, std::span<const BanId> dropped);
  Result<void> commit(Transaction& transaction, std::span<const WriteRequest> batch);

  Result<void> add_names(domain::DismissalRecord& record);
  Result<uint32_t> purge_step(Statement& statement, int64_t first, int64_t second);
  void at_point(std::string_view point) const {
    if (options.at_point) options.at_point(point);
  }
};

Result<std::unique_ptr<Store::State>> Store::State::open(const std::string& path,
                                                         const StoreOptions& options) {
  Database database = TRY(Database::open(path, options.vfs));
  WalKeeper wal = WalKeeper::watch(database);
  TRY(set_up(database, options));
  TRY(migrate(database, path));
  // What an earlier process left in the log is ours now.  On a full disk this may fail: the log is kept as it is then.
  if (auto emptied = wal.empty(database); !emptied && is_sync_failure(emptied.error()))
    return std::unexpected(emptied.error());
  auto state = TRY(create(std::move(database), options));
  state->wal = std::move(wal);
  return state;
}

Result<std::unique_ptr<Store::State>> Store::State::create(Database database,
                                                           StoreOptions options) {
  const auto prepare = [&](const char* sql) { return Statement::prepare(database, sql); };
  Statement put_dismissal = TRY(prepare(kPutDismissalSql));
  Statement put_not_notified = TRY(prepare(kPutNotNotifiedSql));
  Statement put_tombstone = TRY(prepare(kPutTombstoneSql));
  Statement delete_tombstone = TRY(prepare(kDeleteTombstoneSql));
  Statement find = TRY(prepare(kFindSql));
  Statement names = TRY(prepare(kNamesSql));
  Statement list_room = TRY(prepare(kListRoomSql));
  Statement list_app = TRY(prepare(kListAppSql));
  Statement tombstones = TRY(prepare(kTombstonesSql));
  Statement purge_dismissals = TRY(prepare(kPurgeDismissalsSql));
  Statement purge_tombstones = TRY(prepare(kPurgeTombstonesSql));
  Statement trim_tombstones = TRY(prepare(kTrimTombstonesSql));
  Statement put_ban = TRY(prepare(kPutBanSql));
  Statement delete_ban = TRY(prepare(kDeleteBanSql));
  Statement list_bans = TRY(prepare(kListBansSql));
  Statement all_bans = TRY(prepare(kAllBansSql));
  Statement purge_bans = TRY(prepare(kPurgeBansSql));
  AppTable apps = TRY(AppTable::create(database, options.sealing));
  Statement trim_dismissals = TRY(prepare(kTrimDismissalsSql));
  History history = TRY(History::create(database, options.history));
  return std::unique_ptr<State>(new State{std::move(options),
                                          std::move(database),
                                          std::move(put_dismissal),
                                          std::move(put_not_notified),
                                          std::move(put_tombstone),
                                          std::move(delete_tombstone),
                                          std::move(find),
                                          std::move(names),
                                          std::move(list_room),
                                          std::move(list_app),
                                          std::move(tombstones),
                                          std::move(purge_dismissals),
                                          std::move(purge_tombstones),
                                          std::move(trim_tombstones),
                                          std::move(put_ban),
                                          std::move(delete_ban),
                                          std::move(list_bans),
                                          std::move(all_bans),
                                          std::move(purge_bans),
                                          std::move(apps),
                                          std::move(trim_dismissals),
                                          std::move(history)});
}

Store::Store(std::string path, StoreOptions options)
    : path_(std::move(path)), options_(std::move(options)) {}
Store::Store(Store&& other) noexcept = default;
Store& Store::operator=(Store&& other) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& path, StoreOptions options, Now now) {
  Store store(path, std::move(options));
  TRY(mend_wal(path, store.options_.vfs,
               std::nullopt));  // a sync may have failed before an earlier process died
  store.state_ = TRY(State::open(path, store.options_));
  TRY(store.state_->database.run(kInterruptSql));
  // On a full disk these fail, and a store that can still be read is better than none; node purges again.
  static_cast<void>(store.state_->history.close_interrupted(now.wall));
  static_cast<void>(store.purge(now.wall));
  return store;
}

Result<void> Store::reopen() {
  needs_reopening_ = true;
  if (state_ != nullptr) {
    if (const auto& mark = state_->wal.mark()) confirmed_ = std::make_unique<WalMark>(*mark);
    state_.reset();
  }
  // First of all: SQLite would take the log for what it says.
  TRY(mend_wal(path_, options_.vfs,
               confirmed_ == nullptr ? std::nullopt : std::optional(*confirmed_)));
  auto opened = TRY(State::open(path_, options_));
  TRY(check_pages(opened->database));
  state_ = std::move(opened);
  confirmed_.reset();
  needs_reopening_ = false;
  last_checkpoint_ = {};
  return {};
}

void Store::note(const Error& error) {
  if (!is_sync_failure(error)) return;
  needs_reopening_ = true;
  forbid_checkpoint_on_close(state_->database);
}

void Store::checkpoint() {
  last_checkpoint_ = state_->wal.checkpoint_if_due(state_->database);
  if (!last_checkpoint_) note(last_checkpoint_.error());
}

// --- writing -------------------------------------------------------------------------------------

std::vector<Result<void>> Store::apply_batch(std::span<const WriteRequest> batch) {
  std::vector<Result<void>> results;
  if (batch.empty()) return results;
  const auto all_failed = [&](Error error) {
    note(error);
    return std::vector<Result<void>>(batch.size(), std::unexpected(error));
  };
  if (needs_reopening_) return std::vector<Result<void>>(batch.size(), read_only());
  auto transaction = Transaction::begin(state_->database);
  if (!transaction) return all_failed(transaction.error());
  for (const WriteRequest& request : batch) {
    results.push_back(state_->write_alone(request));
    if (!state_->database.is_in_transaction()) return all_failed(results.back().error());
  }
  if (auto committed = state_->commit(*transaction, batch); !committed) {
    state_->history.forget_counts();
    return all_failed(committed.error());
  }
  checkpoint();
  return results;
}

Result<void> Store::State::commit(Transaction& transaction, std::span<const WriteRequest> batch) {
  const bool has_decisions = std::ranges::any_of(batch, [](const WriteRequest& request) {
    return !std::holds_alternative<PutHistory>(request) && !std::holds_alternative<PutApp>(request);
  });
  if (has_decisions) at_point(kBeforeCommit);
  TRY(transaction.commit());
  if (has_decisions) at_point(kAfterCommit);
  return {};
}

// One request inside the batch's transaction: all of it, or nothing.
Result<void> Store::State::write_alone(const WriteRequest& request) {
  TRY(database.run("SAVEPOINT request"));
  Result<void> result = write(request);
  if (!result) history.forget_counts();
  if (!database.is_in_transaction()) return result;  // SQLite undid the whole batch
  if (!result) TRY(database.run("ROLLBACK TO request"));
  TRY(database.run("RELEASE request"));
  return result;
}

Result<void> Store::State::write(const WriteRequest& request) {
  if (const auto* put = std::get_if<PutDismissal>(&request)) {
    if (options.drop_dismissal_writes) return {};
    return write_dismissal(*put);
  }
  if (const auto* bans = std::get_if<PutBans>(&request)) {
    TRY(write_bans(bans->put, bans->drop));
    return write_tombstones(bans->tombstones);
  }
  if (const auto* app = std::get_if<PutApp>(&request)) return apps.put(app->app, app->is_new);
  if (const auto* put = std::get_if<PutHistory>(&request))
    return history.write(database, put->facts);
  return write_tombstones(std::get<PutTombstones>(request).tombstones);
}

Result<void> Store::State::write_bans(std::span<const domain::BanRule> rules,
                                      std::span<const BanId> dropped) {
  for (const domain::BanRule& rule : rules) {
    TRY(purge_step(purge_bans, unix_us(rule.created_at), limits::kPurgeBansPerWrite));
    TRY(write_ban(put_ban, rule));
  }
  for (const BanId& id : dropped) TRY(delete_ban.start().put(id.value).finish());
  return {};
}

Result<void> Store::State::write_dismissal(const PutDismissal& put) {
  store::put_dismissal(put_dismissal, put.record);  // replacing the row takes its names away too
  TRY(put_dismissal.finish());
  const auto& all_names = put.record.not_notified_names;
  const size_t count = std::min<size_t>(all_names.size(), limits::kReceiptNamesMax);
  for (size_t i = 0; i < count; ++i) {
    put_not_notified.start()
        .put(put.record.operation.value)
        .put(static_cast<int64_t>(i))
        .put(all_names[i].user.value)
        .put(all_names[i].participant.value)
        .put(static_cast<int64_t>(all_names[i].reason));
    TRY(put_not_notified.finish());
  }
  TRY(purge_step(purge_dismissals, unix_us(put.record.accepted_at - kRecordKeep),
                 limits::kPurgeRowsPerWrite));
  for (const ParticipantSid& participant : put.told) {
    delete_tombstone.start().put(participant.value).put(put.record.operation.value);
    TRY(delete_tombstone.finish());
  }
  TRY(write_bans(put.bans, {}));
  return write_tombstones(put.tombstones);
}

// Each write takes away some of what is too old by its own time, so that the tables stay as large as what is
// alive, however busy the hour between two purges.  No time of a row lies further ahead of now than kTombstoneMs.
Result<void> Store::State::write_tombstones(std::span<const domain::Tombstone> rows) {
  if (rows.empty()) return {};
  const Wall expiry = std::ranges::max(rows, {}, &domain::Tombstone::expires_at).expires_at;
  const auto deletions = static_cast<int64_t>(rows.size()) * limits::kPurgeRowsPerWrite;
  TRY(purge_step(purge_tombstones, unix_us(expiry - kTombstoneKeep), deletions));
  for (const domain::Tombstone& tombstone : rows) {
    store::put_tombstone(put_tombstone, tombstone);
    TRY(put_tombstone.finish());
  }
  return {};
}

// --- purging -------------------------------------------------------------------------------------

Result<uint32_t> Store::State::purge_step(Statement& statement, int64_t first, int64_t second) {
  TRY(statement.start().put(first).put(second).finish());
  return database.rows_changed();
}

Result<Purged> Store::purge(Wall now) {
  if (needs_reopening_) return read_only();
  auto purged = purge_rows(now);
  if (!purged)
    note(purged.error());
  else
    checkpoint();
  return purged;
}

Result<Purged> Store::purge_rows(Wall now) {
  const int64_t now_us = unix_us(now), rows = limits::kPurgeRowsPerStep;
  const int64_t oldest_kept_us = unix_us(now - kRecordKeep);
  Purged purged;
  for (int64_t step = 0; step < limits::kPurgeStepsMax; ++step) {
    Transaction transaction = TRY(Transaction::begin(state_->database));
    const uint32_t dismissals =
        TRY(state_->purge_step(state_->purge_dismissals, oldest_kept_us, rows));
    const uint32_t expired = TRY(state_->purge_step(state_->purge_tombstones, now_us, rows));
    const uint32_t surplus =
        TRY(state_->purge_step(state_->trim_tombstones, rows, limits::kTombstonesMax));
    const uint32_t bans = TRY(state_->purge_step(state_->purge_bans, now_us, rows));
    const uint32_t most =
        TRY(state_->purge_step(state_->trim_dismissals, rows, state_->options.dismissals_max));
    const auto history = state_->history.purge(state_->database, now, rows);
    const Result<void> done = history ? transaction.commit() : std::unexpected(history.error());
    if (!done) {
      state_->history.forget_counts();
      return std::unexpected(done.error());
    }
    purged.dismissals += dismissals + most;
    purged.lives += history->lives;
    purged.visits += history->visits;
    purged.tombstones += expired + surplus;
    purged.bans += bans;
    purged.is_complete = std::max({dismissals, most, expired, surplus, bans, history->lives,
                                   history->visits}) < rows;
    if (purged.is_complete) break;
  }
  return purged;
}

// --- reading -------------------------------------------------------------------------------------

Result<void> Store::State::add_names(domain::DismissalRecord& record) {
  names.start().put(record.operation.value);
  while (TRY(names.step())) record.not_notified_names.push_back(read_not_notified(names));
  return {};
}

Result<std::optional<domain::DismissalRecord>> Store::find_dismissal(const OperationId& operation) {
  if (state_ == nullptr) return not_open();
  Statement& find = state_->find;
  find.start().put(operation.value);
  if (!TRY(find.step())) return std::nullopt;
  domain::DismissalRecord record = read_dismissal(find);
  find.start();  // ends the read
  TRY(state_->add_names(record));
  return record;
}

Result<std::vector<domain::DismissalRecord>> Store::list_dismissals(const AppId& app,
                                                                    const RoomId& room,
                                                                    size_t limit) {
  if (state_ == nullptr) return not_open();
  Statement& list = room.empty() ? state_->list_app : state_->list_room;
  list.start().put(app.value);
  if (!room.empty()) list.put(room.value);
  list.put(static_cast<int64_t>(std::min<size_t>(limit, limits::kDismissalsListMax)));
  std::vector<domain::DismissalRecord> records;
  while (TRY(list.step())) records.push_back(read_dismissal(list));
  for (domain::DismissalRecord& record : records) TRY(state_->add_names(record));
  return records;
}

Result<std::vector<domain::Tombstone>> Store::load_tombstones(Wall now) {
  if (state_ == nullptr) return not_open();
  Statement& load = state_->tombstones;
  load.start().put(unix_us(now)).put(limits::kTombstonesMax);
  std::vector<domain::Tombstone> tombstones;
  while (TRY(load.step())) tombstones.push_back(read_tombstone(load));
  return tombstones;
}

Result<std::vector<domain::App>> Store::load_apps() {
  return state_->apps.load();
}

Result<std::vector<domain::BanRule>> Store::list_bans(const AppId& app, const BanId& after,
                                                      size_t limit, Wall now) {
  if (state_ == nullptr) return not_open();
  Statement& list = app.empty() ? state_->all_bans : state_->list_bans;
  list.start();
  if (!app.empty()) list.put(app.value);
  list.put(after.value).put(unix_us(now)).put(static_cast<int64_t>(limit));
  std::vector<domain::BanRule> rules;
  while (TRY(list.step())) rules.push_back(TRY(read_ban(list)));
  return rules;
}

Result<domain::LivesPage> Store::list_lives(const domain::HistoryQuery& query) {
  return state_->history.list_lives(query);
}

Result<domain::VisitorsPage> Store::list_visitors(const domain::HistoryQuery& query, Wall now) {
  return state_->history.list_visitors(query, now);
}

}  // namespace atrium::store
