// Events as tests of webhooks make them.
#pragma once

#include <string>

#include "domain/event.h"

namespace atrium::webhook {

inline const AppId kTestApp("123456781234567812345678");

// At 2024-01-02T03:04:05.678901Z, of visit PA_1 of u-1 to life RM_1 of room-1, 7.9 s after the join.
inline domain::StoredEvent test_event(domain::EventKind kind) {
  domain::StoredEvent stored;
  stored.cursor = 70;
  stored.sequence = 7;
  domain::Event& event = stored.event;
  event.id = EventId("EV_1");
  event.kind = kind;
  event.app = kTestApp;
  event.room = RoomId("room-1");
  event.room_sid = RoomSid("RM_1");
  event.participant = ParticipantSid("PA_1");
  event.user = UserId("u-1");
  event.track = TrackSid("TR_1");
  event.at = wall_from_unix_ms(1'704'164'645'678) + 901us;
  event.stayed = 7900ms;
  event.with.kind = domain::DeviceKind::Web;
  event.track_kind = domain::TrackKind::Video;
  event.source = domain::TrackSource::ScreenShare;
  return stored;
}

inline domain::Reason test_dismissal() {
  return {.why = domain::LeaveReason::RoomDismissed,
          .number = -1011,
          .name = "ROOM_DISMISS",
          .text = "the lesson \"maths\" is over",
          .operation = OperationId("OP_1"),
          .operator_id = "AKLT1"};
}

}  // namespace atrium::webhook
