// What is remembered of lives and visits after they end, as the management API lists it.  The store keeps it
// (adapters/store/history.h); plain data.
#pragma once

#include <vector>

#include "domain/types.h"

namespace atrium::domain {

// Lives that started, or users who first came into a life, in [from, until]; oldest first.
struct HistoryQuery {
  AppId app = {};
  RoomId room = {};                // empty: all rooms of the app
  Wall from{}, until{};            // both included
  std::vector<UserId> users = {};  // of visits; none: all.  At most kHistoryUsersAskedMax
  bool without_linux = false;      // of visits: none that came first from Linux
  size_t offset = 0, limit = 0;
};

struct LifeEntry {
  RoomSid room_sid = {};
  RoomId room = {};
  Wall started_at{};
  std::optional<Wall> ended_at = {};  // none: it is live
  Reason reason = {};                 // why it ended; empty while it is live
  bool interrupted = false;           // the process ended first; ended_at is when it last wrote
  uint32_t users_now = 0;             // present, the invisible ones included
};
struct LivesPage {
  uint64_t total = 0;
  std::vector<LifeEntry> lives = {};
};

// One user in one life, however often they came and went.
struct VisitTimes {
  Wall joined_at{};
  std::optional<Wall> left_at = {};
  Reason reason = {};  // why they left; empty while they are there
};
struct VisitorEntry {
  RoomSid room_sid = {};
  RoomId room = {};
  UserId user = {};
  ClientDevice with = {};  // at the latest visit
  bool hidden = false;
  bool published = false;  // in any visit
  Wall first_joined_at{};
  std::optional<Wall> last_left_at = {};  // none: present now
  Duration present{};                     // all visits together, the running one until now
  std::vector<VisitTimes> visits;         // the latest ones, in order; half of kHistoryRecordsMax
};
struct VisitorsPage {
  uint64_t total = 0;
  std::vector<VisitorEntry> visitors = {};
};

}  // namespace atrium::domain
