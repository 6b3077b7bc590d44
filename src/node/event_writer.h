// EventWriter: the registry's events on their way to the store.  Owner: ControlPlane.  Thread: control.
// What clients cause waits at most kFlushEvery and goes in one request; what a management call causes goes with the
// write of its effect, behind everything that waits, so that the store has each room's events in their order.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/limits.h"
#include "base/time.h"
#include "domain/event.h"
#include "node/overflow_sender.h"
#include "node/store_worker.h"

namespace atrium::node {

struct EventCounters {
  uint64_t written = 0;
  uint64_t lost = 0;     // the store was too far behind for too long
  uint64_t waiting = 0;  // now
};

class EventWriter {
 public:
  // How many may wait; a test gives fewer.
  explicit EventWriter(OverflowSender<StoreRequest>& to_store,
                       size_t bound = limits::kEventQueueMax)
      : to_store_(to_store), bound_(bound) {}

  void note(domain::Event event);
  // Puts what waits, and then `own`, into a write that is about to be sent.
  void take_along(store::WriteRequest& write, std::vector<domain::Event> own);
  // At the end of each turn: sends what waits, unless something went less than kFlushEvery ago.
  void flush(Mono now);
  // Before a question or the end: all that waits goes ahead.
  void flush_early(Mono now);
  void on_written(const EventsWritten& written);

  Mono next_deadline() const { return waiting_.empty() ? kNever : next_flush_; }
  EventCounters counters() const;

 private:
  bool send(size_t count);

  // given
  OverflowSender<StoreRequest>& to_store_;
  const size_t bound_;
  // owned
  std::deque<domain::Event> waiting_;
  EventCounters counters_;
  Mono next_flush_{};
  bool is_failing_ = false;
};

}  // namespace atrium::node
