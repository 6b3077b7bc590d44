// OverflowSender: a ring's sending end that never loses a value because the ring is full (DESIGN: control commands
// are never
// dropped).  What does not fit waits here, in order, up to `bound`; beyond it `send` answers false and the caller
// decides.
// Owner and thread: whoever owns the ring's sending end.
#pragma once

#include <deque>
#include <utility>

#include "node/ports.h"

namespace atrium::node {

template <typename T>
class OverflowSender {
 public:
  OverflowSender(Sender<T>& ring, size_t bound) : ring_(ring), bound_(bound) {}

  // True: the value is on its way, now or after what waits before it.
  bool send(T value) {
    if (flush() && ring_.try_send(value)) return true;
    if (waiting_.size() >= bound_) return false;
    waiting_.push_back(std::move(value));
    return true;
  }
  // True when nothing waits any more.  To be called on each turn.
  bool flush() {
    while (!waiting_.empty()) {
      if (!ring_.try_send(waiting_.front())) return false;
      waiting_.pop_front();
    }
    return true;
  }
  bool is_full() const { return waiting_.size() >= bound_; }  // and the ring, too
  bool is_empty() const { return waiting_.empty(); }
  size_t waiting() const { return waiting_.size(); }
  // Drops what waits and `is_unwanted`; yields how many.
  template <typename Predicate>
  size_t drop_if(Predicate is_unwanted) {
    return std::erase_if(waiting_, is_unwanted);
  }

 private:
  Sender<T>& ring_;
  const size_t bound_;
  std::deque<T> waiting_;
};

}  // namespace atrium::node
