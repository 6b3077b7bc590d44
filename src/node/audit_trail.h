// AuditTrail: records of the audit that wait for no effect, on their way to the store.  Owner: ControlPlane.
// Thread: control.  Callers whose signature was not good are counted per source and minute instead of recorded.
// Bounded: when is_full(), calls are refused rather than left unrecorded.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "domain/audit.h"
#include "node/overflow_sender.h"
#include "node/store_worker.h"

namespace atrium::node {

class AuditTrail {
 public:
  explicit AuditTrail(OverflowSender<StoreRequest>& to_store, size_t bound = limits::kAuditQueueMax)
      : to_store_(to_store), bound_(bound) {}

  bool is_full() const { return waiting_count_ >= bound_; }
  void note(domain::AuditEntry&& entry);
  // A refusal of somebody who is not known.  `outcome`: the error's code.
  void count_unknown(const IpAddress& source, domain::AuditDoor door, const std::string& outcome,
                     Now now);
  // At the end of each turn.
  void flush(Now now);
  // Before a question: all records that wait.
  void flush_early();
  // Everything, also the running minute's counts: the process ends.
  void flush_all(Now now);
  Mono next_deadline() const;

 private:
  void close_minute(Wall now);

  // given
  OverflowSender<StoreRequest>& to_store_;
  const size_t bound_;
  // owned
  // As the requests will have them; none is empty.
  std::deque<std::vector<domain::AuditEntry>> waiting_;
  size_t waiting_count_ = 0;
  Mono next_flush_{};
  std::map<std::pair<std::string, std::string>, domain::AuditEntry>
      unknown_;  // by source and outcome
  Mono minute_ends_ = kNever;
};

}  // namespace atrium::node
