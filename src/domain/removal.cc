// Ways out of a life for one participant: told in the order of DESIGN's notice, torn down only after the leave.
//
//   Notice:     CutParticipant ─NoticeAcked or 200 ms→ then as LeaveOnly
//   LeaveOnly:  SendLeave ─LeaveWritten or LeaveNotWritten→ CloseParticipant ─TransportClosed→ forgotten
//   Silent:     DropConnection, CloseParticipant ─TransportClosed→ forgotten
#include <utility>

#include "base/limits.h"
#include "domain/core.h"
#include "domain/notices.h"

namespace atrium::domain {
namespace {

constexpr uint16_t kNormalClose = 1000;

void end_publications(Core& core, Room& room, Participant& participant) {
  while (!participant.publications.empty()) {
    const TrackSid track = participant.publications.begin()->first;
    unpublish(core, room, participant, track, UnpublishedBy::Departure);
  }
}

// What others hear.  Yields the view of a departure that they do not hear of.
std::shared_ptr<const ParticipantView> announce_departure(Core& core, Room& room,
                                                          Participant& participant,
                                                          const Removal& removal) {
  const bool goes_on = removal.seen_as == DepartureSeenAs::Continuation;
  core.touched.insert(room.sid());
  if (participant.is_announced()) {
    std::shared_ptr<const ParticipantView> last = participant.departed_view(removal.reason);
    room.updates.departed(last, goes_on ? Audience::LegacyProtocol : Audience::Others);
    if (goes_on) return last;
    room.remember_departure(std::move(last), core.now);
  } else if (participant.continues) {
    // The others still believe in this session's predecessor.
    if (goes_on) return participant.continues;
    room.updates.departed(participant.continues, Audience::Others);
    room.remember_departure(participant.continues, core.now);
  }
  return nullptr;
}

// A removed user's sid must not resume: who tries is told again.
void leave_farewell(Core& core, const Room& room, const Participant& participant,
                    const Removal& removal) {
  Tombstone tombstone = make_tombstone(core, room, participant, reason_of(removal));
  tombstone.refuses_join = !participant.can_be_told();
  add_tombstone(core, tombstone);
}

void close_transport(Core& core, const ParticipantSid& participant, Departure& departure) {
  departure.step = DepartureStep::AwaitTransportClosed;
  core.timers.cancel(TimerKind::DepartureNotice, participant.value);
  core.timers.cancel(TimerKind::DepartureLeave, participant.value);
  core.out.put(CloseParticipant{participant});
}

void send_leave(Core& core, const ParticipantSid& participant, Departure& departure) {
  departure.step = DepartureStep::AwaitLeave;
  core.timers.cancel(TimerKind::DepartureNotice, participant.value);
  core.timers.arm(TimerKind::DepartureLeave, participant.value,
                  core.now.mono + limit_ms(limits::kDismissCloseMs));
  core.out.put(departure.leave);
}

void start_departure(Core& core, const ParticipantSid& participant, Departure& departure,
                     Farewell farewell, const Removal& removal) {
  if (farewell == Farewell::Notice && removal.code) {
    departure.step = DepartureStep::AwaitNoticeAck;
    core.timers.arm(TimerKind::DepartureNotice, participant.value,
                    core.now.mono + limit_ms(limits::kNoticeAckMs));
    core.out.put(
        CutParticipant{participant, make_notice(reason_of(removal), removal.forbidden_until)});
  } else if (farewell == Farewell::Silent) {
    if (departure.connection) core.out.put(DropConnection{*departure.connection});
    close_transport(core, participant, departure);
  } else {
    send_leave(core, participant, departure);
  }
}

// The departure of this participant when it is at `step`; nullptr otherwise.
Departure* find_departure(Room* room, const ParticipantSid& participant, DepartureStep step) {
  if (room == nullptr) return nullptr;
  auto found = room->departures.find(participant);
  return found != room->departures.end() && found->second.step == step ? &found->second : nullptr;
}

// Whether a report about `reported` is about the connection that carried the leave.
bool is_about(const std::optional<ConnectionId>& reported,
              const std::optional<ConnectionId>& carrier) {
  return !reported || !carrier || *reported == *carrier;
}

void on_leave_result(Core& core, const ParticipantSid& sid, std::optional<ConnectionId> connection,
                     bool is_written) {
  Room* room = core.find_home(sid);
  if (room == nullptr) return;
  if (Departure* departure = find_departure(room, sid, DepartureStep::AwaitLeave)) {
    if (!is_about(connection, departure->connection)) return;
    close_transport(core, sid, *departure);
    advance_dismissal(core, *room);
  } else if (Participant* participant = room->find(sid);
             room->phase == LifePhase::Dismissing && participant &&
             is_about(connection, participant->connection)) {
    on_dismissed_leave_result(core, *room, *participant, is_written);
  }
}

}  // namespace

Reason reason_of(const Removal& removal) {
  return make_reason(removal.reason, removal.code, removal.text, removal.operation,
                     removal.operator_id);
}

Removal removal_by_order(const OperationId& operation, const ActionOrigin& origin,
                         std::optional<Wall> forbidden_until) {
  return {.reason = LeaveReason::KickedByAdmin,
          .farewell = Farewell::Notice,
          .action = LeaveAction::Disconnect,
          .code = ClientCode::KickedOut,
          .seen_as = DepartureSeenAs::Departure,
          .forbidden_until = forbidden_until,
          .operation = operation,
          .operator_id = origin.operator_id,
          .text = origin.reason};
}

std::shared_ptr<const ParticipantView> remove_participant(Core& core, Room& room,
                                                          ParticipantSid sid,
                                                          const Removal& removal) {
  Participant& participant = room.participants.at(sid);
  cancel_participant_timers(core, sid);
  end_publications(core, room, participant);
  drop_subscriptions_of(room, participant);
  --(participant.is_hidden() ? room.tally.hidden : room.tally.visible);
  std::shared_ptr<const ParticipantView> withheld =
      announce_departure(core, room, participant, removal);
  const bool can_come_back = participant.is_join_sent || removal.code == ClientCode::KickedOut;
  if (removal.code && can_come_back) leave_farewell(core, room, participant, removal);
  Event left = make_event(core, room, EventKind::UserLeft, participant);
  left.reason = reason_of(removal);
  core.out.put(std::move(left));

  const Farewell farewell = participant.can_be_told() ? removal.farewell : Farewell::Silent;
  const uint16_t code = removal.code ? close_code(*removal.code) : kNormalClose;
  Departure& departure = room.departures[sid];
  departure.connection = participant.connection;
  departure.leave = {sid, removal.reason, removal.action, code};
  core.leave_presence(room, participant.user());
  room.users.erase(participant.user());
  room.announced.erase(sid);
  room.participants.erase(sid);
  policy_misses_participant(core, room, sid);
  start_departure(core, sid, departure, farewell, removal);
  arm_empty_timer_if_empty(core, room);
  return withheld;
}

void cancel_participant_timers(Core& core, const ParticipantSid& participant) {
  for (TimerKind kind :
       {TimerKind::DepartureNotice, TimerKind::DepartureLeave, TimerKind::JoinToActive,
        TimerKind::ResumeGrace, TimerKind::TokenExpiry, TimerKind::TokenWarning,
        TimerKind::PublishExpiry, TimerKind::SubscribeExpiry, TimerKind::PublishLimit})
    core.timers.cancel(kind, participant.value);
}

void on(Core& core, const NoticeAcked& command) {
  Room* room = core.find_home(command.participant);
  if (room == nullptr) return;
  if (Departure* departure =
          find_departure(room, command.participant, DepartureStep::AwaitNoticeAck)) {
    send_leave(core, command.participant, *departure);
  } else if (Participant* participant = room->find(command.participant);
             room->phase == LifePhase::Dismissing && participant) {
    on_dismissed_notice_acked(core, *room, *participant);
  }
}

void on(Core& core, const LeaveWritten& command) {
  on_leave_result(core, command.participant, command.connection, true);
}
void on(Core& core, const LeaveNotWritten& command) {
  on_leave_result(core, command.participant, command.connection, false);
}

void on(Core& core, const TransportClosed& command) {
  Room* room = core.find_home(command.participant);
  if (room == nullptr) return;
  if (room->participants.contains(command.participant))
    return on(core, TransportDown{command.participant});
  if (!find_departure(room, command.participant, DepartureStep::AwaitTransportClosed)) return;
  room->departures.erase(command.participant);
  core.homes.erase(command.participant);
  core.out.put(ParticipantForgotten{command.participant});
  on_participant_gone(core, command.participant);
}

void on_departure_notice_due(Core& core, const std::string& participant) {
  const ParticipantSid sid(participant);
  Departure* departure = find_departure(core.find_home(sid), sid, DepartureStep::AwaitNoticeAck);
  if (departure != nullptr) send_leave(core, sid, *departure);
}

void on_departure_leave_due(Core& core, const std::string& participant) {
  const ParticipantSid sid(participant);
  Room* room = core.find_home(sid);
  Departure* departure = find_departure(room, sid, DepartureStep::AwaitLeave);
  if (departure == nullptr) return;
  close_transport(core, sid, *departure);
  advance_dismissal(core, *room);
}

void on_departure_signal_lost(Core& core, Room& room, const ParticipantSid& participant,
                              ConnectionId connection) {
  auto found = room.departures.find(participant);
  if (found == room.departures.end() || found->second.connection != connection) return;
  if (found->second.step == DepartureStep::AwaitTransportClosed) return;
  close_transport(core, participant, found->second);
  advance_dismissal(core, room);
}

}  // namespace atrium::domain
