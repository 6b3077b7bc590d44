// StoreWorker: the store thread's handler.  What arrived together is written together (group commit), then read
// questions are answered.  Keeps an eye on the disk: gives the reserve up for what must not be lost, and opens the
// store anew after a sync failed.  Owner: apps (or sim).  Thread: store.
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
using StoreRequest =
    std::variant<store::WriteRequest, FindDismissal, FindBans, FindLives, FindVisitors, PurgeStore>;

// Of a dismissal, or of a change of ban rules or of an application.
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
struct HistoryWritten {
  size_t facts = 0;
  bool ok = false;
  std::string why = {};  // not ok: the store's words
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
};
using StoreReply = std::variant<RecordWritten, DismissalFound, BansFound, LivesFound, VisitorsFound,
                                HistoryWritten, StoreTrouble, StoreHealth>;

class StoreWorker final : public WorkerHandler {
 public:
  // disk: none where nobody looks at it; outlives the worker.
  StoreWorker(store::Store store, Receiver<StoreRequest>& requests, Sender<StoreReply>& replies,
              DiskPort* disk = nullptr, DiskGuardOptions guard = {});

  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;

 private:
  void write(std::vector<store::WriteRequest> batch, Now now);
  void refuse_history(std::vector<store::WriteRequest>& batch);
  std::vector<Result<void>> write_or_give_up_reserve(std::span<const store::WriteRequest> batch);
  void repeat_without_history(std::span<const store::WriteRequest> batch,
                              std::vector<Result<void>>& results);
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
  void answer(const PurgeStore& order, Now now);

  // given
  Receiver<StoreRequest>& requests_;
  DiskPort* const disk_;
  // owned
  store::Store store_;
  OverflowSender<StoreReply> replies_;
  DiskGuard guard_;
  StoreHealth health_;
  Mono next_look_{}, next_reopen_{};
};

}  // namespace atrium::node
