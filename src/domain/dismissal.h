// Dismissal: one running DismissRoom, from the fence to the durable record (DESIGN section 1).
//
//   fenced ─RoomCut→ media cut ─every session settled→ notified ─CloseRoom, RoomClosed→ closed ─final record→
// answered
//
//   A life that nothing carries and nobody is in is over with the fence: its first record is the final one.
//
//   session: AwaitAck ─NoticeAcked after the cut, or 200 ms─→ AwaitLeave ─LeaveWritten / LeaveNotWritten─→ Settled
//            not yet joined, or signalling lost → Settled at once, with a tombstone
//
// Owner: Core, by operation id.  What a late report may still change is decided here alone.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "domain/effect.h"
#include "domain/room.h"

namespace atrium::domain {

struct Core;

struct Dismissal {
  enum class SessionStep : uint8_t { AwaitAck, AwaitLeave, Settled };
  struct Session {
    SessionStep step = SessionStep::AwaitAck;
    bool is_acked = false;
    bool is_overdue = false;  // the leave went out without an acknowledgement
  };

  DismissalRecord record;
  RoomName name;
  Mono accepted{};
  std::map<ParticipantSid, Session> sessions;  // as of the fence; empty once closed
  size_t unsettled = 0;
  uint32_t notified = 0, not_notified = 0;      // reach the record when the phase is over
  std::vector<NotNotified> not_notified_names;  // bounded by kReceiptNamesMax
  std::vector<ParticipantSid> told;             // whose leave was written and not overdue
  bool are_events_released = false;
  std::vector<BanRule> bans_to_store;                   // go with the next record
  std::vector<std::pair<AppId, BanId>> bans_under_way;  // are in it
  bool is_cut = false, is_close_requested = false, is_closed = false;
  // Records: one write under way at a time.
  bool is_storing = false, is_final_stored = false, is_stale_in_store = false,
       has_store_failed = false;
  std::vector<WaiterId> waiters;
  std::optional<DismissOutcome>
      answered;  // what callers were told; who comes later is told the same
};

// Fences the life and starts the operation.  The room must be Active, and may be forgotten when this comes back.
// `code`: RoomDismiss, or KickedOut where a ban of the room ends it; `bans` are in force already and are stored with
// the record.
OperationId start_dismissal(Core& core, Room& room, const DismissRoom& command, ClientCode code,
                            std::vector<BanRule> bans);
// Why its users are gone, as everybody is told.
Reason reason_of(const DismissalRecord& record);
// Adds a caller to a running operation, or answers it as the others were.
void join_dismissal(Core& core, Dismissal& operation, WaiterId waiter);

// Reports about sessions of a fenced life.
void on_dismissed_signal_lost(Core& core, Room& room, Participant& participant,
                              ConnectionId connection);
void on_dismissed_notice_acked(Core& core, Room& room, Participant& participant);
void on_dismissed_leave_result(Core& core, Room& room, Participant& participant, bool is_written);
// Who was on the way out at the fence got further: the close may be due.
void advance_dismissal(Core& core, Room& room);

// Timers, by operation id.
void on_dismiss_notice_due(Core& core, const std::string& operation);
void on_dismiss_close_due(Core& core, const std::string& operation);
void on_dismiss_cut_due(Core& core, const std::string& operation);

}  // namespace atrium::domain
