// Event: something that happened to a life or to a visit to it.  The registry's effect for logs, history and backends;
// also what the store keeps as history (adapters/store/history.h).
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
  EventKind kind = EventKind::RoomStarted;
  AppId app;
  RoomId room;
  RoomSid room_sid;
  ParticipantSid participant;
  UserId user;
  TrackSid track;
  LeaveReason reason = LeaveReason::None;
  Wall at{};
  Duration stayed{};
  bool hidden = false;  // the user is invisible to others
  ClientDevice with{};  // UserJoined alone
};

}  // namespace atrium::domain
