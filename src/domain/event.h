// Event: something that happened to a life or to a visit to it.  The registry's effect for logs, history and backends;
// the store keeps it in order (adapters/store/events.h) and as history (adapters/store/history.h).
#pragma once

#include "domain/types.h"

namespace atrium::domain {

enum class EventKind : uint8_t {
  RoomStarted,
  RoomEnded,
  UserJoined,
  UserLeft,
  TrackPublished,
  TrackUnpublished
};
struct Event {
  EventId id = {};  // "EV_…": the same at each delivery
  EventKind kind = EventKind::RoomStarted;
  AppId app;
  RoomId room;
  RoomSid room_sid;
  ParticipantSid participant;
  UserId user;
  TrackSid track;
  Reason reason = {};  // UserLeft and RoomEnded
  Wall at{};
  Duration stayed{};
  bool hidden = false;  // the user is invisible to others
  ClientDevice with{};  // of the user
  // TrackPublished and TrackUnpublished
  TrackKind track_kind = TrackKind::Audio;
  TrackSource source = TrackSource::Unknown;
  friend bool operator==(const Event&, const Event&) = default;
};

// An event as the store keeps it.
struct StoredEvent {
  int64_t cursor = 0;    // rises over all events of the store, with gaps
  int64_t sequence = 0;  // rises by one over the events of one (app, room), whatever their life
  bool is_held = false;  // its dismissal has not cut media yet: nobody is told
  Event event;
};
struct EventQuery {
  AppId app = {};
  RoomId room = {};          // empty: all rooms
  int64_t after_cursor = 0;  // those behind it
  std::optional<Wall> since = {};
  size_t limit = 0;
};
struct EventsPage {
  std::vector<StoredEvent>
      events;  // in the order of cursors; held ones and what comes after them are not in it
  int64_t oldest_cursor = 0;  // of what is kept; a question from before it has lost some
};

}  // namespace atrium::domain
