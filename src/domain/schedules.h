// Schedules: the dismissals that count down, by id and by the life they belong to, and which of them the store has, or
// is about to have.  Owner: Core.  Bounded by kSchedulesMax.  Does not: arm timers, persist, tell anybody
// (schedule_desk.cc does).
//
//   ordered ─stored→ in force ─due→ carried out         a life that ends takes with it whatever it has
//   restored → orphan ─a life of its name begins→ in force
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "domain/schedule.h"

namespace atrium::domain {

// What a schedule becomes once the store has said whether it has it.
struct ScheduleChange {
  enum class What : uint8_t {
    Make,
    Move,
    Cancel,
    Forget,  // `rows` are of lives that ended
  };
  What what = What::Make;
  Schedule schedule = {};  // as it was given to the store
  Mono due{};
  std::vector<ScheduleId> rows = {};
};

class Schedules {
 public:
  // When a schedule is due, in the words of both clocks.
  struct End {
    bool follows_wall = false;
    Wall at{};
    Mono due{};
  };
  struct Entry {
    Schedule schedule;
    Mono due{};
    bool is_orphan = false;  // nobody came back to its room yet
    Mono inherited_by{};     // until then, after a restart, its users come back
    // Writes under way: the one that takes it out of force; where those that move it will bring it.
    std::optional<OperationId> ending = std::nullopt;
    std::optional<End> moving = std::nullopt;
    std::optional<Mono> end_slot = std::nullopt;  // its time has come, and its turn is then
  };

  // --- ordered: a row is being written ----------------------------------------------------------
  void add_row(const RoomSid& life, const ScheduleId& row);
  void drop_row(const RoomSid& life, const ScheduleId& row);  // it was not written
  // Whatever the store has of this life, or is about to.
  std::vector<ScheduleId> rows_of(const RoomSid& life) const;
  bool has_row(const RoomSid& life, const ScheduleId& row) const;

  // --- in force ---------------------------------------------------------------------------------
  // Its row was added.  Whichever was in force in this life is not any more, nor are other rows of before it.
  Entry& put(Entry entry);
  void erase(const ScheduleId& schedule);
  // Forgets everything of a life; yields its rows.
  std::vector<ScheduleId> end_life(const RoomSid& life);
  Entry* find(const ScheduleId& schedule);
  const Entry* find(const AppId& app, const ScheduleId& schedule) const;
  Entry* of_life(const RoomSid& life);
  template <typename Visit>
  void for_each(Visit visit) {
    for (auto& [id, entry] : entries_) visit(entry);
  }

  // --- orphans ----------------------------------------------------------------------------------
  // A name has one at most.
  Entry& put_orphan(Entry entry);
  Entry* orphan_of(const AppId& app, const RoomId& room);
  // The orphan belongs to this life from now on.
  void adopt(Entry& orphan, const RoomSid& life);

  // --- carried out: bounded by kOperationsInMemoryMax, the oldest are forgotten first -------------
  void remember_carried_out(const AppId& app, const ScheduleId& schedule);
  bool was_carried_out(const AppId& app, const ScheduleId& schedule) const;

  std::vector<Schedule> list(const AppId& app, const ScheduleId& after, size_t limit) const;
  bool any_follows_wall() const { return followers_of_wall_ > 0; }
  size_t size() const { return rows_ + orphans_.size(); }
  const std::map<ScheduleId, Entry>& entries() const { return entries_; }
  // The end of one that is in force, or an orphan, changes.
  void move(Entry& entry, const End& end);
  void check_invariants() const;

 private:
  using Name = std::pair<AppId, RoomId>;
  struct OfLife {
    std::optional<ScheduleId> in_force;
    std::vector<ScheduleId> rows;  // that one among them, in the order of their writes
  };
  Entry& insert(Entry entry);

  std::map<ScheduleId, Entry> entries_;
  std::map<RoomSid, OfLife> lives_;
  std::map<Name, ScheduleId> orphans_;
  std::deque<std::pair<AppId, ScheduleId>> carried_out_order_;
  std::set<std::pair<AppId, ScheduleId>> carried_out_;
  // derived
  std::set<std::pair<AppId, ScheduleId>> by_app_;
  size_t rows_ = 0, followers_of_wall_ = 0;
};

}  // namespace atrium::domain
