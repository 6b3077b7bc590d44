#include "domain/core.h"

#include "base/check.h"
#include "base/limits.h"

namespace atrium::domain {

Room* Core::find_life(const RoomSid& room_sid) {
  auto found = lives.find(room_sid);
  return found == lives.end() ? nullptr : &found->second;
}

Room* Core::find_current(const RoomName& name) {
  auto found = current.find(name);
  return found == current.end() ? nullptr : find_life(found->second);
}

Room* Core::find_home(const ParticipantSid& participant) {
  auto found = homes.find(participant);
  return found == homes.end() ? nullptr : find_life(found->second);
}

Dismissal* Core::find_dismissal(const Room& room) {
  auto found = operations.find(room.operation);
  return found == operations.end() ? nullptr : &found->second;
}

Core::Present Core::find_present(const ParticipantSid& participant) {
  Room* room = find_home(participant);
  if (room == nullptr || room->phase != LifePhase::Active) return {};
  Participant* found = room->find(participant);
  if (found == nullptr) return {};
  return {room, found};
}

std::vector<Core::Seat> Core::seats_of(const AppId& app, const std::optional<RoomId>& room,
                                       const UserId& user) const {
  std::vector<Seat> seats;
  const auto found = present.find({app, user});
  if (found == present.end()) return seats;
  for (const RoomSid& sid : found->second) {
    const Room& life = lives.at(sid);
    if (!room || life.name().room == *room) seats.emplace_back(sid, life.users.at(user));
  }
  return seats;
}

void Core::leave_presence(const Room& room, const UserId& user) {
  auto found = present.find({room.name().app, user});
  if (found == present.end()) return;
  found->second.erase(room.sid());
  if (found->second.empty()) present.erase(found);
}

Mono deadline_of(Wall expiry, Now now) {
  if (expiry == Wall::max()) return kNever;
  if (expiry <= now.wall) return now.mono;
  const Duration left = expiry - now.wall;
  return left >= kNever - now.mono ? kNever : now.mono + left;
}

namespace {

void check_indexes(const Core& core) {
  size_t people = 0;
  for (const auto& [sid, room] : core.lives) {
    CHECK(sid == room.sid());
    room.check_invariants();
    people += room.participants.size() + room.departures.size();
    for (const auto& [participant, unused] : room.participants)
      CHECK(core.homes.at(participant) == sid);
    for (const auto& [participant, unused] : room.departures)
      CHECK(core.homes.at(participant) == sid);
    auto current = core.current.find(room.name());
    const bool is_current = current != core.current.end() && current->second == sid;
    CHECK(is_current == (room.phase == LifePhase::Active));
    if (room.phase == LifePhase::Dismissing) CHECK(core.operations.contains(room.operation));
    if (room.phase == LifePhase::Active && room.participants.empty())
      CHECK(core.timers.is_armed(TimerKind::RoomEmpty, sid.value));
  }
  CHECK(people == core.homes.size());
  size_t seats = 0, seats_indexed = 0;
  for (const auto& [name, sid] : core.current) seats += core.lives.at(sid).users.size();
  for (const auto& [who, lives] : core.present)
    for (const RoomSid& sid : lives) {
      CHECK(core.lives.at(sid).users.contains(who.second));
      ++seats_indexed;
    }
  CHECK(seats == seats_indexed);
  CHECK(core.lives.size() <= static_cast<size_t>(limits::kRoomsMax));
  for (const auto& [name, sid] : core.current) CHECK(core.lives.at(sid).name() == name);
}

void check_operations(const Core& core) {
  for (const auto& [id, operation] : core.operations) {
    CHECK(id == operation.record.operation);
    CHECK(operation.is_closed == !core.lives.contains(operation.record.room_sid));
    CHECK(operation.waiters.empty() || !operation.answered);
    CHECK(operation.waiters.size() <= static_cast<size_t>(limits::kDismissWaitersMax));
    CHECK(operation.not_notified_names.size() <= static_cast<size_t>(limits::kReceiptNamesMax));
    CHECK(!operation.is_closed || operation.is_storing);  // else it would be over
    size_t unsettled = 0;
    for (const auto& [sid, session] : operation.sessions)
      unsettled += session.step != Dismissal::SessionStep::Settled ? 1 : 0;
    CHECK(unsettled == operation.unsettled);
    CHECK(!operation.is_close_requested || unsettled == 0);
  }
  for (const auto& [name, id] : core.latest_dismissal) CHECK(core.operations.at(id).name == name);
  CHECK(core.finished_operations.size() == core.finished_order.size());
  CHECK(core.finished_order.size() <= static_cast<size_t>(limits::kOperationsInMemoryMax));
}

void check_bulks(const Core& core) {
  CHECK(core.bulks.size() <= static_cast<size_t>(limits::kBulkRunningMax));
  for (const auto& [id, run] : core.bulks) {
    CHECK(run.is_stored || core.actions.contains(id));
    CHECK(run.is_stored || (run.next == 0 && run.running.empty()));
    const bool is_begun = run.is_stored && run.next == run.bulk.items.size();
    CHECK(!is_begun || !run.running.empty());  // else it would be over
    CHECK(core.timers.is_armed(TimerKind::BulkStep, id.value) == (run.is_stored && !is_begun));
    for (const OperationId& dismissal : run.running) CHECK(core.operations.contains(dismissal));
  }
}

// What ends by itself is armed as long as its life is current, and no longer.
void check_ends(const Core& core) {
  core.schedules.check_invariants();
  core.policies.check_invariants();
  for (const auto& [id, entry] : core.schedules.entries()) {
    const auto life = core.lives.find(entry.schedule.room_sid);
    const bool is_of_current_life =
        life != core.lives.end() && life->second.phase == LifePhase::Active;
    CHECK(entry.is_orphan != is_of_current_life);
    CHECK(core.timers.is_armed(TimerKind::ScheduleDue, id.value) == is_of_current_life);
    CHECK(core.timers.is_armed(TimerKind::ScheduleOrphan, id.value) == entry.is_orphan);
  }
  const bool is_watched = core.timers.is_armed(TimerKind::WallLook, "");
  CHECK(is_watched || (!core.policies.next_end() && !core.schedules.any_follows_wall()));
}

}  // namespace

void Core::check_invariants() const {
  CHECK(touched.empty());
  check_indexes(*this);
  check_bulks(*this);
  check_operations(*this);
  timers.check_invariants();
  tombstones.check_invariants();
  bans.check_invariants();
  check_ends(*this);
  CHECK(timers.deadline(TimerKind::BanExpiry, "").value_or(kNever) == bans.next_expiry());
  for (const auto& [id, action] : actions)
    CHECK(action.is_answered || timers.is_armed(TimerKind::ActionDue, id.value));
  for (const auto& [participant, id] : awaited) CHECK(actions.at(id).leaving.contains(participant));
}

}  // namespace atrium::domain
