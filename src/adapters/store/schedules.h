// Schedules and policies in the store: when lives are to end by themselves.  Owner: Store, within whose transactions it
// writes.  Thread: store.
#pragma once

#include <vector>

#include "adapters/store/sqlite.h"
#include "domain/schedule.h"

namespace atrium::store {

class ScheduleTable {
 public:
  static Result<ScheduleTable> create(Database& database);

  Result<void> put(const domain::Schedule& schedule);
  Result<void> drop(const ScheduleId& id);
  Result<void> put(const domain::RoomPolicy& policy);
  Result<void> drop_policy(const AppId& app, const RoomId& room);

  Result<std::vector<domain::Schedule>> load_schedules();
  Result<std::vector<domain::RoomPolicy>> load_policies();

 private:
  struct Statements {
    Statement put, drop, put_policy, drop_policy, all, all_policies;
  };
  explicit ScheduleTable(Statements statements) : statements_(std::move(statements)) {}

  // owned
  Statements statements_;
};

}  // namespace atrium::store
