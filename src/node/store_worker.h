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
using StoreRequest = std::variant<store::WriteRequest, FindDismissal, FindBans, PurgeStore>;

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
struct StoreTrouble {
  std::string what;
};  // for the log: a write of tombstones or a purge failed
using StoreReply = std::variant<RecordWritten, DismissalFound, BansFound, StoreTrouble>;

class StoreWorker final : public WorkerHandler {
 public:
  StoreWorker(store::Store store, Receiver<StoreRequest>& requests, Sender<StoreReply>& replies);

  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;

 private:
  void write(std::vector<store::WriteRequest> batch);

  store::Store store_;
  Receiver<StoreRequest>& requests_;
  OverflowSender<StoreReply> replies_;
};

}  // namespace atrium::node
