#include "domain/dismissal.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"
#include "domain/notices.h"

namespace atrium::domain {
namespace {

using Session = Dismissal::Session;
using SessionStep = Dismissal::SessionStep;

// When the leaves go out even though no cut was confirmed: early enough to be written before the transports go.
constexpr Duration kLeaveAtLatest = limit_ms(limits::kDismissCloseMs - limits::kNoticeAckMs);

int64_t microseconds_since_accept(const Dismissal& operation, Mono at) {
  return std::max<int64_t>(0, (at - operation.accepted).count());
}

// --- records ------------------------------------------------------------------------------------

void put_record(Core& core, Dismissal& operation, PersistDismissal write = {}) {
  operation.is_storing = true;
  operation.is_stale_in_store = false;
  write.record = operation.record;
  write.bans = std::exchange(operation.bans_to_store, {});
  for (const BanRule& rule : write.bans) operation.bans_under_way.emplace_back(rule.app, rule.id);
  core.out.put(std::move(write));
}

void put_record_when_idle(Core& core, Dismissal& operation) {
  operation.is_stale_in_store = true;
  if (!operation.is_storing) put_record(core, operation);
}

void answer_waiters(Core& core, Dismissal& operation, DismissOutcome outcome) {
  if (operation.answered) return;
  operation.answered = outcome;
  bool is_first = true;
  for (WaiterId waiter : std::exchange(operation.waiters, {}))
    core.out.put(DismissReply{waiter, outcome, operation.record, std::exchange(is_first, false)});
}

void mark_failed(Dismissal& operation, const char* failure) {
  operation.record.state = DismissalState::Failed;
  operation.record.failure = failure;
}

void remember_finished(Core& core, DismissalRecord record) {
  if (core.finished_order.size() >= static_cast<size_t>(limits::kOperationsInMemoryMax)) {
    core.finished_operations.erase(core.finished_order.front());
    core.finished_order.pop_front();
  }
  core.finished_order.push_back(record.operation);
  core.finished_operations[record.operation] = std::move(record);
}

// Nothing of the life is forwarded any more: who listens to its events may hear that it ended.
void release_events(Core& core, Dismissal& operation) {
  if (std::exchange(operation.are_events_released, true)) return;
  core.out.put(ReleaseEvents{operation.record.operation, operation.record.app});
}

// Everything is closed and the last write was answered: replies go out.  Ends the operation.
void finish(Core& core, Dismissal& operation) {
  release_events(core, operation);
  if (operation.has_store_failed) {
    answer_waiters(core, operation, DismissOutcome::RecordFailed);
  } else if (!operation.is_cut) {
    answer_waiters(core, operation, DismissOutcome::MediaCutUnconfirmed);
  } else {
    answer_waiters(core, operation, DismissOutcome::Done);
  }
  auto latest = core.latest_dismissal.find(operation.name);
  if (latest != core.latest_dismissal.end() && latest->second == operation.record.operation)
    core.latest_dismissal.erase(latest);
  const OperationId id = operation.record.operation;
  remember_finished(core, std::move(operation.record));
  core.operations.erase(id);
  on_bulk_dismissal_over(core, id);
}

// `write`: the fence's, where no other record went before.
void put_final_record(Core& core, Dismissal& operation, PersistDismissal write = {}) {
  if (operation.has_store_failed) {
    operation.record.state = DismissalState::Failed;
  } else if (operation.is_cut) {
    operation.record.state =
        DismissalState::Done;  // also where the cut came late: `failure` keeps saying so
  } else {
    mark_failed(operation, "the media cut was not confirmed");
  }
  operation.is_final_stored = true;
  write.is_final = true;
  write.told = std::move(operation.told);
  put_record(core, operation, std::move(write));
}

// --- sessions -----------------------------------------------------------------------------------

Tombstone tombstone_of(const Core& core, const Room& room, const Participant& participant) {
  return make_tombstone(core, room, participant,
                        reason_of(core.operations.at(room.operation).record));
}

void count_not_notified(Dismissal& operation, const Participant& participant,
                        NotNotifiedReason reason) {
  ++operation.not_notified;
  if (operation.not_notified_names.size() < static_cast<size_t>(limits::kReceiptNamesMax))
    operation.not_notified_names.push_back({participant.user(), participant.sid(), reason});
}

void settle(Dismissal& operation, Session& session) {
  session.step = SessionStep::Settled;
  --operation.unsettled;
}

// The session cannot be told any more, except by a tombstone or because the notice was acknowledged before.
void settle_untold(Dismissal& operation, Session& session, const Participant& participant,
                   NotNotifiedReason reason) {
  const bool has_heard = session.is_acked && participant.is_notice_channel_open;
  if (has_heard) {
    ++operation.notified;
  } else {
    count_not_notified(operation, participant, reason);
  }
  settle(operation, session);
}

void put_late_tombstones(Core& core, std::vector<Tombstone> tombstones) {
  std::erase_if(tombstones, [&core](const Tombstone& one) { return !add_tombstone(core, one); });
  if (!tombstones.empty()) core.out.put(PersistTombstones{std::move(tombstones)});
}

LeaveReason leave_reason_of(const DismissalRecord& record) {
  return record.code == ClientCode::RoomDismiss ? LeaveReason::RoomDismissed
                                                : LeaveReason::KickedByAdmin;
}

void send_leave(Core& core, const Dismissal& operation, Session& session,
                const ParticipantSid& participant) {
  session.step = SessionStep::AwaitLeave;
  core.out.put(SendLeave{participant, leave_reason_of(operation.record), LeaveAction::Disconnect,
                         close_code(operation.record.code)});
}

using Carried = RegistryOptions::Carried;

Carried put_cut(Core& core, CutRoom cut) {
  if (core.options.cut_at_once) return core.options.cut_at_once(std::move(cut));
  core.out.put(std::move(cut));
  return Carried::Yes;
}

// Classifies everybody present at the fence.  Yields what the fence's record says of them.
PersistDismissal fence_sessions(Core& core, Room& room, Dismissal& operation) {
  PersistDismissal write;
  for (auto& [sid, participant] : room.participants) {
    cancel_participant_timers(core, sid);
    Session& session = operation.sessions[sid];
    ++operation.unsettled;
    Event left = make_event(core, room, EventKind::UserLeft, participant);
    left.reason = reason_of(operation.record);
    core.leave_presence(room, participant.user());
    write.events.push_back(std::move(left));
    Tombstone tombstone = tombstone_of(core, room, participant);
    if (participant.can_be_told() && participant.state == ParticipantState::Active) {
      write.precautions.push_back(std::move(tombstone));
      continue;
    }
    // A leave that comes while a client still connects ends that attempt alone: native SDKs make the next one at
    // once,
    // with the same token.
    if (add_tombstone(core, tombstone)) write.tombstones.push_back(std::move(tombstone));
    if (participant.can_be_told()) continue;
    settle_untold(
        operation, session, participant,
        participant.is_join_sent ? NotNotifiedReason::Reconnecting : NotNotifiedReason::Connecting);
    if (participant.connection) core.out.put(DropConnection{*participant.connection});
  }
  write.events.push_back(make_event(core, room, EventKind::RoomEnded));
  write.events.back().reason = reason_of(operation.record);
  return write;
}

Session* find_session(Core& core, const Room& room, const ParticipantSid& participant,
                      SessionStep step) {
  Dismissal* operation = core.find_dismissal(room);
  if (operation == nullptr) return nullptr;
  auto found = operation->sessions.find(participant);
  return found != operation->sessions.end() && found->second.step == step ? &found->second
                                                                          : nullptr;
}

// --- phases -------------------------------------------------------------------------------------

void note_cut(Dismissal& operation, const RoomCut& cut) {
  operation.is_cut = true;
  operation.record.media_cut_at = cut.wall_at;
  operation.record.media_cut_us = microseconds_since_accept(operation, cut.at);
  operation.record.transports_at_fence = cut.transports;
}

void note_notified(Core& core, Dismissal& operation) {
  operation.is_close_requested = true;
  operation.record.notified_at = core.now.wall;
  operation.record.notified_us = microseconds_since_accept(operation, core.now.mono);
  operation.record.notified = operation.notified;
  operation.record.not_notified = operation.not_notified;
  operation.record.not_notified_names = operation.not_notified_names;
}

void note_closed(Core& core, Dismissal& operation, const RoomClosed& closed) {
  operation.is_closed = true;
  operation.sessions.clear();
  DismissalRecord& record = operation.record;
  record.closed_at = core.now.wall;
  record.closed_us = microseconds_since_accept(operation, core.now.mono);
  record.transports_closed = closed.transports_closed;
  record.packets_after_cut = closed.packets_after_cut;
  forget_life(core, closed.room_sid);
}

// Nothing carries the life's media and nobody is in it or on the way out: it is over with the fence, and one record
// says all of it.
void end_at_fence(Core& core, Dismissal& operation, PersistDismissal fence) {
  const RoomSid room = operation.record.room_sid;
  note_cut(operation,
           {.room_sid = room, .at = core.now.mono, .wall_at = core.now.wall, .transports = 0});
  note_notified(core, operation);
  note_closed(core, operation, {.room_sid = room});
  operation.are_events_released = true;  // never held
  put_final_record(core, operation, std::move(fence));
}

void request_close(Core& core, Dismissal& operation) {
  note_notified(core, operation);
  core.timers.cancel(TimerKind::DismissNotice, operation.record.operation.value);
  core.timers.cancel(TimerKind::DismissClose, operation.record.operation.value);
  core.out.put(CloseRoom{operation.record.room_sid});
}

Dismissal make_operation(Core& core, const Room& room, const DismissRoom& command,
                         ClientCode code) {
  Dismissal operation;
  operation.name = room.name();
  operation.accepted = std::min(command.accepted.value_or(core.now.mono), core.now.mono);
  operation.waiters = {command.waiter};
  DismissalRecord& record = operation.record;
  record.operation = OperationId(core.secrets.sid("OP_"));
  record.app = room.name().app;
  record.room = room.name().room;
  record.room_sid = room.sid();
  record.epoch = room.epoch();
  record.operator_id = command.operator_id;
  record.request_id = command.request_id;
  record.reason = command.reason;
  record.code = code;
  if (command.forbidden.value_or(Duration{}) > Duration{})
    record.forbidden_until = core.now.wall + *command.forbidden;
  record.fenced_at = core.now.wall;  // the fence is this very command
  record.fenced_us = microseconds_since_accept(operation, core.now.mono);
  record.accepted_at = core.now.wall - (core.now.mono - operation.accepted);
  record.users_at_fence = static_cast<uint32_t>(room.participants.size());
  return operation;
}

Dismissal* find_operation(Core& core, const std::string& id) {
  auto found = core.operations.find(OperationId(id));
  return found == core.operations.end() ? nullptr : &found->second;
}

}  // namespace

OperationId start_dismissal(Core& core, Room& room, const DismissRoom& command, ClientCode code,
                            std::vector<BanRule> bans) {
  end_schedules(core, room);
  Dismissal made = make_operation(core, room, command, code);
  made.bans_to_store = std::move(bans);
  const OperationId id = made.record.operation;
  Dismissal& operation = core.operations.emplace(id, std::move(made)).first->second;
  room.phase = LifePhase::Dismissing;
  room.operation = id;
  core.current.erase(room.name());
  core.latest_dismissal[room.name()] = id;
  // From here on nobody is told that the others leave.
  room.updates.take();
  core.timers.cancel(TimerKind::RoomEmpty, room.sid().value);
  core.timers.cancel(TimerKind::RoomUpdates, room.sid().value);
  core.timers.cancel(TimerKind::PolicyDue, room.sid().value);

  const RoomSid sid = room.sid();
  const Carried carried = put_cut(
      core, {sid, make_notice(reason_of(operation.record), operation.record.forbidden_until)});
  PersistDismissal fence = fence_sessions(core, room, operation);
  if (carried == Carried::No && operation.sessions.empty() && room.departures.empty()) {
    end_at_fence(core, operation, std::move(fence));
    return id;
  }
  put_record(core, operation, std::move(fence));
  core.timers.arm(TimerKind::DismissNotice, id.value, core.now.mono + kLeaveAtLatest);
  core.timers.arm(TimerKind::DismissClose, id.value,
                  core.now.mono + limit_ms(limits::kDismissCloseMs));
  core.timers.arm(TimerKind::DismissCut, id.value,
                  core.now.mono + limit_ms(limits::kMediaCutConfirmMs));
  if (carried == Carried::No)
    on(core,
       RoomCut{.room_sid = sid, .at = core.now.mono, .wall_at = core.now.wall, .transports = 0});
  return id;
}

Reason reason_of(const DismissalRecord& record) {
  return make_reason(leave_reason_of(record), record.code, record.reason, record.operation,
                     record.operator_id);
}

void join_dismissal(Core& core, Dismissal& operation, WaiterId waiter) {
  const bool is_full = operation.waiters.size() >= static_cast<size_t>(limits::kDismissWaitersMax);
  if (operation.answered) {
    core.out.put(DismissReply{waiter, *operation.answered, operation.record, false});
  } else if (is_full) {
    // An error with the operation's id; the operation goes on.
    core.out.put(DismissReply{waiter, DismissOutcome::Unfinished, operation.record, false});
  } else {
    operation.waiters.push_back(waiter);
  }
}

namespace {

// A life that is being dismissed right now still satisfies the condition: the call joins its operation.
bool is_meant(Core& core, const RoomName& name, const RoomSid& sid) {
  if (const Room* room = core.find_current(name)) return room->sid() == sid;
  const auto latest = core.latest_dismissal.find(name);
  return latest != core.latest_dismissal.end() &&
         core.operations.at(latest->second).record.room_sid == sid;
}

}  // namespace

void on(Core& core, const DismissRoom& command) {
  const RoomName name{command.app, command.room};
  if (command.if_session && !is_meant(core, name, *command.if_session)) {
    core.out.put(DismissReply{command.waiter, DismissOutcome::NotCurrent, std::nullopt});
    return;
  }
  if (command.forbidden.value_or(Duration{}) > Duration{})
    return on(core, BanUsers{.waiter = command.waiter,
                             .app = command.app,
                             .target = {.room = command.room, .user = {}, .ip = {}},
                             .interval = *command.forbidden,
                             .origin = {command.operator_id, command.request_id, command.reason},
                             .code = ClientCode::RoomDismiss,
                             .accepted = command.accepted});
  if (Room* room = core.find_current(name)) {
    start_dismissal(core, *room, command, ClientCode::RoomDismiss, {});
    return;
  }
  auto latest = core.latest_dismissal.find(name);
  if (latest != core.latest_dismissal.end())
    return join_dismissal(core, core.operations.at(latest->second), command.waiter);
  core.out.put(DismissReply{command.waiter, DismissOutcome::NoSuchRoom, std::nullopt});
}

void on(Core& core, const RoomCut& command) {
  Room* room = core.find_life(command.room_sid);
  Dismissal* operation = room == nullptr ? nullptr : core.find_dismissal(*room);
  if (operation == nullptr || operation->is_cut) return;
  note_cut(*operation, command);
  release_events(core, *operation);
  const std::string& id = operation->record.operation.value;
  if (const std::optional<Mono> latest = core.timers.deadline(TimerKind::DismissNotice, id)) {
    const Mono due = core.now.mono + limit_ms(limits::kNoticeAckMs);
    core.timers.arm(TimerKind::DismissNotice, id, std::min(*latest, due));
  }
  for (auto& [sid, session] : operation->sessions)
    if (session.step == SessionStep::AwaitAck && session.is_acked)
      send_leave(core, *operation, session, sid);
  advance_dismissal(core, *room);
}

void on_dismissed_notice_acked(Core& core, Room& room, Participant& participant) {
  Session* session = find_session(core, room, participant.sid(), SessionStep::AwaitAck);
  if (session == nullptr) return;
  session->is_acked = true;
  if (core.find_dismissal(room)->is_cut)
    send_leave(core, *core.find_dismissal(room), *session, participant.sid());
}

void on_dismissed_leave_result(Core& core, Room& room, Participant& participant, bool is_written) {
  Session* session = find_session(core, room, participant.sid(), SessionStep::AwaitLeave);
  if (session == nullptr) return;
  Dismissal& operation = *core.find_dismissal(room);
  if (!is_written) {
    put_late_tombstones(core, {tombstone_of(core, room, participant)});
    settle_untold(operation, *session, participant, NotNotifiedReason::NotWritable);
  } else if (session->is_overdue) {
    count_not_notified(operation, participant, NotNotifiedReason::Unacknowledged);
    settle(operation, *session);
  } else {
    ++operation.notified;
    if (participant.state == ParticipantState::Active) operation.told.push_back(participant.sid());
    settle(operation, *session);
  }
  advance_dismissal(core, room);
}

void on_dismissed_signal_lost(Core& core, Room& room, Participant& participant,
                              ConnectionId connection) {
  if (participant.connection != connection) return;
  participant.connection.reset();
  if (find_session(core, room, participant.sid(), SessionStep::AwaitLeave) != nullptr)
    return on_dismissed_leave_result(core, room, participant, false);
  Session* session = find_session(core, room, participant.sid(), SessionStep::AwaitAck);
  if (session == nullptr) return;
  put_late_tombstones(core, {tombstone_of(core, room, participant)});
  settle_untold(*core.find_dismissal(room), *session, participant, NotNotifiedReason::Reconnecting);
  advance_dismissal(core, room);
}

void advance_dismissal(Core& core, Room& room) {
  Dismissal* operation = core.find_dismissal(room);
  if (operation == nullptr || operation->is_close_requested) return;
  const bool is_over =
      operation->is_cut && operation->unsettled == 0 && !room.has_untold_departure();
  if (is_over) request_close(core, *operation);
}

void on_dismiss_notice_due(Core& core, const std::string& id) {
  Dismissal* operation = find_operation(core, id);
  Room* room = operation == nullptr ? nullptr : core.find_life(operation->record.room_sid);
  if (room == nullptr) return;
  std::vector<Tombstone> tombstones;
  for (auto& [sid, session] : operation->sessions) {
    if (session.step != SessionStep::AwaitAck) continue;
    const Participant& participant = room->participants.at(sid);
    // Where no channel is open there was nothing to acknowledge: the leave alone tells.
    session.is_overdue = !session.is_acked && participant.is_notice_channel_open;
    if (session.is_overdue) tombstones.push_back(tombstone_of(core, *room, participant));
    send_leave(core, *operation, session, sid);
  }
  put_late_tombstones(core, std::move(tombstones));
}

void on_dismiss_close_due(Core& core, const std::string& id) {
  Dismissal* operation = find_operation(core, id);
  Room* room = operation == nullptr ? nullptr : core.find_life(operation->record.room_sid);
  if (room == nullptr || operation->is_close_requested) return;
  std::vector<Tombstone> tombstones;
  for (auto& [sid, session] : operation->sessions) {
    if (session.step == SessionStep::Settled) continue;
    const Participant& participant = room->participants.at(sid);
    tombstones.push_back(tombstone_of(core, *room, participant));
    settle_untold(*operation, session, participant, NotNotifiedReason::NotWritable);
  }
  put_late_tombstones(core, std::move(tombstones));
  request_close(core, *operation);
}

void on_dismiss_cut_due(Core& core, const std::string& id) {
  Dismissal* operation = find_operation(core, id);
  if (operation == nullptr || operation->answered) return;
  // Cut, but a shard or the store does not say that the rest is done: the caller is not kept for ever.
  if (operation->is_cut || operation->is_closed)
    return answer_waiters(core, *operation, DismissOutcome::Unfinished);
  mark_failed(*operation, "the media cut was not confirmed in time");
  put_record_when_idle(core, *operation);
  answer_waiters(core, *operation, DismissOutcome::MediaCutUnconfirmed);
}

void on(Core& core, const RoomClosed& command) {
  Room* room = core.find_life(command.room_sid);
  if (room == nullptr || room->phase == LifePhase::Active) return;
  Dismissal* operation = core.find_dismissal(*room);
  if (operation == nullptr) return forget_life(core, command.room_sid);
  if (!operation->is_close_requested) return;
  core.timers.cancel(TimerKind::DismissCut, operation->record.operation.value);
  note_closed(core, *operation, command);
  if (!operation->is_storing) put_final_record(core, *operation);
}

void on(Core& core, const RecordStored& command) {
  Dismissal* operation = find_operation(core, command.operation.value);
  if (operation == nullptr) return on_action_stored(core, command.operation, command.ok);
  if (!operation->is_storing) return;
  operation->is_storing = false;
  if (command.ok) operation->bans_under_way.clear();
  if (!command.ok) {
    operation->has_store_failed = true;
    take_out_of_force(core, operation->bans_under_way);
    mark_failed(*operation, "the record could not be written");
  }
  if (operation->is_final_stored) return finish(core, *operation);
  if (!command.ok) answer_waiters(core, *operation, DismissOutcome::RecordFailed);
  if (operation->is_closed) {
    put_final_record(core, *operation);
  } else if (operation->is_stale_in_store) {
    put_record(core, *operation);
  }
}

}  // namespace atrium::domain
