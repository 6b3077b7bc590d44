// Timers: every deadline of the registry in one ordered queue, known by what it is for and whom it concerns.
// Owner: Core.  Cost: O(log n) to arm, cancel and pop; the next deadline is O(1).  Does not: read a clock, call
// anybody.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/time.h"

namespace atrium::domain {

// In the order in which equal deadlines fire.
enum class TimerKind : uint8_t {
  DismissNotice,    // by OperationId: who has not acknowledged by now gets the leave all the same
  DismissClose,     // by OperationId: what is left is closed without waiting
  DismissCut,       // by OperationId: the media cut should have been confirmed
  DepartureNotice,  // by ParticipantSid: a removed user's notice was not acknowledged in time
  DepartureLeave,   // by ParticipantSid: a removed user's leave was not answered for
  JoinToActive,     // by ParticipantSid: its transport should be up
  ResumeGrace,      // by ParticipantSid: it should have come back
  TokenExpiry,      // by ParticipantSid
  TokenWarning,     // by ParticipantSid
  PublishExpiry,    // by ParticipantSid
  SubscribeExpiry,  // by ParticipantSid
  RoomEmpty,        // by RoomSid: nobody came back
  RoomUpdates,      // by RoomSid: coalesced updates are due
  TombstoneExpiry,  // by ParticipantSid
  ActionDue,        // by OperationId: its caller is not kept longer
  BanExpiry,        // without an id: the next rule runs out
  StreamBanExpiry,  // by RoomSid, '/' and UserId
  PublishLimit,     // by ParticipantSid: the limit of its token runs out
  ScheduleWarning,  // by ScheduleId: users are told again when their room ends
  ScheduleDue,      // by ScheduleId: the life ends
  ScheduleOrphan,   // by ScheduleId: after a restart nobody came back to its room
  PolicyDue,        // by RoomSid: the policy of the name has something to say or to end
  BulkStep,         // by OperationId: the next lives of a DismissRooms
  WallLook,         // without an id: what follows the wall clock is looked at
};
inline constexpr size_t kTimerKinds = 24;

class Timers {
 public:
  struct Key {
    TimerKind kind = TimerKind::RoomEmpty;
    std::string id;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  // Replaces an earlier deadline of the same key.  kNever cancels.
  void arm(TimerKind kind, const std::string& id, Mono at);
  void cancel(TimerKind kind, const std::string& id);
  // Removes and returns the first timer whose deadline has come.
  std::optional<Key> pop_due(Mono now);

  Mono next() const { return queue_.empty() ? kNever : queue_.begin()->first; }
  bool is_armed(TimerKind kind, const std::string& id) const {
    return deadlines_.contains({kind, id});
  }
  std::optional<Mono> deadline(TimerKind kind, const std::string& id) const;
  size_t size() const { return deadlines_.size(); }
  void check_invariants() const;

 private:
  std::map<Key, Mono> deadlines_;
  std::set<std::pair<Mono, Key>> queue_;
};

}  // namespace atrium::domain
