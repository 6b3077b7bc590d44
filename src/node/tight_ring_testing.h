// TightRing: a ring between fakes, of which the test says how many values it holds.  Test code only.
#pragma once

#include <deque>
#include <utility>

#include "node/ports.h"

namespace atrium::node::testing {

template <typename T>
class TightRing final : public Sender<T>, public Receiver<T> {
 public:
  bool try_send(T& value) override {
    if (values.size() >= room) return false;
    values.push_back(std::move(value));
    return true;
  }
  bool try_receive(T& out) override {
    if (values.empty()) return false;
    out = std::move(values.front());
    values.pop_front();
    return true;
  }
  std::deque<T> values;
  size_t room = 1'000;
};

}  // namespace atrium::node::testing
