// Schedule and RoomPolicy: when a life is to end by itself, and Countdown: what its users are told of that.  Plain
// data; the store keeps the first two.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/types.h"

namespace atrium::domain {

// A dismissal that was ordered for later.  It belongs to one life and ends with it; after a restart the first life of
// the same name that begins within kScheduleInheritMs takes it over.
struct Schedule {
  ScheduleId id;  // "SD_…"
  AppId app;
  RoomId room;
  RoomSid room_sid;
  std::string reason;  // the caller's, said to the users and kept with the dismissal
  std::string operator_id, request_id;  // who ordered it
  bool follows_wall = false;            // ordered as `At`: a step of the wall clock moves it
  Wall due_at{};  // as seen now; of one that does not follow the wall clock an estimate
  Wall created_at{};
  std::optional<Duration> forbidden = {};  // the name is closed for so long after it
  bool refuses_joins = false;              // nobody new comes in while it counts down
  std::vector<Duration> warn_before = {};  // when users are told again, before the end; descending
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

// When the lives of a room name end by themselves.  It belongs to the name: it holds for the life current when it is
// set and for later ones, until it is changed or removed.
struct RoomPolicy {
  AppId app = {};
  RoomId room = {};
  std::optional<Wall> end_at = {};            // once; later lives are not ended by it
  std::optional<Duration> max_duration = {};  // of a life
  std::optional<Duration> idle = {};          // nobody has published for so long
  std::optional<Duration> without_host =
      {};  // the last host left so long ago; a life without any is not ended
  std::vector<UserId> hosts = {};          // empty: whoever may publish and is visible
  std::vector<Duration> warn_before = {};  // users are told so long before the end; descending
  std::string reason = {};
  std::string operator_id = {};  // who set it
  Wall updated_at{};
  friend bool operator==(const RoomPolicy&, const RoomPolicy&) = default;
};

// Why a life ends by itself.
enum class EndCause : uint8_t { Schedule, EndAt, MaxDuration, Idle, WithoutHost };

// What users are told of the end of their room; the numbers are as of the moment when it is said.
struct Countdown {
  EndCause cause = EndCause::Schedule;
  bool is_called_off = false;  // the room does not end by this; the numbers say when it would have
  ScheduleId schedule = {};    // of a schedule
  Wall due_at{};
  Duration remaining{};
  std::string reason = {};
  bool refuses_joins = false;
  friend bool operator==(const Countdown&, const Countdown&) = default;
};

}  // namespace atrium::domain
