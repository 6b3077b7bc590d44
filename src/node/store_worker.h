// StoreWorker: the store thread's handler.  What arrived together is written together (group commit), then read
// questions are
// answered.  Owner: apps (or sim).  Thread: store.
#pragma once

#include <variant>
#include <vector>

#include "adapters/store/store.h"
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
using StoreReply = std::variant<RecordWritten, DismissalFound, BansFound, LivesFound, VisitorsFound,
                                HistoryWritten, StoreTrouble>;

class StoreWorker final : public WorkerHandler {
 public:
  StoreWorker(store::Store store, Receiver<StoreRequest>& requests, Sender<StoreReply>& replies);

  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;

 private:
  void write(std::vector<store::WriteRequest> batch);
  void save_from_history(const std::vector<store::WriteRequest>& batch,
                         std::vector<Result<void>>& results);
  void answer(const FindDismissal& question, Now now);
  void answer(const FindBans& question, Now now);
  void answer(const FindLives& question, Now now);
  void answer(const FindVisitors& question, Now now);
  void answer(const PurgeStore& order, Now now);

  store::Store store_;
  Receiver<StoreRequest>& requests_;
  OverflowSender<StoreReply> replies_;
};

}  // namespace atrium::node
