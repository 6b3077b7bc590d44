#include "domain/policies.h"

#include "base/check.h"

namespace atrium::domain {

const RoomPolicy* Policies::find(const Name& name) const {
  const auto found = policies_.find(name);
  return found == policies_.end() ? nullptr : &found->second;
}

void Policies::put(RoomPolicy policy) {
  Name name(policy.app, policy.room);
  erase(name);
  if (policy.end_at) by_end_.emplace(*policy.end_at, name);
  policies_.emplace(std::move(name), std::move(policy));
}

void Policies::erase(const Name& name) {
  const auto found = policies_.find(name);
  if (found == policies_.end()) return;
  if (found->second.end_at) by_end_.erase({*found->second.end_at, name});
  policies_.erase(found);
}

std::optional<std::pair<Wall, Policies::Name>> Policies::next_end() const {
  if (by_end_.empty()) return std::nullopt;
  return *by_end_.begin();
}

void Policies::use_up_end(const Name& name) {
  RoomPolicy rest = policies_.at(name);
  rest.end_at.reset();
  if (rest.max_duration || rest.idle || rest.without_host)
    put(std::move(rest));
  else
    erase(name);
}

void Policies::begin_write(const Name& name) {
  ++writes_[name].under_way;
}

void Policies::mark_behind(const Name& name) {
  writes_.at(name).is_behind = true;
}

bool Policies::end_write(const Name& name, bool is_stored) {
  const auto found = writes_.find(name);
  Writes& writes = found->second;
  if (is_stored) writes.is_behind = false;
  if (--writes.under_way > 0) return false;
  const bool is_behind = writes.is_behind;
  writes_.erase(found);
  return is_behind;
}

void Policies::check_invariants() const {
  size_t ends = 0;
  for (const auto& [name, policy] : policies_) {
    CHECK(name == Name(policy.app, policy.room));
    if (policy.end_at) CHECK(by_end_.contains({*policy.end_at, name}));
    ends += policy.end_at ? 1 : 0;
  }
  CHECK(ends == by_end_.size());
  for (const auto& [name, writes] : writes_) CHECK(writes.under_way > 0);
}

}  // namespace atrium::domain
