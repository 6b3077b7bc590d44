// What the registry can be told.  Values only; `now` travels beside them.  Whoever sends a command about a life names
// its RoomSid or a ParticipantSid (which belongs to exactly one life), and the registry compares it.
#pragma once

#include <variant>

#include "base/shared_bytes.h"
#include "domain/bulk.h"
#include "domain/schedule.h"
#include "domain/types.h"
#include "domain/webhook.h"

namespace atrium::domain {

// --- doors
struct Join {
  ConnectionId connection;
  Joiner joiner;
};
// A client that says it was `participant`.  `Joiner` is from the token presented now.
struct Resume {
  ConnectionId connection;
  ParticipantSid participant;
  Joiner joiner;
};

// --- signalling
struct JoinSent {
  ParticipantSid participant;
};  // the first message was handed to the socket
struct SignalLost {
  ParticipantSid participant;
  ConnectionId connection;
};
struct Leave {
  ParticipantSid participant;
};
struct AddTrack {
  ParticipantSid participant;
  // sid empty; what the client asked for: cid, name, stream, sizes, flags, codec, and layers (lowest first, each with
  // its rid when there are several).
  TrackView track;
};
// Negotiation found the publication's section (again after each offer that changes it).
struct TrackLive {
  ParticipantSid participant;
  TrackSid track;
  std::string mime, mid;
};
struct TrackGone {
  ParticipantSid participant;
  TrackSid track;
};
struct SetMuted {
  ParticipantSid participant;
  TrackSid track;
  bool muted = false;
};
struct UpdateSubscription {
  ParticipantSid participant;
  std::vector<TrackSid> tracks;
  bool subscribe = true;
};
struct UpdateTrackSettings {
  ParticipantSid participant;
  std::vector<TrackSid> tracks;
  bool disabled = false;
  VideoQuality quality = VideoQuality::High;
  uint32_t width = 0, height = 0;
};
// Who may subscribe to the sender's tracks.  Empty lists with all=false: nobody.
struct SubscriptionPermission {
  struct Entry {
    ParticipantSid participant;  // or, when empty,
    UserId user;
    bool all_tracks = false;
    std::vector<TrackSid> tracks;
  };
  ParticipantSid participant;
  bool all = true;
  std::vector<Entry> entries;
};
struct UpdateMetadata {
  ParticipantSid participant;
  uint32_t request_id = 0;
  std::optional<std::string> name, metadata;
  std::map<std::string, std::string> attributes;  // empty value deletes
};
struct UpdateTrackInfo {  // update_audio_track / update_video_track
  ParticipantSid participant;
  TrackSid track;
  std::optional<std::vector<uint8_t>> audio_features;
  std::optional<uint32_t> width, height;
};
struct RenewToken {
  ParticipantSid participant;
  Joiner joiner;
};

// --- media reports
// ---------------------------------------------------------------------------------------------------
struct TransportUp {
  ParticipantSid participant;
  std::optional<IpAddress> address = std::nullopt;  // where its packets come from
};                                                  // ICE + DTLS done
struct TransportMoved {
  ParticipantSid participant;
  IpAddress address;
};  // its packets come from elsewhere now
struct TransportDown {
  ParticipantSid participant;
};  // consent lost or DTLS failed
struct NoticeChannel {
  ParticipantSid participant;
  bool open = false;
};  // `_reliable` opened or closed
struct NoticeAcked {
  ParticipantSid participant;
};  // SCTP acknowledged the notice, or there was no channel to use
struct ForwardAttached {
  ParticipantSid subscriber;
  TrackSid track;
};  // section carries the track downstream now
struct RoomCut {
  RoomSid room_sid;
  Mono at{};
  Wall wall_at{};
  std::optional<uint32_t> transports = std::nullopt;  // standing at the cut; absent: not counted
};
struct TransportClosed {
  ParticipantSid participant;
};
struct RoomClosed {
  RoomSid room_sid;
  uint32_t transports_closed = 0;
  uint64_t packets_after_cut = 0;
};

// --- signalling's reports about removals
// ----------------------------------------------------------------------------------
// About `connection`, or where that is absent, about whichever carried the leave: a client may have come back on
// another one before the former's end is known.
struct LeaveWritten {
  ParticipantSid participant;
  std::optional<ConnectionId> connection = std::nullopt;
};  // leave and close are with the kernel
struct LeaveNotWritten {
  ParticipantSid participant;
  std::optional<ConnectionId> connection = std::nullopt;
};  // the socket was gone or took nothing

// --- management
struct DismissRoom {
  WaiterId waiter;
  AppId app;
  RoomId room;
  std::string operator_id, request_id, reason;
  std::optional<Mono> accepted = std::nullopt;       // when the call was heard; absent: now
  std::optional<Duration> forbidden = std::nullopt;  // > 0: nobody may join for so long
  // Only this life; another one, or none, is left alone (NotCurrent).
  std::optional<RoomSid> if_session = std::nullopt;
};
// The lives that are meant are settled now; their dismissals begin at most `per_second` a second.
struct DismissRooms {
  WaiterId waiter;
  AppId app;
  BulkFilter filter;
  uint32_t per_second = 0;
  ActionOrigin origin;
};
// Ends the current life later.  A life has one schedule at most: a further one replaces it.
struct ScheduleDismissal {
  WaiterId waiter;
  AppId app;
  RoomId room;
  std::optional<RoomSid> if_session = std::nullopt;
  std::optional<Wall> at = std::nullopt;  // follows the wall clock; or
  std::optional<Duration> after = std::nullopt;
  std::optional<Duration> forbidden = std::nullopt;
  bool refuses_joins = false;
  std::vector<Duration> warn_before = {};
  ActionOrigin origin;
};
// Moves the end of one that counts down: to `at`, or by `by` (which may be negative).
struct ExtendDismissal {
  WaiterId waiter;
  AppId app;
  ScheduleId schedule;
  std::optional<Wall> at = std::nullopt;
  std::optional<Duration> by = std::nullopt;
  ActionOrigin origin;
};
struct CancelDismissal {
  WaiterId waiter;
  AppId app;
  ScheduleId schedule;
  ActionOrigin origin;
};
// Replaces the policy of a name; none: it has none any more.
struct SetRoomPolicy {
  WaiterId waiter;
  AppId app;
  RoomId room;
  std::optional<RoomPolicy> policy;
  ActionOrigin origin;
};
struct PutWebhook {  // new, or changed; created_at and updated_at are not looked at
  WaiterId waiter;
  Webhook webhook;  // id empty: a new one
};
struct DropWebhook {
  WaiterId waiter;
  AppId app;
  WebhookId webhook;
};
// RoomService: a backend in LiveKit's words.  Each is answered by ActionReply; the state is read from the registry
// then.
struct OpenRoom {  // makes a life where there is none
  WaiterId waiter;
  AppId app;
  RoomId room;
  std::optional<Duration> empty_timeout = std::nullopt, departure_timeout = std::nullopt;
  uint32_t max_participants = 0;  // 0: no bound of its own
  std::optional<std::string> metadata = std::nullopt;
  ActionOrigin origin;
};
struct ChangeRoomMetadata {
  WaiterId waiter;
  AppId app;
  RoomId room;
  std::string metadata;
  ActionOrigin origin;
};
struct ChangeParticipant {
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  std::optional<std::string> name, metadata;
  std::map<std::string, std::string> attributes;  // empty value deletes
  std::optional<Permissions> permissions;
  ActionOrigin origin;
};
// As the client's own mute; a server's unmute is refused by the adapter.
struct MuteByServer {
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  TrackSid track;
  bool muted = true;
  ActionOrigin origin;
};
struct SubscribeByServer {
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  std::vector<TrackSid> tracks;
  bool subscribe = true;
  ActionOrigin origin;
};
// Ban and eviction in one; an interval of 0 evicts alone.  Answered by ActionReply, for a whole room by DismissReply.
struct BanUsers {
  WaiterId waiter;
  AppId app;
  BanTarget target;
  Duration interval{};
  ActionOrigin origin;
  // Of a whole room: what its users are told (RoomDismiss for a dismissal with a window), and when the call was heard.
  ClientCode code = ClientCode::KickedOut;
  std::optional<Mono> accepted = std::nullopt;
};
// Changes a rule and nobody's presence: 0 lifts it, anything else starts it anew, also where there was none.
struct UpdateBan {
  WaiterId waiter;
  AppId app;
  BanTarget target;
  Duration interval{};
  ActionOrigin origin;
};
struct LiftBan {
  WaiterId waiter;
  AppId app;
  BanId ban;
};
struct RemoveUser {  // KickUser
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  ActionOrigin origin;
};
// Takes or gives back what a user sends of one kind, in the current life of a room; absent: as it is.  Ends with the
// life.  An interval of 0 holds until it is given back.
struct SetStreamBan {
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  std::optional<bool> audio, video;
  Duration interval{};
};
// Who joined that room as that user with this token may not publish for so long.
struct LimitToken {
  WaiterId waiter;
  AppId app;
  RoomId room;
  UserId user;
  Sha256 token_hash{};
  Duration interval{};
  ActionOrigin origin;
};
// A backend's words to people: whoever is meant and in now gets them, in each room once.  Nothing of it is kept, and
// nobody there is success: answered by ActionReply at once.
struct SendMessage {
  WaiterId waiter;
  AppId app;
  std::optional<RoomId> room = std::nullopt;  // absent: whichever rooms the users are in
  std::optional<std::vector<UserId>> users = std::nullopt;  // absent: everybody in the room
  std::string from = {};  // as the backend calls itself; no user's id
  bool is_binary = false;
  SharedBytes payload;
  // RoomService's SendData: this topic, as it is, instead of the vendor's form; lossy where asked.
  std::optional<std::string> topic = std::nullopt;
  bool is_lossy = false;
};
// Makes an application; what is left empty of its id and keys is made here.  It can be used once it is stored.
struct CreateApp {
  WaiterId waiter;
  App app;  // created_at is not looked at
};
// Whatever is given is changed, in force at once; an app that is disabled loses its live rooms as by DismissRoom.
struct ChangeApp {
  WaiterId waiter;
  AppId app;
  std::optional<bool> enabled = std::nullopt, any_ids = std::nullopt;
  std::optional<std::string> name = std::nullopt;
  std::optional<std::string> primary_key = std::nullopt, secondary_key = std::nullopt;
  std::optional<ApiKey> add_key = std::nullopt;
  std::optional<std::string> drop_key = std::nullopt;
  ActionOrigin origin = {};
};
struct RestoreApps {
  std::vector<App> apps;
};  // at start, from the store
struct RestoreSchedules {
  std::vector<Schedule> schedules;
};  // at start, from the store
struct RestorePolicies {
  std::vector<RoomPolicy> policies;
};  // at start, from the store
struct RestoreWebhooks {
  std::vector<Webhook> webhooks;
};  // at start, from the store
struct RestoreBans {
  std::vector<BanRule> rules;
};  // at start, from the store
struct RecordStored {
  OperationId operation;
  bool ok = false;
};  // answer to everything that is to be persisted and has an operation
struct RestoreTombstones {
  std::vector<Tombstone> tombstones;
};  // at start, from the store

// --- time
struct Tick {};

using Command = std::variant<
    Join, Resume, JoinSent, SignalLost, Leave, AddTrack, TrackLive, TrackGone, SetMuted,
    UpdateSubscription, UpdateTrackSettings, SubscriptionPermission, UpdateMetadata,
    UpdateTrackInfo, RenewToken, TransportUp, TransportMoved, TransportDown, NoticeChannel,
    NoticeAcked, ForwardAttached, RoomCut, TransportClosed, RoomClosed, LeaveWritten,
    LeaveNotWritten, DismissRoom, BanUsers, UpdateBan, LiftBan, RemoveUser, SetStreamBan,
    LimitToken, SendMessage, CreateApp, ChangeApp, DismissRooms, ScheduleDismissal, ExtendDismissal,
    CancelDismissal, SetRoomPolicy, PutWebhook, DropWebhook, OpenRoom, ChangeRoomMetadata,
    ChangeParticipant, MuteByServer, SubscribeByServer, RecordStored, RestoreTombstones,
    RestoreBans, RestoreApps, RestoreSchedules, RestorePolicies, RestoreWebhooks, Tick>;

}  // namespace atrium::domain
