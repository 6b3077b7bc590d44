// How lives begin and end, apart from dismissal.
#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {

Tombstone make_tombstone(const Core& core, const Room& room, const Participant& participant,
                         const Reason& reason) {
  return {.app = room.name().app,
          .room = room.name().room,
          .room_sid = room.sid(),
          .participant = participant.sid(),
          .user = participant.user(),
          .token_hash = participant.joiner.token_hash,
          .operation = reason.operation,
          .code = static_cast<ClientCode>(reason.number),
          .expires_at = core.now.wall + limit_ms(limits::kTombstoneMs),
          .text = reason.text,
          .operator_id = reason.operator_id};
}

Event make_event(Core& core, const Room& room, EventKind kind) {
  Event event;
  event.id = EventId(core.secrets.sid("EV_"));
  event.kind = kind;
  event.app = room.name().app;
  event.room = room.name().room;
  event.room_sid = room.sid();
  event.at = core.now.wall;
  return event;
}

Event make_event(Core& core, const Room& room, EventKind kind, const Participant& participant) {
  Event event = make_event(core, room, kind);
  event.participant = participant.sid();
  event.user = participant.user();
  event.hidden = participant.is_hidden();
  event.stayed = core.now.mono - participant.joined_mono();
  event.with = participant.joiner.device;
  return event;
}

Room& open_life(Core& core, const RoomName& name) {
  RoomSid sid(core.secrets.sid("RM_"));
  core.current[name] = sid;
  Room& room =
      core.lives.try_emplace(sid, name, sid, ++core.lives_opened, core.now.wall).first->second;
  room.empty_timeout = room.departure_timeout = core.options.empty_room_grace;
  core.out.put(make_event(core, room, EventKind::RoomStarted));
  inherit_schedule(core, room);
  policy_meets_life(core, room);
  return room;
}

void arm_empty_timer_if_empty(Core& core, Room& room) {
  if (room.participants.empty())
    core.timers.arm(
        TimerKind::RoomEmpty, room.sid().value,
        core.now.mono + (room.was_joined ? room.departure_timeout : room.empty_timeout));
}

void on_room_empty_due(Core& core, const std::string& room_sid) {
  Room* room = core.find_life(RoomSid(room_sid));
  if (room == nullptr || room->phase != LifePhase::Active || !room->participants.empty()) return;
  if (room->has_untold_departure()) {
    // Closing now would tear a transport down before its leave is written.
    core.timers.arm(TimerKind::RoomEmpty, room_sid, core.now.mono + limit_ms(limits::kNoticeAckMs));
    return;
  }
  end_schedules(core, *room);
  room->phase = LifePhase::Closing;
  core.timers.cancel(TimerKind::PolicyDue, room_sid);
  room->updates.take();
  core.timers.cancel(TimerKind::RoomUpdates, room_sid);
  core.current.erase(room->name());
  core.out.put(CloseRoom{room->sid()});
  Event ended = make_event(core, *room, EventKind::RoomEnded);
  ended.reason.why = LeaveReason::RoomClosed;
  core.out.put(std::move(ended));
}

void forget_life(Core& core, const RoomSid& room_sid) {
  Room& room = core.lives.at(room_sid);
  auto forget = [&core](const ParticipantSid& participant) {
    cancel_participant_timers(core, participant);
    core.homes.erase(participant);
    core.out.put(ParticipantForgotten{participant});
    on_participant_gone(core, participant);
  };
  for (const auto& [sid, participant] : room.participants) forget(sid);
  for (const auto& [sid, departure] : room.departures) forget(sid);
  core.timers.cancel(TimerKind::RoomEmpty, room_sid.value);
  core.timers.cancel(TimerKind::RoomUpdates, room_sid.value);
  core.touched.erase(room_sid);
  core.out.put(LifeForgotten{room_sid});
  core.lives.erase(room_sid);
}

}  // namespace atrium::domain
