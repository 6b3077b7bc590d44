#include "domain/timers.h"

#include "base/check.h"

namespace atrium::domain {

void Timers::arm(TimerKind kind, const std::string& id, Mono at) {
  cancel(kind, id);
  if (at == kNever) return;
  Key key{kind, id};
  queue_.emplace(at, key);
  deadlines_.emplace(std::move(key), at);
}

void Timers::cancel(TimerKind kind, const std::string& id) {
  auto found = deadlines_.find(Key{kind, id});
  if (found == deadlines_.end()) return;
  queue_.erase({found->second, found->first});
  deadlines_.erase(found);
}

std::optional<Timers::Key> Timers::pop_due(Mono now) {
  if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
  Key key = queue_.begin()->second;
  queue_.erase(queue_.begin());
  deadlines_.erase(key);
  return key;
}

std::optional<Mono> Timers::deadline(TimerKind kind, const std::string& id) const {
  auto found = deadlines_.find(Key{kind, id});
  if (found == deadlines_.end()) return std::nullopt;
  return found->second;
}

void Timers::check_invariants() const {
  CHECK(deadlines_.size() == queue_.size());
  for (const auto& [key, at] : deadlines_) CHECK(queue_.contains({at, key}));
}

}  // namespace atrium::domain
