// Store: what must survive a restart, in one SQLite file: dismissals, tombstones, ban rules, apps, history, events and
// where they are told, schedules, keyed calls, audit.  WAL, synchronous=FULL: what was answered as written is on the
// disk.  Owner: node/store_worker.h.  Thread: the store thread alone; every call blocks on the disk.  Does not: decide
// anything, read a clock, start a thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/store/apps.h"
#include "adapters/store/audit.h"
#include "adapters/store/events.h"
#include "adapters/store/history.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/audit.h"
#include "domain/bulk.h"
#include "domain/event.h"
#include "domain/keyed_call.h"
#include "domain/schedule.h"
#include "domain/types.h"
#include "domain/webhook.h"

namespace atrium::store {

struct WalMark;

struct StoreOptions {
  // Crash tests stop the process in here: "before_commit" (all statements done) and "after_commit" of each batch
  // that is not of history alone.
  std::function<void(std::string_view point)> at_point = {};
  // A planted fault: dismissals and their tombstones are reported as written and are not.
  bool drop_dismissal_writes = false;
  // For AppKeys.
  Sealing sealing = {};
  // Most pages (4 KiB) that the file may grow to; writes beyond it fail as on a full disk.  0 = no bound.
  int64_t pages_max = 0;
  int64_t dismissals_max = limits::kDismissalRowsMax;
  HistoryBounds history = {};
  EventBounds events = {};
  AuditOptions audit = {};
  // The SQLite VFS that the file is reached through, by name (vfs_fault.h); empty: SQLite's own.
  std::string vfs = {};
};

// The record and its tombstones in one transaction.  An operation that is there already is overwritten whole;
// tombstones written before stay, but for those of the participants that were told since.
struct PutDismissal {
  domain::DismissalRecord record;
  std::vector<domain::Tombstone> tombstones;
  std::vector<ParticipantSid> told = {};
  std::vector<domain::BanRule> bans = {};
};
// In one transaction: rules that replace those of the same id, rules that are dropped, and tombstones.
struct PutBans {
  OperationId operation;
  std::vector<domain::BanRule> put = {};
  std::vector<BanId> drop = {};
  std::vector<domain::Tombstone> tombstones = {};
};
struct PutTombstones {
  std::vector<domain::Tombstone> tombstones;
};
// The whole application; a new one fails when one of its id or API keys is there.
struct PutApp {
  OperationId operation;
  domain::App app;
  bool is_new = false;
};
struct PutSchedules {
  OperationId operation;
  std::vector<domain::Schedule> put = {};
  std::vector<ScheduleId> drop = {};
};
struct PutPolicy {
  OperationId operation;
  AppId app;
  RoomId room;
  std::optional<domain::RoomPolicy> policy = {};  // none: it is dropped
};
struct PutWebhook {
  OperationId operation;
  domain::Webhook webhook;
  bool is_dropped = false;  // with everything that waits for it
};
// The rooms are those of the first write; later ones change the rest alone.
struct PutBulk {
  domain::BulkDismissal bulk;
};
// What became of deliveries; of those that are not known any more nothing is written.
struct PutDeliveries {
  std::vector<domain::DeliveryOutcome> outcomes;
};
// Dead letters wait again, with their ids and sequences; one of them, or where `event` is empty the oldest of the
// webhook, at most kDeadLettersPageMax: written again and again it takes them all.
struct Redrive {
  OperationId operation;
  WebhookId webhook;
  EventId event = {};
};

// What is written together: a change, and everything that must be true exactly when it is.  Only events: at most
// kEventBatchMax, in the order in which they happened.
struct WriteRequest {
  using What = std::variant<std::monostate, PutDismissal, PutBans, PutTombstones, PutApp,
                            PutSchedules, PutPolicy, PutWebhook, PutBulk, PutDeliveries, Redrive>;
  What what = {};
  // Go to the outbox of every webhook that wants them, and to history.  One that is there already (by its id) is passed
  // over.
  std::vector<domain::Event> events = {};
  OperationId hold =
      {};  // these of the events are told after `release` of the same operation, or after a restart
  std::vector<domain::Event> held_events = {};
  OperationId release = {};
  std::vector<domain::AuditEntry> audit = {};
  std::vector<domain::KeyedCall> calls = {};  // replaces the row of the same key
  std::optional<WaiterId> call = {};          // who waits for it; not the store's

  WriteRequest() = default;
  template <typename T>
  requires std::constructible_from<What, T> WriteRequest(T&& change)
      : what(std::forward<T>(change)) {}  // NOLINT: a change alone is a request
};
inline WriteRequest of_events(std::vector<domain::Event> events) {
  WriteRequest request;
  request.events = std::move(events);
  return request;
}

// What it carries must be written once, whatever becomes of its change.
inline bool has_to_be_kept(const WriteRequest& request) {
  return !request.events.empty() || !request.held_events.empty() || !request.release.empty() ||
         !request.audit.empty();
}

struct Purged {
  uint32_t dismissals = 0;
  uint32_t tombstones = 0;
  uint32_t bans = 0;
  uint32_t lives = 0, visits = 0;
  uint32_t events = 0, dead_letters = 0, calls = 0, audit = 0;
  uint32_t too_old_deliveries = 0;  // became dead letters
  uint32_t dropped_deliveries = 0;  // and dead letters, of webhooks that are gone
  uint32_t bulk_rows = 0;
  bool is_complete = true;  // false: the bound was met, call again
};

class Store {
 public:
  // Makes the file where there is none (its folder must exist), brings its schema up to date, marks as
  // Interrupted what was Running, releases events that are held, ends the lives and visits that are open by events and
  // in history, and purges.  Where there is no room for the ends they are written before anything else.  Unsupported:
  // written by a newer version, or a database of another program.  Unavailable: the disk refused.
  static Result<Store> open(const std::string& path, StoreOptions options, Now now);
  Store(Store&& other) noexcept;
  Store& operator=(Store&& other) noexcept;
  ~Store();

  // Group commit: one transaction and one flush for the whole batch, one result per request.  A request that
  // fails is undone alone; what comes behind one that fails and has_to_be_kept() is not tried and fails too, so that
  // the caller can keep its events in their place.  When the disk fails, all of the batch are undone and fail, and the
  // store stays usable, unless it was a sync that failed: see needs_reopening(). History::Leave: rows of history are
  // not written, for want of room.
  enum class HistoryRows : uint8_t { Write, Leave };
  std::vector<Result<void>> apply_batch(std::span<const WriteRequest> batch,
                                        HistoryRows history = HistoryRows::Write);

  // A sync failed: what SQLite and the kernel remember of the file cannot be trusted any more.  All writes are
  // refused with Unavailable until reopen() succeeded.
  bool needs_reopening() const { return needs_reopening_; }
  // Closes the file, throws away what was not confirmed, opens it anew and checks it.  Errors: it stays closed, reads
  // and writes are refused, and it may be tried again.
  Result<void> reopen();
  // How the copying of the log into the file ended, which is tried after writes when the log is long.
  const Result<void>& last_checkpoint() const { return last_checkpoint_; }
  void checkpoint();

  // After writes, and at next_audit_checkpoint(): see AuditLog::committed(), or at the end of the process checkpoint().
  Result<void> keep_audit(Now now, bool is_last = false);
  Mono next_audit_checkpoint() const;
  Result<bool> has_audit();  // any record

  // Deletes records older than kRecordKeepDays, expired tombstones and rules, lives and visits that ended before
  // kHistoryKeepDays, events, dead letters, calls and audit records that are too old, and the oldest records,
  // tombstones, lives, visits and events beyond what their tables may hold.  A delivery that waited kEventKeepDays
  // becomes a dead letter.  At most kPurgeStepsMax transactions of kPurgeRowsPerStep rows of each kind.
  Result<Purged> purge(Wall now);

  Result<std::optional<domain::DismissalRecord>> find_dismissal(const OperationId& operation);
  // Latest accepted first; at most kDismissalsListMax, whatever `limit` says.  An empty room: all rooms of the
  // application.
  Result<std::vector<domain::DismissalRecord>> list_dismissals(const AppId& app, const RoomId& room,
                                                               size_t limit);
  // Those that expire after `now`, last to expire first, at most kTombstonesMax.
  Result<std::vector<domain::Tombstone>> load_tombstones(Wall now);
  // Rules that expire after `now`, by id, those after `after` (empty: from the start), at most `limit`; of one
  // application, or where `app` is empty of all.
  Result<std::vector<domain::BanRule>> list_bans(const AppId& app, const BanId& after, size_t limit,
                                                 Wall now);
  // All of them.  Malformed: the sealing key is not the one that they were written with.
  Result<std::vector<domain::App>> load_apps();
  Result<domain::EventsPage> list_events(const domain::EventQuery& query);
  // The first deliveries that wait for this webhook, of at most kWebhookRoomsPerFetch rooms that come behind
  // (app, room) in their order; at most kWebhookRunMax of each.  Held events and what comes after them do not wait yet.
  Result<std::vector<domain::DeliveryRun>> next_deliveries(const WebhookId& webhook,
                                                           const AppId& after_app,
                                                           const RoomId& after_room);
  Result<std::vector<domain::DeadLetter>> list_dead_letters(const WebhookId& webhook,
                                                            int64_t after_cursor, size_t limit);
  Result<std::vector<domain::WebhookBacklog>> backlogs();
  Result<std::vector<domain::Webhook>> load_webhooks();
  Result<std::vector<domain::Schedule>> load_schedules();
  Result<std::vector<domain::RoomPolicy>> load_policies();
  // Newest last; those of the last kCallKeyKeepHours, at most kCallKeysMax.
  Result<std::vector<domain::KeyedCall>> load_calls(Wall now);
  // None: not known.  `limit` at most kBulkPageMax.
  Result<std::optional<domain::BulkPage>> find_bulk(const OperationId& operation, size_t offset,
                                                    size_t limit);
  Result<domain::AuditPage> list_audit(const domain::AuditQuery& query);
  Result<domain::LivesPage> list_lives(const domain::HistoryQuery& query);
  Result<domain::VisitorsPage> list_visitors(const domain::HistoryQuery& query, Wall now);

 private:
  struct State;
  Store(std::string path, StoreOptions options);
  void note(const Error& error);
  Result<void> end_former();
  // What a failure undoes.  To undo one request alone SQLite keeps a copy of each page that the request changes, in a
  // file when they are many: a batch is written without, and once more with it when one of its requests fails.
  enum class Undo : uint8_t { Batch, Request };
  Result<std::vector<Result<void>>> write_batch(std::span<const WriteRequest> batch,
                                                HistoryRows history, Undo undo);
  std::vector<Result<void>> write_all(std::span<const WriteRequest> batch, HistoryRows history,
                                      Undo undo);
  Result<Purged> purge_rows(Wall now);

  // given
  std::string path_;
  StoreOptions options_;
  // owned; none: a reopen() failed
  std::unique_ptr<State> state_;
  // derived
  bool needs_reopening_ = false;
  std::optional<Wall>
      former_ends_at_;  // the ends of what a former process left open are not written yet
  std::unique_ptr<WalMark> confirmed_;  // while it is closed; none: not known
  Result<void> last_checkpoint_;
};

}  // namespace atrium::store
