// Ring: one direction between two parts of the node, in one thread. An observer sees each value
// as it enters, so that the
// checkers know what was decided without asking.  Owner: World.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "node/ports.h"

namespace atrium::sim {

template <typename T>
class Ring final : public node::Sender<T>, public node::Receiver<T> {
 public:
  Ring(size_t capacity, std::function<void()> wake) : capacity_(capacity), wake_(std::move(wake)) {}
  void observe(std::function<void(const T&)> observer) { observer_ = std::move(observer); }

  bool try_send(T& value) override {
    wake_();
    if (values_.size() >= capacity_) return false;
    if (observer_) observer_(value);
    values_.push_back(std::move(value));
    return true;
  }
  bool try_receive(T& out) override {
    if (values_.empty()) return false;
    out = std::move(values_.front());
    values_.pop_front();
    return true;
  }

 private:
  const size_t capacity_;
  const std::function<void()> wake_;
  std::function<void(const T&)> observer_;
  std::deque<T> values_;
};

}  // namespace atrium::sim
