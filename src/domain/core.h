// Core: what the desks of the registry share: the lives, indexes over them, deadlines, the effects being written.
// Owner: Registry.  A desk is a file of `on(Core&, command)` functions: doors.cc (who comes and goes), tracks.cc,
// subscriptions.cc, grants.cc (tokens and metadata), removal.cc (ways out), dismissal.cc,
// sanctions.cc (kicks and bans), messages.cc (a backend's words), app_desk.cc (applications), bulk_desk.cc (many
// dismissals at once), webhook_desk.cc, room_service.cc (what LiveKit's RoomService asks
// for), schedule_desk.cc and policy_desk.cc (lives that end by themselves).
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "base/secret_source.h"
#include "domain/actions.h"
#include "domain/apps.h"
#include "domain/bans.h"
#include "domain/bulk_run.h"
#include "domain/dismissal.h"
#include "domain/end_slots.h"
#include "domain/outbox.h"
#include "domain/policies.h"
#include "domain/registry.h"
#include "domain/room.h"
#include "domain/schedules.h"
#include "domain/timers.h"
#include "domain/tombstones.h"
#include "domain/webhooks.h"

namespace atrium::domain {

struct Core {
  Core(SecretSource& secret_source, RegistryOptions registry_options)
      : secrets(secret_source), options(std::move(registry_options)) {}

  // given
  SecretSource& secrets;
  RegistryOptions options;
  Now now;  // of the command being applied; mono never goes back

  // owned
  std::map<RoomSid, Room> lives;
  std::map<OperationId, Dismissal> operations;                 // running
  std::map<OperationId, DismissalRecord> finished_operations;  // bounded by kOperationsInMemoryMax
  std::deque<OperationId> finished_order;
  std::map<OperationId, PendingAction> actions;
  std::map<OperationId, BulkRun> bulks;  // at most kBulkRunningMax
  Tombstones tombstones;
  Bans bans;
  Apps apps;
  Webhooks webhooks;
  Schedules schedules;
  Policies policies;
  Timers timers;
  EndSlots end_slots;
  Outbox out;
  uint64_t lives_opened = 0;

  // derived
  std::map<RoomName, RoomSid> current;               // Active lives
  std::map<RoomName, OperationId> latest_dismissal;  // running, of the name's latest dismissed life
  std::unordered_map<ParticipantSid, RoomSid> homes;  // present and departing participants
  std::map<std::pair<AppId, UserId>, std::set<RoomSid>> present;  // Active lives that a user is in
  std::multimap<ParticipantSid, OperationId> awaited;             // whose end actions wait for
  std::set<RoomSid> touched;                                      // lives with news in this command
  std::optional<Duration> wall_ahead;  // of the mono clock, when it was last seen to be set

  Room* find_life(const RoomSid& room_sid);
  Room* find_current(const RoomName& name);
  // The life that this participant belongs to, whatever its phase.
  Room* find_home(const ParticipantSid& participant);
  Dismissal* find_dismissal(const Room& room);

  // A participant who is in an Active life.  The one door of every command that acts on a life: past the fence nobody
  // gets through.
  struct Present {
    Room* room = nullptr;
    Participant* participant = nullptr;
    explicit operator bool() const { return participant != nullptr; }
  };
  Present find_present(const ParticipantSid& participant);
  // Where a user is now: in this room, or where `room` is absent in every room of the app.
  using Seat = std::pair<RoomSid, ParticipantSid>;
  std::vector<Seat> seats_of(const AppId& app, const std::optional<RoomId>& room,
                             const UserId& user) const;
  // The user is in this life no more.
  void leave_presence(const Room& room, const UserId& user);

  void check_invariants() const;
};

constexpr Duration limit_ms(int64_t value) {
  return std::chrono::milliseconds(value);
}
inline RoomName name_of(const Joiner& joiner) {
  return {joiner.app, joiner.room};
}
// Where a wall-clock expiry lies on the mono clock; past ones are due now, unreachable ones never.
Mono deadline_of(Wall expiry, Now now);

// --- doors.cc -----------------------------------------------------------------------------------
void on(Core& core, Join& command);
void on(Core& core, Resume& command);
void on(Core& core, const JoinSent& command);
void on(Core& core, const SignalLost& command);
void on(Core& core, const Leave& command);
void on(Core& core, const TransportUp& command);
void on(Core& core, const TransportMoved& command);
void on(Core& core, const TransportDown& command);
void on(Core& core, const NoticeChannel& command);
void on(Core& core, const RestoreTombstones& command);
void on_join_to_active_due(Core& core, const std::string& participant);
void on_resume_grace_over(Core& core, const std::string& participant);
void on_tombstone_expired(Core& core, const std::string& participant);
// Remembers a tombstone until it expires; false when the participant has one already.
bool add_tombstone(Core& core, const Tombstone& tombstone);

// --- tracks.cc ----------------------------------------------------------------------------------
void on(Core& core, AddTrack& command);
void on(Core& core, TrackLive& command);
void on(Core& core, const TrackGone& command);
void on(Core& core, const SetMuted& command);
void on(Core& core, UpdateTrackInfo& command);
enum class UnpublishedBy : uint8_t { Client, Server, Departure };
// Ends a publication: forwards, uplink, event; its publisher is told when the server did it.
void unpublish(Core& core, Room& room, Participant& publisher, const TrackSid& track,
               UnpublishedBy by);

// Brings what a participant's tracks show and forward to where the client's mutes and stream bans want them.
void settle_mutes(Core& core, Room& room, Participant& participant);

// --- stream_bans.cc -----------------------------------------------------------------------------
void on_stream_ban_expired(Core& core, const std::string& room_and_user);
// Tells one who came, or whose channel opened, of every ban in the room.
void tell_stream_bans(Core& core, const Room& room, const Participant& participant);

// --- subscriptions.cc ---------------------------------------------------------------------------
void on(Core& core, const UpdateSubscription& command);
void on(Core& core, const UpdateTrackSettings& command);
void on(Core& core, const SubscriptionPermission& command);
void on(Core& core, const ForwardAttached& command);
// Bring forwards to where choices, permissions and rules want them.
void settle_track(Core& core, Room& room, Participant& publisher, Publication& publication);
void settle_subscriber(Core& core, Room& room, Participant& subscriber);
// By hand, whatever auto_subscribe says.  False: it is no live track of somebody else.
bool choose_track(Core& core, Room& room, Participant& subscriber, const TrackSid& track,
                  bool subscribe);
// Forgets what everybody holds about a track that ends, stopping its forwards.
void drop_subscriptions_to(Core& core, Room& room, const TrackSid& track);
// Forgets what a leaving subscriber holds; its transport is cut or closed, so no forward is stopped singly.
void drop_subscriptions_of(Room& room, Participant& subscriber);

// --- grants.cc ----------------------------------------------------------------------------------
void on(Core& core, UpdateMetadata& command);
void on(Core& core, RenewToken& command);
void on_token_expired(Core& core, const std::string& participant);
void on_token_warning_due(Core& core, const std::string& participant);
void on_publish_expired(Core& core, const std::string& participant);
void on_subscribe_expired(Core& core, const std::string& participant);
void on_publish_limit_over(Core& core, const std::string& participant);
// A rule about its token came into force: it is stopped and told -1002.
void limit_publishing(Core& core, Room& room, Participant& participant, Wall until);
// Reads the privileges' expiries of the participant's token and arms its timers; at the door and after a renewal.
void start_token_clocks(Core& core, Participant& participant);
// A resume may bring a newer 001 token: it counts as a renewal.
void renew_if_newer(Core& core, Room& room, Participant& participant, Joiner& joiner);
// What others read of a participant; an attribute with an empty value goes.
struct Description {
  std::optional<std::string> name, metadata;
  std::map<std::string, std::string> attributes;
};
// Null, or what of it is too long: then nothing was changed.
const char* describe(Participant& participant, Description described);
// A backend's word, which holds for the rest of the session.
void order_permissions(Core& core, Room& room, Participant& participant, Permissions permissions);
size_t attributes_bytes(const std::map<std::string, std::string>& attributes);

// --- removal.cc ---------------------------------------------------------------------------------
enum class Farewell : uint8_t {
  Notice,     // notice, leave, close, teardown
  LeaveOnly,  // leave, close, teardown
  Silent,     // connection dropped, teardown
};
enum class DepartureSeenAs : uint8_t {
  Departure,
  Continuation,  // the same user goes on under another sid
};
struct Removal {
  LeaveReason reason = LeaveReason::None;
  Farewell farewell = Farewell::Silent;  // where nobody can be told, Silent is what happens
  LeaveAction action = LeaveAction::Disconnect;
  std::optional<ClientCode> code;  // of the notice, the close code and the tombstone
  DepartureSeenAs seen_as = DepartureSeenAs::Departure;
  std::optional<Wall> forbidden_until = std::nullopt;  // said in the notice
  // Where somebody ordered it.
  OperationId operation = {};
  std::string operator_id = {}, text = {};
};
// A kick or a ban: told -1006 and, of a ban, until when.
Removal removal_by_order(const OperationId& operation, const ActionOrigin& origin,
                         std::optional<Wall> forbidden_until);
// As those hear it whom it concerns, and everybody who asks later.
Reason reason_of(const Removal& removal);
// Takes a present participant out of an Active life.  Yields the departure that others were not told of, if so.
std::shared_ptr<const ParticipantView> remove_participant(Core& core, Room& room,
                                                          ParticipantSid sid,
                                                          const Removal& removal);
void cancel_participant_timers(Core& core, const ParticipantSid& participant);
void on(Core& core, const NoticeAcked& command);
void on(Core& core, const LeaveWritten& command);
void on(Core& core, const LeaveNotWritten& command);
void on(Core& core, const TransportClosed& command);
void on_departure_notice_due(Core& core, const std::string& participant);
void on_departure_leave_due(Core& core, const std::string& participant);
// A departing participant's socket went away by itself.
void on_departure_signal_lost(Core& core, Room& room, const ParticipantSid& participant,
                              ConnectionId connection);

// --- sanctions.cc -------------------------------------------------------------------------------
void on(Core& core, const BanUsers& command);
void on(Core& core, const UpdateBan& command);
void on(Core& core, const LiftBan& command);
void on(Core& core, const RemoveUser& command);
void on(Core& core, const RestoreBans& command);
void on(Core& core, const SetStreamBan& command);
void on(Core& core, const LimitToken& command);
// False: too many are in force.
bool put_in_force(Core& core, const BanRule& rule);
// These rules hold no more; those that do not any way are passed over.
void take_out_of_force(Core& core, const std::vector<std::pair<AppId, BanId>>& rules);

// --- messages.cc --------------------------------------------------------------------------------
void on(Core& core, const SendMessage& command);

// --- app_desk.cc --------------------------------------------------------------------------------
void on(Core& core, const CreateApp& command);
void on(Core& core, const ChangeApp& command);
void on(Core& core, const RestoreApps& command);
// The store has, or has not, what a change of an application was answered with.
void settle_app(Core& core, const App& app, bool is_stored);

// --- lives.cc -----------------------------------------------------------------------------------
Room& open_life(Core& core, const RoomName& name);
void arm_empty_timer_if_empty(Core& core, Room& room);
void on_room_empty_due(Core& core, const std::string& room_sid);
// Forgets everybody left in a life and the life itself.
void forget_life(Core& core, const RoomSid& room_sid);
// What a participant who may not have been told leaves behind; it expires kTombstoneMs from now.
Tombstone make_tombstone(const Core& core, const Room& room, const Participant& participant,
                         const Reason& reason);
Event make_event(Core& core, const Room& room, EventKind kind);
Event make_event(Core& core, const Room& room, EventKind kind, const Participant& participant);

// --- updates.cc ---------------------------------------------------------------------------------
// Others have something new to see of a present participant.
void announce_change(Core& core, Room& room, Participant& participant, Audience audience);
void flush_updates(Core& core, Room& room);
// The room itself, to everybody in it at once.
void announce_room(Core& core, Room& room);
void on_room_updates_due(Core& core, const std::string& room_sid);
// At the end of a command: small rooms hear at once, larger ones when their updates are due.
void flush_touched_rooms(Core& core);

// --- schedule_desk.cc ---------------------------------------------------------------------------
void on(Core& core, const ScheduleDismissal& command);
void on(Core& core, const ExtendDismissal& command);
void on(Core& core, const CancelDismissal& command);
void on(Core& core, const RestoreSchedules& command);
void on_schedule_warning(Core& core, const std::string& schedule);
void on_schedule_due(Core& core, const std::string& schedule);
void on_schedule_orphaned(Core& core, const std::string& schedule);
// The store has, or has not, what was ordered of a schedule.
void settle_schedule(Core& core, const OperationId& operation, PendingAction& action,
                     bool is_stored);
// A life begins: it takes over what was restored for its name.
void inherit_schedule(Core& core, const Room& room);
// A life is about to end: so does its schedule, in the store before anything else is written of that end.
void end_schedules(Core& core, const Room& room);
// Tells one whose channel opened what counts down.
void tell_schedule(Core& core, const Room& room, const Participant& participant);
// Whether this one may not come in since the room is about to be dismissed.
bool is_kept_out_by_schedule(Core& core, const Joiner& joiner);
// The wall clock was set forward by so much (back where negative).
void move_schedules(Core& core, Duration step);

// --- policy_desk.cc -----------------------------------------------------------------------------
void on(Core& core, const SetRoomPolicy& command);
void on(Core& core, const RestorePolicies& command);
void on_policy_due(Core& core, const std::string& room_sid);
void settle_policy(Core& core, const PolicyChange& change, bool is_stored);
// What a policy goes by: a life began, somebody came, went or may do other things, media began or ended.
void policy_meets_life(Core& core, Room& room);
void policy_meets_participant(Core& core, Room& room, const Participant& participant);
void policy_misses_participant(Core& core, Room& room, const ParticipantSid& participant);
void policy_meets_publishing(Core& core, Room& room);
// Tells one whose channel opened what the others were warned of.
void tell_policy(Core& core, const Room& room, const Participant& participant);
// What ends at a point of the wall clock that has come; the clock was set.
void end_by_wall(Core& core);
void move_policies(Core& core);

// --- wall_steps.cc ------------------------------------------------------------------------------
// Finds out whether the wall clock was set, and moves what follows it.
void follow_wall(Core& core);
void on_wall_look_due(Core& core, const std::string& unused);
// Something new follows the wall clock: it is looked at from now on.
void watch_wall(Core& core);

// --- bulk_desk.cc -------------------------------------------------------------------------------
void on(Core& core, const DismissRooms& command);
void on_bulk_step(Core& core, const std::string& operation);

// --- webhook_desk.cc ----------------------------------------------------------------------------
void on(Core& core, const PutWebhook& command);
void on(Core& core, const DropWebhook& command);
void on(Core& core, const RestoreWebhooks& command);
// The store has, or has not, what a change of a webhook was answered with.
void settle_webhook(Core& core, const PendingWebhook& change, bool is_stored);

// --- room_service.cc ----------------------------------------------------------------------------
void on(Core& core, const OpenRoom& command);
void on(Core& core, const ChangeRoomMetadata& command);
void on(Core& core, const ChangeParticipant& command);
void on(Core& core, const MuteByServer& command);
void on(Core& core, const SubscribeByServer& command);

// --- dismissal.cc -------------------------------------------------------------------------------
void on(Core& core, const DismissRoom& command);
void on(Core& core, const RoomCut& command);
void on(Core& core, const RoomClosed& command);
void on(Core& core, const RecordStored& command);

inline void on(Core&, const Tick&) {}

}  // namespace atrium::domain
