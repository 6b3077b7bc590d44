// What the registry decided.  Effects come out in the order persist → media → signal → event → reply within one
// apply();
// node carries them out in that order.  Replies and events of an operation are held back by the registry itself until
// RecordStored, so node never has to.
#pragma once

#include <memory>
#include <variant>

#include "base/shared_bytes.h"
#include "domain/bulk.h"
#include "domain/event.h"
#include "domain/schedule.h"
#include "domain/types.h"
#include "domain/webhook.h"

namespace atrium::domain {

// --- persist
// -----------------------------------------------------------------------------------------------------------
// Answered by RecordStored when `await` is set.  The reply waits for the fence's record and for the final one; at
// most one
// of an operation is under way at any time.
struct PersistDismissal {
  DismissalRecord record;
  std::vector<Tombstone>
      tombstones;  // of those who cannot be told now; to add in the same transaction
  bool await = true;
  bool is_final = false;  // the operation's last record; exactly one has it
  // With the fence's record: of everybody else, in case the process ends before they are told.  Meant for the store
  // alone.  `told`, with the final record: who needs theirs no more; to delete in the same transaction.
  std::vector<Tombstone> precautions = {};
  std::vector<ParticipantSid> told = {};
  std::vector<BanRule> bans = {};  // to put in the same transaction
  // With the fence's record: that everybody left and the life ended.  Nobody is told before ReleaseEvents.
  std::vector<Event> events = {};
};
// The media of this operation's life is cut: its events may be told.
struct ReleaseEvents {
  OperationId operation;
  AppId app;
};
// What a ban, a kick or the lifting of a ban leaves; answered by RecordStored.
struct PersistBans {
  OperationId operation;
  std::vector<BanRule> put;  // replaces the rule of the same target
  std::vector<BanId> drop;
  std::vector<Tombstone> tombstones;
};
// The whole application as it is now; answered by RecordStored.
struct PersistApp {
  OperationId operation;
  App app;
  bool is_new = false;  // one of the same id or API key makes the write fail
};
// All three are answered by RecordStored.
struct PersistSchedules {
  OperationId operation;
  std::vector<Schedule> put;
  std::vector<ScheduleId> drop;
};
struct PersistPolicy {
  OperationId operation;
  AppId app;
  RoomId room;
  std::optional<RoomPolicy> policy;  // none: it is dropped
};
struct PersistWebhook {
  OperationId operation;
  Webhook webhook;
  bool is_dropped = false;
};
// A list of lives that are to be dismissed one after the other; answered by RecordStored.  Without items it is the end
// of one that was written before: its head alone is replaced, its items stay.
struct PersistBulk {
  BulkDismissal bulk;
};
struct PersistTombstones {
  std::vector<Tombstone> tombstones;
};  // found unacknowledged later

// --- media
// -------------------------------------------------------------------------------------------------------------
// The notice, in the words of DESIGN section 1.  Node encodes it.
struct Notice {
  ClientCode code = ClientCode::RoomDismiss;
  std::string name;       // "ROOM_DISMISS"
  std::string message;    // one English sentence
  OperationId operation;  // empty: none
  std::optional<Wall> forbidden_until;
  std::string operator_id = {};  // who ordered it
};
struct CutRoom {
  RoomSid room_sid;
  Notice notice;
};  // answered by RoomCut, then NoticeAcked per participant; see RegistryOptions::cut_at_once
struct CloseRoom {
  RoomSid room_sid;
};  // answered by RoomClosed
struct CutParticipant {
  ParticipantSid participant;
  Notice notice;
};  // answered by NoticeAcked
struct CloseParticipant {
  ParticipantSid participant;
};  // tear its transport down; answered by TransportClosed
struct StartForward {
  ParticipantSid subscriber, publisher;
  TrackSid track;
  TrackKind kind = TrackKind::Audio;
};
struct StopForward {
  ParticipantSid subscriber;
  TrackSid track;
};
struct PauseForward {
  ParticipantSid subscriber;
  TrackSid track;
  bool paused = false;
  VideoQuality quality = VideoQuality::High;
};
struct PauseTrack {
  ParticipantSid publisher;
  TrackSid track;
  bool muted = false;
};
struct StopTrack {
  ParticipantSid publisher;
  TrackSid track;
};  // publication ended; forget its uplink
// No rule keeps this address out: media and data may flow to and from it.  Asked by TransportUp and TransportMoved.
struct AdmitAddress {
  ParticipantSid participant;
  IpAddress address;
};
struct SetDataPermission {
  ParticipantSid participant;
  bool can_publish_data = true;
};

// --- signal
// ------------------------------------------------------------------------------------------------------------
// `join` to be sent on `connection`.  The participant exists from now on.
struct JoinAccepted {
  ConnectionId connection;
  ParticipantView self;
  RoomView room;
  std::vector<std::shared_ptr<const ParticipantView>> others;  // visible ones, at this moment
};
// Answer the HTTP upgrade with the vendor's code (signal adapter maps it to a status).
struct JoinRefused {
  ConnectionId connection;
  ClientCode code = ClientCode::JoinRoom;
  std::string message;
  bool retry_later = false;                            // 503 with Retry-After
  std::optional<Wall> forbidden_until = std::nullopt;  // of a ban
};
// `reconnect`, then a full update.  The former connection, if any, is to be closed quietly.
struct ResumeAccepted {
  ConnectionId connection;
  std::optional<ConnectionId> former;
  ParticipantView self;
  RoomView room;
  std::vector<std::shared_ptr<const ParticipantView>> others;
  std::vector<std::shared_ptr<const ParticipantView>> departed;  // DISCONNECTED replay
};
// Upgrade, `reconnect`, `leave{code's reason}`, close 3000+|code|.
struct ResumeMeetsTombstone {
  ConnectionId connection;
  Notice notice;
};
// Upgrade, then order a full reconnect (STATE_MISMATCH).
struct ResumeUnknown {
  ConnectionId connection;
};

// One encoding, many recipients.
struct ParticipantUpdate {
  std::vector<ParticipantSid> recipients;
  std::vector<std::shared_ptr<const ParticipantView>> participants;
};
struct RoomUpdate {
  std::vector<ParticipantSid> recipients;
  RoomView room;
};
struct TrackPublished {
  ParticipantSid participant;
  TrackView track;
};
enum class RequestKind : uint8_t { AddTrack, UpdateMetadata, Mute, UpdateTrackInfo, Subscription };
enum class RequestOutcome : uint8_t {
  Ok,
  NotFound,
  NotAllowed,
  LimitExceeded,
  UnsupportedType,
  Invalid
};
struct RequestAnswer {
  ParticipantSid participant;
  RequestKind kind = RequestKind::AddTrack;
  RequestOutcome outcome = RequestOutcome::Ok;
  uint32_t request_id = 0;
  std::string message;
  TrackView track;  // AddTrack: what was asked for, so that it can be echoed
};
struct TrackSubscribed {
  ParticipantSid publisher;
  TrackSid track;
};  // first subscriber attached
struct TrackUnpublished {
  ParticipantSid participant;
  TrackSid track;
};  // server ended it
// The server muted it: the publisher's client is to do as if its user had.
struct TrackMuted {
  ParticipantSid participant;
  TrackSid track;
  bool muted = true;
};
struct SubscriptionFailed {
  ParticipantSid participant;
  TrackSid track;
};
struct SubscriptionAllowed {
  ParticipantSid participant, publisher;
  TrackSid track;
  bool allowed = true;
};
// `leave{reason, action}` and close code in one write.  Answered by LeaveWritten or LeaveNotWritten.
enum class LeaveAction : uint8_t { Disconnect, Resume, Reconnect };
struct SendLeave {
  ParticipantSid participant;
  LeaveReason reason = LeaveReason::None;
  LeaveAction action = LeaveAction::Disconnect;
  uint16_t close_code = 1000;
};
// Server message to one client's `_reliable` (topics atrium.token_will_expire, atrium.error).
struct SendServerData {
  ParticipantSid participant;
  std::string topic;
  std::string json;
};
// Everybody is told that a user's streams of a kind are banned, or are not any more (topic atrium.stream_banned).
struct SendStreamBan {
  std::vector<ParticipantSid> recipients;
  UserId user;
  bool audio = false, video = false;  // what is banned now
};
// These are told when their room ends by itself, or that it does not (topics atrium.dismissal_scheduled,
// atrium.dismissal_cancelled, atrium.room_ends, atrium.room_ends_cancelled).
struct SendCountdown {
  std::vector<ParticipantSid> recipients;
  Countdown countdown;
};
// A backend's message to these clients' `_reliable`.  One encoding, many recipients; nobody says whether it arrived.
struct DeliverMessage {
  std::vector<ParticipantSid> recipients;
  std::string topic;
  SharedBytes payload;
  bool is_lossy = false;  // what it says of itself; it goes the same way
};
// Drop the connection without any message: its session was superseded or cut.
struct DropConnection {
  ConnectionId connection;
};

// --- event
// -------------------------------------------------------------------------------------------------------------
// Event: domain/event.h

// --- reply
// -------------------------------------------------------------------------------------------------------------
enum class DismissOutcome : uint8_t {
  Done,
  NoSuchRoom,           // success to the caller
  MediaCutUnconfirmed,  // InternalError with the operation id; the operation goes on
  RecordFailed,         // InternalError; media stays cut
  Unfinished,  // InternalError with the operation id: cut, but not known to be closed and recorded in time
  NotCurrent,  // success to the caller: the life that was meant is not the current one, nothing was done
};
struct DismissReply {
  WaiterId waiter;
  DismissOutcome outcome = DismissOutcome::Done;
  std::optional<DismissalRecord> record;  // absent for NoSuchRoom
  bool is_first = true;  // of the operation's answers; the others are to callers who joined it
};
enum class ActionOutcome : uint8_t {
  Done,
  NotThere,      // success to the caller: there was nothing to change
  RecordFailed,  // InternalError; what was done in memory stays done
  Unfinished,    // InternalError with the operation id: not known to be finished in time
  TooManyBans,   // refused
  TooManyApps,   // refused
  Exists,        // refused: an AppId or API key that is taken
  NoSuchRoom,    // refused: it needs a live room
  TooLate,       // success to the caller: what was to be cancelled or moved has begun
  TooMany,       // refused: a table is full, or a text longer than it may be
};
struct ActionReply {
  WaiterId waiter;
  ActionOutcome outcome = ActionOutcome::Done;
  OperationId operation;                             // empty where nothing was done
  std::shared_ptr<const App> app = nullptr;          // of CreateApp and ChangeApp: as it is now
  std::optional<Schedule> schedule = std::nullopt;   // of the schedule's commands: as it is now
  std::optional<BulkDismissal> bulk = std::nullopt;  // of DismissRooms
  std::shared_ptr<const Webhook> webhook =
      nullptr;  // of PutWebhook and DropWebhook: as it is now, or was
};
// The life is over; node may forget what it keyed by this sid.
struct LifeForgotten {
  RoomSid room_sid;
};
// The session is over; node may forget what it keyed by this sid.
struct ParticipantForgotten {
  ParticipantSid participant;
};

using Effect =
    std::variant<PersistDismissal, PersistBans, PersistApp, PersistSchedules, PersistPolicy,
                 PersistWebhook, PersistBulk, PersistTombstones, ReleaseEvents, CutRoom, CloseRoom,
                 CutParticipant, CloseParticipant, StartForward, StopForward, PauseForward,
                 PauseTrack, StopTrack, AdmitAddress, SetDataPermission, JoinAccepted, JoinRefused,
                 ResumeAccepted, ResumeMeetsTombstone, ResumeUnknown, ParticipantUpdate, RoomUpdate,
                 TrackPublished, RequestAnswer, TrackSubscribed, TrackUnpublished, TrackMuted,
                 SubscriptionFailed, SubscriptionAllowed, SendLeave, SendServerData, SendStreamBan,
                 SendCountdown, DeliverMessage, DropConnection, Event, DismissReply, ActionReply,
                 LifeForgotten, ParticipantForgotten>;
using Effects = std::vector<Effect>;

}  // namespace atrium::domain
