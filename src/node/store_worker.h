// StoreWorker: the store thread's handler.  What arrived together is written together (group commit), then read
// questions are answered.  Keeps an eye on the disk: gives the reserve up for what must not be lost, and opens the
// store anew after a sync failed.  Events and audit records of a write that failed are kept and written first when the
// store takes writes again: each room's events reach the store in their order, or are counted as lost.  Owner: apps (or
// sim).  Thread: store.
#pragma once

#include <variant>
#include <vector>

#include "adapters/store/store.h"
#include "node/disk_guard.h"
#include "node/overflow_sender.h"
#include "node/ports.h"

namespace atrium::node {

struct PurgeStore {};
struct FindDismissal {
  WaiterId waiter;
  OperationId operation;
};
struct FindBans {
  WaiterId waiter;
  AppId app;
  BanId after;
  size_t limit = 0;
};
struct FindLives {
  WaiterId waiter;
  domain::HistoryQuery query;
};
struct FindVisitors {
  WaiterId waiter;
  domain::HistoryQuery query;
};
struct FindEvents {
  WaiterId waiter;
  domain::EventQuery query;
};
struct FindAudit {
  WaiterId waiter;
  domain::AuditQuery query;
};
struct FindBulk {
  WaiterId waiter;
  OperationId operation;
  size_t offset = 0, limit = 0;
};
struct FindDeadLetters {
  WaiterId waiter;
  WebhookId webhook;
  int64_t after_cursor = 0;
  size_t limit = 0;
};
struct FindBacklogs {
  WaiterId waiter;
};
// The first deliveries of rooms behind this one (Store::next_deliveries).
struct FindDeliveries {
  WebhookId webhook;
  AppId after_app;
  RoomId after_room;
};
using StoreRequest =
    std::variant<store::WriteRequest, FindDismissal, FindBans, FindLives, FindVisitors, FindEvents,
                 FindAudit, FindBulk, FindDeadLetters, FindBacklogs, FindDeliveries, PurgeStore>;

// Of a write that has an operation.
struct RecordWritten {
  OperationId operation;
  bool ok = false;
};
struct DismissalFound {
  WaiterId waiter;
  bool ok = false;  // false: the store could not be read
  std::optional<domain::DismissalRecord> record;
};
struct BansFound {
  WaiterId waiter;
  bool ok = false;
  std::vector<domain::BanRule> rules;
};
struct LivesFound {
  WaiterId waiter;
  std::optional<domain::LivesPage> page;  // none: the store could not be read
};
struct VisitorsFound {
  WaiterId waiter;
  std::optional<domain::VisitorsPage> page;
};
struct EventsFound {
  WaiterId waiter;
  std::optional<domain::EventsPage> page;
};
struct AuditFound {
  WaiterId waiter;
  std::optional<domain::AuditPage> page;
};
struct BulkFound {
  WaiterId waiter;
  bool ok = false;
  std::optional<domain::BulkPage> page;  // ok and none: no such operation
};
struct DeadLettersFound {
  WaiterId waiter;
  bool ok = false;
  std::vector<domain::DeadLetter> letters;
};
struct BacklogsFound {
  WaiterId waiter;
  bool ok = false;
  std::vector<domain::WebhookBacklog> backlogs;
};
struct DeliveriesFound {
  WebhookId webhook;
  bool ok = false;
  std::vector<domain::DeliveryRun> runs;
};
// Of writes with events.  Not ok: they wait here and are written before anything that comes later.
struct EventsWritten {
  size_t events = 0;
  bool ok = false;
  std::string why = {};  // not ok: the store's words
};
// Of a write with a call.
struct CallWritten {
  WaiterId waiter;
  bool ok = false;
};
struct StoreTrouble {
  std::string what;
};  // for the log: a write of tombstones or a purge failed
// How the store and its disk are; sent at every look at the disk, and at once when it got worse.
struct StoreHealth {
  DiskState disk = DiskState::Well;
  bool is_read_only = false;  // a sync failed, and the store could not be opened anew yet
  uint64_t free_bytes = 0, reserve_bytes = 0;
  // since the start
  uint64_t full_writes = 0, reserve_releases = 0, failed_syncs = 0, reopenings = 0;
  uint64_t waiting = 0;  // events and audit records that a failed write left to be written
  uint64_t lost = 0;     // of them, since there were too many
};
using StoreReply =
    std::variant<RecordWritten, DismissalFound, BansFound, LivesFound, VisitorsFound, EventsFound,
                 AuditFound, BulkFound, DeadLettersFound, BacklogsFound, DeliveriesFound,
                 EventsWritten, CallWritten, StoreTrouble, StoreHealth>;

class StoreWorker final : public WorkerHandler {
 public:
  // disk: none where nobody looks at it; outlives the worker.
  StoreWorker(store::Store store, Receiver<StoreRequest>& requests, Sender<StoreReply>& replies,
              DiskPort* disk = nullptr, DiskGuardOptions guard = {});

  ~StoreWorker() override;  // the last checkpoint of the audit

  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;

 private:
  void write(std::vector<store::WriteRequest> batch, Now now);
  size_t write_some(std::span<store::WriteRequest> batch);
  std::vector<Result<void>> write_or_give_up_reserve(std::span<const store::WriteRequest> batch);
  void repeat(std::span<const store::WriteRequest> batch, std::vector<Result<void>>& results);
  void report(const store::WriteRequest& request, const Result<void>& result);
  bool goes_on(const store::WriteRequest& request);
  void keep_for_later(const store::WriteRequest& request);
  void keep_audit_checkpoint(Now now);
  void purge(Now now);
  bool give_up_reserve();
  void keep_checkpoint();
  void look_at_disk();
  void watch(Now now);
  void note_failed_sync(Now now);
  void reopen(Now now);
  void answer(const FindDismissal& question, Now now);
  void answer(const FindBans& question, Now now);
  void answer(const FindLives& question, Now now);
  void answer(const FindVisitors& question, Now now);
  void answer(const FindEvents& question, Now now);
  void answer(const FindAudit& question, Now now);
  void answer(const FindBulk& question, Now now);
  void answer(const FindDeadLetters& question, Now now);
  void answer(const FindBacklogs& question, Now now);
  void answer(const FindDeliveries& question, Now now);
  void answer(const PurgeStore& order, Now now);

  // given
  Receiver<StoreRequest>& requests_;
  DiskPort* const disk_;
  // owned
  store::Store store_;
  OverflowSender<StoreReply> replies_;
  DiskGuard guard_;
  StoreHealth health_;
  Mono next_look_{}, next_reopen_{}, next_retry_ = kNever;
  Now last_;  // when it was last awake
  // Facts of writes that failed, in their order: what happened is told and recorded, though its effect may not hold.
  std::vector<store::WriteRequest> kept_;
  // Redrives of all dead letters whose next step is due, one a turn; answered with the last.  At most kApiWaitingMax.
  std::vector<store::WriteRequest> redrives_;
};

}  // namespace atrium::node
