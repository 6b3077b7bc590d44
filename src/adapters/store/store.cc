#include "adapters/store/store.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "adapters/store/bulks.h"
#include "adapters/store/call_keys.h"
#include "adapters/store/deliveries.h"
#include "adapters/store/open_lives.h"
#include "adapters/store/rows.h"
#include "adapters/store/schedules.h"
#include "adapters/store/schema.h"
#include "adapters/store/sqlite.h"
#include "adapters/store/wal.h"
#include "adapters/store/webhooks.h"
#include "base/limits.h"
#include "domain/webhook_words.h"

namespace atrium::store {
namespace {

constexpr auto kRecordKeep = std::chrono::days(limits::kRecordKeepDays);
constexpr auto kTombstoneKeep = std::chrono::milliseconds(limits::kTombstoneMs);

// Of pages in memory: what a batch touches, several times.
constexpr int kCacheKiB = 16 * 1024;

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
  const std::string cache = "PRAGMA cache_size = -" + std::to_string(kCacheKiB);
  TRY(database.run(cache.c_str()));
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

// Why what a former process left open has ended.
domain::Reason end_of_process() {
  domain::Reason reason;
  reason.why = domain::LeaveReason::ServerShutdown;
  reason.text = "the server ended";
  return reason;
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
  Statement set_savepoint, release_savepoint;
  History history;
  EventLog events;
  OpenLives open_lives;
  Deliveries deliveries;
  WebhookTable webhooks;
  ScheduleTable schedules;
  Bulks bulks;
  CallKeys calls;
  AuditLog audit;
  WalKeeper wal = {};

  static Result<std::unique_ptr<State>> open(const std::string& path, const StoreOptions& options);
  static Result<std::unique_ptr<State>> create(Database database, StoreOptions options);

  Result<void> write_alone(const WriteRequest& request, HistoryRows rows);
  Result<void> write_request(const WriteRequest& request, HistoryRows rows);
  Result<void> write(const std::monostate&) { return {}; }
  Result<void> write(const PutDismissal& put);
  Result<void> write(const PutBans& put);
  Result<void> write(const PutTombstones& put) { return write_tombstones(put.tombstones); }
  Result<void> write(const PutApp& put) { return apps.put(put.app, put.is_new); }
  Result<void> write(const PutSchedules& put);
  Result<void> write(const PutPolicy& put);
  Result<void> write(const PutWebhook& put);
  Result<void> write(const PutBulk& put) { return bulks.put(database, put.bulk); }
  Result<void> write(const PutDeliveries& put);
  Result<void> write(const Redrive& order);
  Result<void> write_events(const WriteRequest& request, HistoryRows rows);
  Result<void> write_event(const domain::Event& event, const OperationId& held_by);
  Result<void> end_former(Wall now);
  void forget_derived();
  Result<void> purge_ahead_of(std::span<const WriteRequest> batch, HistoryRows rows);
  Result<void> purge_behind(std::span<const WriteRequest> batch);

  Result<void> write_tombstones(std::span<const domain::Tombstone> rows);
  Result<void> write_bans(std::span<const domain::BanRule> rules, std::span<const BanId> dropped);
  Result<void> commit(Transaction& transaction, std::span<const WriteRequest> batch);

  Result<void> add_names(domain::DismissalRecord& record);
  Result<uint32_t> purge_step(Statement& statement, int64_t first, int64_t second);
  Result<void> purge_records(Wall now, Purged& purged);
  Result<void> purge_events(Wall now, Purged& purged);
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
  Statement set_savepoint = TRY(prepare("SAVEPOINT request"));
  Statement release_savepoint = TRY(prepare("RELEASE request"));
  History history = TRY(History::create(database, options.history));
  EventLog events = TRY(EventLog::create(database, options.events));
  OpenLives open_lives = TRY(OpenLives::create(database));
  Deliveries deliveries = TRY(Deliveries::create(database, options.events.keep));
  WebhookTable webhooks = TRY(WebhookTable::create(database, options.sealing));
  ScheduleTable schedules = TRY(ScheduleTable::create(database));
  Bulks bulks = TRY(Bulks::create(database));
  CallKeys calls = TRY(CallKeys::create(database));
  AuditLog audit = TRY(AuditLog::create(database, options.audit));
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
                                          std::move(set_savepoint),
                                          std::move(release_savepoint),
                                          std::move(history),
                                          std::move(events),
                                          std::move(open_lives),
                                          std::move(deliveries),
                                          std::move(webhooks),
                                          std::move(schedules),
                                          std::move(bulks),
                                          std::move(calls),
                                          std::move(audit)});
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
  // On a full disk these fail, and a store that can still be read is better than none: what is to end is ended before
  // the next write, and node purges again.
  store.former_ends_at_ = now.wall;
  static_cast<void>(store.end_former());
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

// In a transaction of its own, at the start.
Result<void> Store::end_former() {
  Transaction transaction = TRY(Transaction::begin(state_->database));
  Result<void> done = state_->end_former(*former_ends_at_);
  if (done) done = transaction.commit();
  if (done) {
    former_ends_at_.reset();
  } else {
    state_->forget_derived();
    note(done.error());
  }
  return done;
}

std::vector<Result<void>> Store::apply_batch(std::span<const WriteRequest> batch,
                                             HistoryRows history) {
  if (batch.empty()) return {};
  const auto all_failed = [&](const Error& error) {
    return std::vector<Result<void>>(batch.size(), std::unexpected(error));
  };
  if (needs_reopening_) return all_failed(read_only().error());
  if (former_ends_at_)
    if (auto ended = end_former(); !ended) return all_failed(ended.error());
  Result<std::vector<Result<void>>> written = write_batch(batch, history, Undo::Batch);
  if (written && !written->back()) written = write_batch(batch, history, Undo::Request);
  if (!written) {
    state_->forget_derived();
    note(written.error());
    return all_failed(written.error());
  }
  checkpoint();
  return *std::move(written);
}

// Errors: nothing of the batch is written.  With Undo::Batch nothing is written either where the last result is one.
Result<std::vector<Result<void>>> Store::write_batch(std::span<const WriteRequest> batch,
                                                     HistoryRows history, Undo undo) {
  Transaction transaction = TRY(Transaction::begin(state_->database));
  TRY(state_->purge_ahead_of(batch, history));
  std::vector<Result<void>> results = write_all(batch, history, undo);
  if (!state_->database.is_in_transaction()) return std::unexpected(results.back().error());
  if (undo == Undo::Batch && !results.back()) {
    state_->forget_derived();
    return results;
  }
  TRY(state_->purge_behind(batch));
  TRY(state_->commit(transaction, batch));
  return results;
}

// One result per request, but fewer where one failed that cannot be undone alone, or where SQLite itself undid the
// transaction: the last one says why.
std::vector<Result<void>> Store::write_all(std::span<const WriteRequest> batch, HistoryRows history,
                                           Undo undo) {
  std::vector<Result<void>> results;
  for (const WriteRequest& request : batch) {
    if (undo == Undo::Batch) {
      results.push_back(state_->write_request(request, history));
      if (!results.back()) return results;
      continue;
    }
    results.push_back(state_->write_alone(request, history));
    if (!state_->database.is_in_transaction()) return results;
    if (!results.back() && has_to_be_kept(request)) break;
  }
  results.resize(batch.size(), fail(ErrorKind::Unavailable, "an earlier write failed"));
  return results;
}

// Events and what is known of deliveries are written often and by many: they are no decisions.
Result<void> Store::State::commit(Transaction& transaction, std::span<const WriteRequest> batch) {
  const bool has_decisions = std::ranges::any_of(batch, [](const WriteRequest& request) {
    return !std::holds_alternative<std::monostate>(request.what) &&
           !std::holds_alternative<PutDeliveries>(request.what) &&
           !std::holds_alternative<PutApp>(request.what);
  });
  if (has_decisions) at_point(kBeforeCommit);
  TRY(transaction.commit());
  if (has_decisions) at_point(kAfterCommit);
  return {};
}

// What was written since the last commit may have been undone.
void Store::State::forget_derived() {
  history.forget_counts();
  webhooks.forget();
  audit.undone();
}

// One request inside the batch's transaction: all of it, or nothing.
Result<void> Store::State::write_alone(const WriteRequest& request, HistoryRows rows) {
  TRY(set_savepoint.start().finish());
  Result<void> result = write_request(request, rows);
  if (!result) forget_derived();
  if (!database.is_in_transaction()) return result;  // SQLite undid the whole batch
  if (!result) TRY(database.run("ROLLBACK TO request"));
  TRY(release_savepoint.start().finish());
  return result;
}

Result<void> Store::State::write_request(const WriteRequest& request, HistoryRows rows) {
  TRY(std::visit([&](const auto& change) { return write(change); }, request.what));
  TRY(write_events(request, rows));
  for (const domain::KeyedCall& call : request.calls) TRY(calls.put(call));
  if (request.audit.empty()) return {};
  return audit.append(database, request.audit);
}

Result<void> Store::State::write_events(const WriteRequest& request, HistoryRows rows) {
  for (const domain::Event& event : request.events) TRY(write_event(event, {}));
  for (const domain::Event& event : request.held_events) TRY(write_event(event, request.hold));
  if (!request.release.empty()) TRY(events.release(database, request.release));
  const std::array all = {std::span<const domain::Event>(request.events),
                          std::span<const domain::Event>(request.held_events)};
  for (const auto& some : all) {
    if (rows == HistoryRows::Write) TRY(history.write(database, some));
  }
  return {};
}

// With a delivery for each webhook that wants it.
Result<void> Store::State::write_event(const domain::Event& event, const OperationId& held_by) {
  const auto cursor = TRY(events.insert(database, event, held_by));
  if (!cursor) return {};
  TRY(open_lives.note(event));
  for (const domain::Webhook& webhook : *TRY(webhooks.enabled_of(event.app))) {
    if (!domain::wants(webhook, event)) continue;
    TRY(deliveries.add(webhook.id, event, *cursor));
  }
  return {};
}

// No life outlives its process: it ended no earlier than anything that was written of it, and nobody knows how much
// later.
Result<void> Store::State::end_former(Wall now) {
  const auto of_history = TRY(history.latest()), of_events = TRY(events.latest());
  const auto latest = std::max(of_history, of_events);  // none is the earliest
  const Wall end = latest ? std::min(*latest, now) : now;
  const domain::Reason reason = end_of_process();
  TRY(events.release_all(database));
  for (const domain::Event& event : TRY(open_lives.endings(end, reason)))
    TRY(write_event(event, {}));
  return history.close_interrupted(end, reason);
}

Result<void> Store::State::write(const PutBans& put) {
  TRY(write_bans(put.put, put.drop));
  return write_tombstones(put.tombstones);
}

Result<void> Store::State::write(const PutSchedules& put) {
  for (const domain::Schedule& schedule : put.put) TRY(schedules.put(schedule));
  for (const ScheduleId& id : put.drop) TRY(schedules.drop(id));
  return {};
}

Result<void> Store::State::write(const PutPolicy& put) {
  return put.policy ? schedules.put(*put.policy) : schedules.drop_policy(put.app, put.room);
}

Result<void> Store::State::write(const PutWebhook& put) {
  if (!put.is_dropped) {
    TRY(webhooks.put(put.webhook));
    return deliveries.begin(put.webhook.id);
  }
  TRY(webhooks.drop(put.webhook));
  return deliveries.drop(put.webhook.id);
}

Result<void> Store::State::write(const PutDeliveries& put) {
  for (const domain::DeliveryOutcome& outcome : put.outcomes)
    TRY(deliveries.note(database, outcome));
  return {};
}

Result<void> Store::State::write(const Redrive& order) {
  return deliveries.redrive(order.webhook, order.event);
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

Result<void> Store::State::write(const PutDismissal& put) {
  if (options.drop_dismissal_writes) return {};
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
  for (const ParticipantSid& participant : put.told) {
    delete_tombstone.start().put(participant.value).put(put.record.operation.value);
    TRY(delete_tombstone.finish());
  }
  TRY(write_bans(put.bans, {}));
  return write_tombstones(put.tombstones);
}

Result<void> Store::State::write_tombstones(std::span<const domain::Tombstone> rows) {
  for (const domain::Tombstone& tombstone : rows) {
    store::put_tombstone(put_tombstone, tombstone);
    TRY(put_tombstone.finish());
  }
  return {};
}

// --- purging -------------------------------------------------------------------------------------

namespace {

// How many rows of one kind a batch writes, and the latest of their times.
struct Written {
  int64_t rows = 0;
  std::optional<Wall> latest = {};

  void add(Wall at) {
    ++rows;
    latest = std::max(latest.value_or(at), at);
  }
};

std::span<const domain::Tombstone> tombstones_of(const WriteRequest::What& what) {
  if (const auto* put = std::get_if<PutDismissal>(&what)) return put->tombstones;
  if (const auto* put = std::get_if<PutBans>(&what)) return put->tombstones;
  if (const auto* put = std::get_if<PutTombstones>(&what)) return put->tombstones;
  return {};
}

Written facts_of(std::span<const WriteRequest> batch) {
  Written facts;
  for (const WriteRequest& request : batch) {
    for (const domain::Event& one : request.events) facts.add(one.at);
    for (const domain::Event& one : request.held_events) facts.add(one.at);
  }
  return facts;
}

}  // namespace

// Each batch takes away some of what is too old by its own times, so that the tables stay as large as what is alive,
// however busy the hour between two purges: what ends with its time before the batch is written, what is kept by number
// after it.  No time of a row lies further ahead of now than kTombstoneMs.
Result<void> Store::State::purge_ahead_of(std::span<const WriteRequest> batch, HistoryRows rows) {
  Written stones;
  for (const WriteRequest& request : batch)
    for (const domain::Tombstone& one : tombstones_of(request.what)) stones.add(one.expires_at);
  if (stones.latest)
    TRY(purge_step(purge_tombstones, unix_us(*stones.latest - kTombstoneKeep),
                   stones.rows * limits::kPurgeRowsPerWrite));
  const Written facts = facts_of(batch);
  if (facts.latest && rows == HistoryRows::Write)
    TRY(history.purge(database, *facts.latest, facts.rows * limits::kPurgeRowsPerWrite));
  return {};
}

Result<void> Store::State::purge_behind(std::span<const WriteRequest> batch) {
  Written records;
  for (const WriteRequest& request : batch)
    if (const auto* put = std::get_if<PutDismissal>(&request.what))
      records.add(put->record.accepted_at);
  if (records.latest)
    TRY(purge_step(purge_dismissals, unix_us(*records.latest - kRecordKeep),
                   records.rows * limits::kPurgeRowsPerWrite));
  const Written facts = facts_of(batch);
  if (facts.latest)
    TRY(events.purge(database, *facts.latest, facts.rows * limits::kPurgeEventsPerWrite));
  return {};
}

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
  Purged purged;
  for (int64_t step = 0; step < limits::kPurgeStepsMax; ++step) {
    Transaction transaction = TRY(Transaction::begin(state_->database));
    purged.is_complete = true;
    Result<void> done = state_->purge_records(now, purged);
    if (done) done = state_->purge_events(now, purged);
    if (done) done = transaction.commit();
    if (!done) {
      state_->forget_derived();
      return std::unexpected(done.error());
    }
    if (purged.is_complete) break;
  }
  return purged;
}

// Adds what one kind lost; as much as it may lose: there may be more.
void count_purged(Purged& purged, uint32_t& sum, uint32_t rows) {
  sum += rows;
  if (rows >= limits::kPurgeRowsPerStep) purged.is_complete = false;
}

Result<void> Store::State::purge_records(Wall now, Purged& purged) {
  const int64_t now_us = unix_us(now), rows = limits::kPurgeRowsPerStep;
  const auto count = [&](uint32_t& sum, uint32_t gone) { count_purged(purged, sum, gone); };
  count(purged.dismissals, TRY(purge_step(purge_dismissals, unix_us(now - kRecordKeep), rows)));
  count(purged.dismissals, TRY(purge_step(trim_dismissals, rows, options.dismissals_max)));
  count(purged.tombstones, TRY(purge_step(purge_tombstones, now_us, rows)));
  count(purged.tombstones, TRY(purge_step(trim_tombstones, rows, limits::kTombstonesMax)));
  count(purged.bans, TRY(purge_step(purge_bans, now_us, rows)));
  const HistoryPurged gone = TRY(history.purge(database, now, rows));
  count(purged.lives, gone.lives);
  count(purged.visits, gone.visits);
  count(purged.bulk_rows, TRY(bulks.purge(database, now, rows)));
  count(purged.calls, TRY(calls.purge(database, now, rows)));
  return {};
}

Result<void> Store::State::purge_events(Wall now, Purged& purged) {
  const int64_t rows = limits::kPurgeRowsPerStep;
  const auto count = [&](uint32_t& sum, uint32_t gone) { count_purged(purged, sum, gone); };
  const DeliveriesPurged gone = TRY(deliveries.purge(database, now, rows));
  count(purged.too_old_deliveries, gone.too_old);
  count(purged.dead_letters, gone.dead_letters);
  count(purged.dropped_deliveries, gone.dropped);
  count(purged.events, TRY(events.purge(database, now, rows)));
  count(purged.audit, static_cast<uint32_t>(TRY(audit.purge(database, now, rows))));
  return {};
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
  if (state_ == nullptr) return not_open();
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
  if (state_ == nullptr) return not_open();
  return state_->history.list_lives(query);
}

Result<domain::VisitorsPage> Store::list_visitors(const domain::HistoryQuery& query, Wall now) {
  if (state_ == nullptr) return not_open();
  return state_->history.list_visitors(query, now);
}

Result<domain::EventsPage> Store::list_events(const domain::EventQuery& query) {
  if (state_ == nullptr) return not_open();
  return state_->events.list(query);
}

Result<std::vector<domain::DeliveryRun>> Store::next_deliveries(const WebhookId& webhook,
                                                                const AppId& after_app,
                                                                const RoomId& after_room) {
  if (state_ == nullptr) return not_open();
  return state_->deliveries.next(webhook, after_app, after_room);
}

Result<std::vector<domain::DeadLetter>> Store::list_dead_letters(const WebhookId& webhook,
                                                                 int64_t after_cursor,
                                                                 size_t limit) {
  if (state_ == nullptr) return not_open();
  return state_->deliveries.list_dead(webhook, after_cursor, limit);
}

Result<std::vector<domain::WebhookBacklog>> Store::backlogs() {
  if (state_ == nullptr) return not_open();
  return state_->deliveries.backlogs();
}

Result<std::vector<domain::Webhook>> Store::load_webhooks() {
  if (state_ == nullptr) return not_open();
  return state_->webhooks.load();
}

Result<std::vector<domain::Schedule>> Store::load_schedules() {
  if (state_ == nullptr) return not_open();
  return state_->schedules.load_schedules();
}

Result<std::vector<domain::RoomPolicy>> Store::load_policies() {
  if (state_ == nullptr) return not_open();
  return state_->schedules.load_policies();
}

Result<std::vector<domain::KeyedCall>> Store::load_calls(Wall now) {
  if (state_ == nullptr) return not_open();
  return state_->calls.load(now);
}

Result<std::optional<domain::BulkPage>> Store::find_bulk(const OperationId& operation,
                                                         size_t offset, size_t limit) {
  if (state_ == nullptr) return not_open();
  return state_->bulks.find(operation, offset, limit);
}

// --- audit ---------------------------------------------------------------------------------------

Result<domain::AuditPage> Store::list_audit(const domain::AuditQuery& query) {
  if (state_ == nullptr) return not_open();
  return state_->audit.list(query);
}

Result<void> Store::keep_audit(Now now, bool is_last) {
  if (needs_reopening_) return read_only();
  return is_last ? state_->audit.checkpoint(now) : state_->audit.committed(now);
}

Result<bool> Store::has_audit() {
  if (state_ == nullptr) return not_open();
  return state_->audit.has_records();
}

Mono Store::next_audit_checkpoint() const {
  return needs_reopening_ ? kNever : state_->audit.next_checkpoint();
}

}  // namespace atrium::store
