// Bulk dismissals: many lives ended by one call.  Which ones is settled when the call is accepted; each has its turn at
// a steady pace, and is spared when its life is over by then, so that a later life of the name is never touched.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "domain/bulk_run.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

constexpr uint32_t kStepsPerSecond = 10;

// Dismissals of one step, and the time to the next: together `per_second` a second.  A late step is not made up for.
size_t step_size(uint32_t per_second) {
  return (per_second + kStepsPerSecond - 1) / kStepsPerSecond;
}
Duration step_interval(uint32_t per_second) {
  return Duration(std::chrono::seconds(1)) * static_cast<int64_t>(step_size(per_second)) /
         per_second;
}

bool is_meant(const Room& room, const BulkFilter& filter, Wall now) {
  if (filter.older_than && now - room.created_at() < *filter.older_than) return false;
  return !filter.users_at_most || room.participants.size() <= *filter.users_at_most;
}

bool has_prefix(const RoomId& room, const BulkFilter& filter) {
  return room.value.starts_with(filter.prefix);
}

void select_listed(const Core& core, const AppId& app, const BulkFilter& filter, Wall now,
                   size_t limit, std::vector<BulkItem>& out) {
  std::set<RoomId> seen;
  for (const RoomId& name : *filter.rooms) {
    if (out.size() == limit) return;
    if (!has_prefix(name, filter) || !seen.insert(name).second) continue;
    const auto current = core.current.find({app, name});
    if (current == core.current.end()) {
      out.push_back({name, RoomSid()});
    } else if (is_meant(core.lives.at(current->second), filter, now)) {
      out.push_back({name, current->second});
    }
  }
}

void put_head(Core& core, const BulkDismissal& bulk) {
  PersistBulk write{bulk};
  write.bulk.items.clear();
  core.out.put(std::move(write));
}

bool is_over(const BulkRun& run) {
  return run.is_stored && run.running.empty() && run.next == run.bulk.items.size();
}

void finish_if_over(Core& core, const OperationId& id) {
  const auto found = core.bulks.find(id);
  if (!is_over(found->second)) return;
  found->second.bulk.finished_at = core.now.wall;
  put_head(core, found->second.bulk);
  core.bulks.erase(found);
}

DismissRoom command_of(const BulkDismissal& bulk, const BulkItem& item) {
  return {.waiter = {},
          .app = bulk.app,
          .room = item.room,
          .operator_id = bulk.operator_id,
          .request_id = bulk.request_id,
          .reason = bulk.reason};
}

// Yields whether a dismissal was begun.
bool take_turn(Core& core, BulkRun& run, const BulkItem& item) {
  Room* room = core.find_life(item.room_sid);
  if (room == nullptr || room->phase == LifePhase::Closing) return false;
  const bool is_begun_here = room->phase == LifePhase::Active;
  run.running.insert(is_begun_here ? start_dismissal(core, *room, command_of(run.bulk, item),
                                                     ClientCode::RoomDismiss, {})
                                   : room->operation);
  return is_begun_here;
}

}  // namespace

std::vector<BulkItem> select_lives(const Core& core, const AppId& app, const BulkFilter& filter,
                                   Wall now, size_t limit) {
  std::vector<BulkItem> out;
  if (filter.rooms) {
    select_listed(core, app, filter, now, limit, out);
    return out;
  }
  for (auto at = core.current.lower_bound({app, RoomId(filter.prefix)});
       at != core.current.end() && at->first.app == app && has_prefix(at->first.room, filter) &&
       out.size() < limit;
       ++at)
    if (is_meant(core.lives.at(at->second), filter, now))
      out.push_back({at->first.room, at->second});
  return out;
}

void on(Core& core, const DismissRooms& command) {
  constexpr auto kMost = static_cast<size_t>(limits::kBulkRoomsMax);
  CHECK(command.per_second > 0);
  if (core.bulks.size() >= static_cast<size_t>(limits::kBulkRunningMax))
    return reply(core, command.waiter, ActionOutcome::TooMany);
  std::vector<BulkItem> items =
      select_lives(core, command.app, command.filter, core.now.wall, kMost + 1);
  if (items.size() > kMost) return reply(core, command.waiter, ActionOutcome::TooMany);
  const OperationId id = start_action(core, command.waiter).id;
  BulkRun& run = core.bulks[id];
  run.bulk = {.operation = id,
              .app = command.app,
              .operator_id = command.origin.operator_id,
              .request_id = command.origin.request_id,
              .reason = command.origin.reason,
              .accepted_at = core.now.wall,
              .per_second = command.per_second,
              .items = std::move(items)};
  core.actions.at(id).bulk = run.bulk;
  core.out.put(PersistBulk{run.bulk});
}

void on_bulk_stored(Core& core, const OperationId& operation, bool is_ok) {
  const auto found = core.bulks.find(operation);
  if (!is_ok) {
    core.bulks.erase(found);
    return;
  }
  found->second.is_stored = true;
  on_bulk_step(core, operation.value);
}

void on_bulk_step(Core& core, const std::string& operation) {
  const OperationId id(operation);
  BulkRun& run = core.bulks.at(id);
  const std::vector<BulkItem>& items = run.bulk.items;
  for (size_t left = step_size(run.bulk.per_second); left > 0 && run.next < items.size();)
    if (take_turn(core, run, items[run.next++])) --left;
  if (run.next < items.size())
    core.timers.arm(TimerKind::BulkStep, operation,
                    core.now.mono + step_interval(run.bulk.per_second));
  finish_if_over(core, id);
}

void on_bulk_dismissal_over(Core& core, const OperationId& dismissal) {
  std::vector<OperationId> concerned;
  for (auto& [id, run] : core.bulks)
    if (run.running.erase(dismissal) > 0) concerned.push_back(id);
  for (const OperationId& id : concerned) finish_if_over(core, id);
}

}  // namespace atrium::domain
