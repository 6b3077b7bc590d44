#include "domain/schedules.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::domain {

void Schedules::add_row(const RoomSid& life, const ScheduleId& row) {
  lives_[life].rows.push_back(row);
  ++rows_;
}

void Schedules::drop_row(const RoomSid& life, const ScheduleId& row) {
  const auto found = lives_.find(life);
  if (found == lives_.end()) return;
  rows_ -= std::erase(found->second.rows, row);
  if (found->second.rows.empty()) lives_.erase(found);
}

std::vector<ScheduleId> Schedules::rows_of(const RoomSid& life) const {
  const auto found = lives_.find(life);
  return found == lives_.end() ? std::vector<ScheduleId>() : found->second.rows;
}

bool Schedules::has_row(const RoomSid& life, const ScheduleId& row) const {
  const auto found = lives_.find(life);
  return found != lives_.end() &&
         std::ranges::find(found->second.rows, row) != found->second.rows.end();
}

Schedules::Entry& Schedules::insert(Entry entry) {
  const Schedule& schedule = entry.schedule;
  by_app_.emplace(schedule.app, schedule.id);
  followers_of_wall_ += schedule.follows_wall ? 1 : 0;
  const ScheduleId id = schedule.id;
  return entries_.emplace(id, std::move(entry)).first->second;
}

Schedules::Entry& Schedules::put(Entry entry) {
  OfLife& life = lives_.at(entry.schedule.room_sid);
  // Rows are written one after the other: this one's write took those of before it out of the store.
  const auto own = std::ranges::find(life.rows, entry.schedule.id);
  rows_ -= static_cast<size_t>(own - life.rows.begin());
  const std::vector<ScheduleId> earlier(life.rows.begin(), own);
  life.rows.erase(life.rows.begin(), own);
  for (const ScheduleId& row : earlier)
    if (entries_.contains(row)) erase(row);
  life.in_force = entry.schedule.id;
  return insert(std::move(entry));
}

void Schedules::erase(const ScheduleId& schedule) {
  const auto found = entries_.find(schedule);
  if (found == entries_.end()) return;
  const Schedule& gone = found->second.schedule;
  by_app_.erase({gone.app, gone.id});
  followers_of_wall_ -= gone.follows_wall ? 1 : 0;
  if (found->second.is_orphan) {
    orphans_.erase({gone.app, gone.room});
  } else if (const auto life = lives_.find(gone.room_sid); life != lives_.end()) {
    if (life->second.in_force == schedule) life->second.in_force.reset();
    drop_row(gone.room_sid, schedule);
  }
  entries_.erase(found);
}

std::vector<ScheduleId> Schedules::end_life(const RoomSid& life) {
  const std::vector<ScheduleId> rows = rows_of(life);
  for (const ScheduleId& row : rows) {
    if (entries_.contains(row))
      erase(row);
    else
      drop_row(life, row);
  }
  return rows;
}

Schedules::Entry* Schedules::find(const ScheduleId& schedule) {
  const auto found = entries_.find(schedule);
  return found == entries_.end() ? nullptr : &found->second;
}

const Schedules::Entry* Schedules::find(const AppId& app, const ScheduleId& schedule) const {
  const auto found = entries_.find(schedule);
  return found == entries_.end() || found->second.schedule.app != app ? nullptr : &found->second;
}

Schedules::Entry* Schedules::of_life(const RoomSid& life) {
  const auto found = lives_.find(life);
  return found == lives_.end() || !found->second.in_force ? nullptr : find(*found->second.in_force);
}

Schedules::Entry& Schedules::put_orphan(Entry entry) {
  entry.is_orphan = true;
  orphans_[{entry.schedule.app, entry.schedule.room}] = entry.schedule.id;
  return insert(std::move(entry));
}

Schedules::Entry* Schedules::orphan_of(const AppId& app, const RoomId& room) {
  const auto found = orphans_.find({app, room});
  return found == orphans_.end() ? nullptr : find(found->second);
}

void Schedules::adopt(Entry& orphan, const RoomSid& life) {
  orphans_.erase({orphan.schedule.app, orphan.schedule.room});
  orphan.is_orphan = false;
  orphan.schedule.room_sid = life;
  add_row(life, orphan.schedule.id);
  lives_.at(life).in_force = orphan.schedule.id;
}

void Schedules::remember_carried_out(const AppId& app, const ScheduleId& schedule) {
  if (carried_out_order_.size() >= static_cast<size_t>(limits::kOperationsInMemoryMax)) {
    carried_out_.erase(carried_out_order_.front());
    carried_out_order_.pop_front();
  }
  carried_out_order_.emplace_back(app, schedule);
  carried_out_.emplace(app, schedule);
}

bool Schedules::was_carried_out(const AppId& app, const ScheduleId& schedule) const {
  return carried_out_.contains({app, schedule});
}

std::vector<Schedule> Schedules::list(const AppId& app, const ScheduleId& after,
                                      size_t limit) const {
  std::vector<Schedule> out;
  for (auto at = by_app_.upper_bound({app, after});
       at != by_app_.end() && at->first == app && out.size() < limit; ++at)
    out.push_back(entries_.at(at->second).schedule);
  return out;
}

void Schedules::move(Entry& entry, const End& end) {
  followers_of_wall_ -= entry.schedule.follows_wall ? 1 : 0;
  followers_of_wall_ += end.follows_wall ? 1 : 0;
  entry.schedule.follows_wall = end.follows_wall;
  entry.schedule.due_at = end.at;
  entry.due = end.due;
}

void Schedules::check_invariants() const {
  CHECK(size() <= static_cast<size_t>(limits::kSchedulesMax));
  CHECK(by_app_.size() == entries_.size());
  CHECK(carried_out_.size() == carried_out_order_.size());
  size_t rows = 0, followers = 0, orphans = 0;
  for (const auto& [sid, life] : lives_) {
    CHECK(!life.rows.empty());
    rows += life.rows.size();
    if (life.in_force) CHECK(has_row(sid, *life.in_force));
  }
  for (const auto& [id, entry] : entries_) {
    CHECK(id == entry.schedule.id);
    CHECK(by_app_.contains({entry.schedule.app, id}));
    followers += entry.schedule.follows_wall ? 1 : 0;
    orphans += entry.is_orphan ? 1 : 0;
    if (entry.is_orphan)
      CHECK(orphans_.at({entry.schedule.app, entry.schedule.room}) == id);
    else
      CHECK(lives_.at(entry.schedule.room_sid).in_force == id);
  }
  CHECK(rows == rows_ && followers == followers_of_wall_ && orphans == orphans_.size());
}

}  // namespace atrium::domain
