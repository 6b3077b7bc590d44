// HistoryWriter: the registry's events on their way to the store's history.  Owner: ControlPlane.  Thread: control.
// One request is with the store at a time, so that a dismissal's record never waits behind more than that one, however
// slow the disk; meanwhile facts wait here, bounded.  What does not fit, what the store could not write and what came
// while paused is lost and counted: history has gaps rather than hold anything up.
#pragma once

#include <cstdint>
#include <deque>

#include "domain/event.h"
#include "node/overflow_sender.h"
#include "node/store_worker.h"

namespace atrium::node {

struct HistoryCounters {
  uint64_t written = 0;
  uint64_t lost_to_full_queue = 0, lost_to_store = 0, lost_to_pause = 0;
  uint64_t waiting = 0;  // now
};

class HistoryWriter {
 public:
  // The facts that may wait; a test gives fewer.
  explicit HistoryWriter(OverflowSender<StoreRequest>& to_store,
                         size_t bound = limits::kHistoryQueueMax)
      : to_store_(to_store), bound_(bound) {}

  void note(const domain::Event& event);
  // At the end of each turn: sends what waits, unless a request is under way or the last one went less than
  // kFlushEvery ago.
  void flush(Mono now);
  // Before a question: what waits goes ahead of it if it can.
  void flush_early(Mono now);
  void on_written(const HistoryWritten& written);
  // True: the disk is nearly full; what waits and what comes is lost until false.
  void pause(bool is_paused);

  Mono next_deadline() const;  // kNever when nothing waits for a time
  HistoryCounters counters() const;

 private:
  // given
  OverflowSender<StoreRequest>& to_store_;
  const size_t bound_;
  // owned
  std::deque<domain::Event> waiting_;
  HistoryCounters counters_;
  Mono next_flush_{};
  bool is_under_way_ = false, is_paused_ = false, is_failing_ = false;
};

}  // namespace atrium::node
