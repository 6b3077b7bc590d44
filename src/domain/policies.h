// Policies: when the lives of a name end by themselves.  Owner: Core.  Bounded by kPoliciesMax.  Does not: know lives,
// arm timers, persist (policy_desk.cc does).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "domain/schedule.h"

namespace atrium::domain {

// Holds once the store has it; none: the name has no policy any more.
struct PolicyChange {
  AppId app;
  RoomId room;
  std::optional<RoomPolicy> policy;
};

class Policies {
 public:
  using Name = std::pair<AppId, RoomId>;

  const RoomPolicy* find(const Name& name) const;
  void put(RoomPolicy policy);
  void erase(const Name& name);
  // The first point of the wall clock at which something ends, and the name that it is about.
  std::optional<std::pair<Wall, Name>> next_end() const;
  // Puts, or where nothing is left of it erases, the policy without its point in time.
  void use_up_end(const Name& name);

  // Changes whose write is under way.  A change of our own in between is written when they are over, if they fail.
  void begin_write(const Name& name);
  bool is_being_written(const Name& name) const { return writes_.contains(name); }
  void mark_behind(const Name& name);
  // True: the last of them is over and the store has not what is in force.
  bool end_write(const Name& name, bool is_stored);

  // In force, and those that may be.
  size_t size() const { return policies_.size() + writes_.size(); }
  void check_invariants() const;

 private:
  struct Writes {
    uint32_t under_way = 0;
    bool is_behind = false;
  };
  std::map<Name, RoomPolicy> policies_;
  std::map<Name, Writes> writes_;
  std::set<std::pair<Wall, Name>> by_end_;  // derived
};

}  // namespace atrium::domain
