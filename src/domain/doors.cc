// The doors: joining, resuming, losing one's connection, leaving; and the transport that makes a joiner active.
#include <algorithm>
#include <string>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"
#include "domain/notices.h"

namespace atrium::domain {
namespace {

constexpr int32_t kProtocolWithDepartureReplay = 9;

void refuse(Core& core, ConnectionId connection, ClientCode code, std::string message,
            bool retry_later) {
  core.out.put(JoinRefused{connection, code, std::move(message), retry_later});
}

bool is_id_ok(const std::string& id) {
  return !id.empty() && id.size() <= static_cast<size_t>(limits::kIdBytesMax);
}

// What no retry can cure; nullptr: nothing.
const char* flaw_of(const Joiner& joiner) {
  if (!is_id_ok(joiner.app.value) || !is_id_ok(joiner.room.value)) return "room id out of bounds";
  if (!is_id_ok(joiner.user.value)) return "user id out of bounds";
  if (joiner.name.size() > static_cast<size_t>(limits::kNameBytesMax)) return "name too long";
  if (joiner.metadata.size() > static_cast<size_t>(limits::kMetadataBytesMax))
    return "metadata too long";
  if (attributes_bytes(joiner.attributes) > static_cast<size_t>(limits::kAttributesBytesMax))
    return "attributes too long";
  return nullptr;
}

// What may pass with time; nullptr: nothing.
const char* shortage_for(Core& core, const Joiner& joiner) {
  const Room* room = core.find_current(name_of(joiner));
  if (room == nullptr)
    return core.lives.size() >= static_cast<size_t>(limits::kRoomsMax) ? "too many rooms" : nullptr;
  const bool is_full =
      room->participants.size() >= static_cast<size_t>(limits::kParticipantsPerRoomMax);
  return is_full && !room->users.contains(joiner.user) ? "the room is full" : nullptr;
}

// A backend said how many may be in this life.  No retry is promised: it is no shortage of ours.
bool is_at_its_own_bound(Core& core, const Joiner& joiner) {
  const Room* room = core.find_current(name_of(joiner));
  return room != nullptr && room->max_participants != 0 &&
         room->participants.size() >= room->max_participants && !room->users.contains(joiner.user);
}

bool refuse_if_unfit(Core& core, const Join& command) {
  if (std::optional<Tombstone> tombstone = core.tombstones.take_for_join(command.joiner)) {
    refuse(core, command.connection, tombstone->code,
           make_notice(*tombstone).message, false);
    return true;
  }
  if (const char* flaw = flaw_of(command.joiner)) {
    const bool is_room = !is_id_ok(command.joiner.room.value);
    refuse(core, command.connection, is_room ? ClientCode::RoomIdIllegal : ClientCode::JoinRoom,
           flaw, false);
    return true;
  }
  if (const App* app = core.apps.find(command.joiner.app); app != nullptr && !app->enabled) {
    refuse(core, command.connection, ClientCode::JoinRoom, "the application is disabled", false);
    return true;
  }
  if (const std::optional<Bans::Match> ban = core.bans.match(command.joiner)) {
    core.out.put(JoinRefused{.connection = command.connection,
                             .code = ban->code,
                             .message = std::string(client_code_message(ban->code)),
                             .retry_later = false,
                             .forbidden_until = ban->expires_at});
    return true;
  }
  if (is_at_its_own_bound(core, command.joiner)) {
    refuse(core, command.connection, ClientCode::JoinRoom,
           "the room has as many participants as it was created for", false);
    return true;
  }
  if (is_kept_out_by_schedule(core, command.joiner)) {
    // Final for every SDK: who waits at the door would walk into the next life of the name.
    refuse(core, command.connection, ClientCode::JoinRoom,
           "the room is about to be dismissed and nobody new is let in", false);
    return true;
  }
  if (const char* shortage = shortage_for(core, command.joiner)) {
    refuse(core, command.connection, ClientCode::JoinRoom, shortage, true);
    return true;
  }
  return false;
}

// The same user in the same life: the earlier session goes.  Yields the departure that the others need not hear of,
// since the user goes on; null when there is none, or when the newcomer will not be seen.
std::shared_ptr<const ParticipantView> displace_earlier_login(Core& core, Room& room,
                                                              const Joiner& joiner) {
  const bool goes_on_visibly = !joiner.permissions.hidden;
  auto earlier = room.users.find(joiner.user);
  if (earlier == room.users.end())
    return goes_on_visibly ? room.updates.withhold_departure(joiner.user) : nullptr;
  return remove_participant(
      core, room, earlier->second,
      {.reason = LeaveReason::DuplicateLogin,
       .farewell = Farewell::Notice,
       .action = LeaveAction::Disconnect,
       .code = ClientCode::DuplicateLogin,
       .seen_as = goes_on_visibly ? DepartureSeenAs::Continuation : DepartureSeenAs::Departure});
}

Participant& admit(Core& core, Room& room, Join& command) {
  ParticipantSid sid(core.secrets.sid("PA_"));
  Participant& participant =
      room.participants
          .try_emplace(sid, sid, command.connection, std::move(command.joiner), core.now)
          .first->second;
  room.users[participant.user()] = sid;
  core.present[{room.name().app, participant.user()}].insert(room.sid());
  core.homes[sid] = room.sid();
  ++(participant.is_hidden() ? room.tally.hidden : room.tally.visible);
  room.was_joined = true;
  core.timers.cancel(TimerKind::RoomEmpty, room.sid().value);
  core.timers.arm(TimerKind::JoinToActive, sid.value,
                  core.now.mono + limit_ms(limits::kJoinToActiveMs));
  start_token_clocks(core, participant);
  policy_meets_participant(core, room, participant);
  return participant;
}

// Whether the token presented at a resume is of the session's user and room.
bool is_same_user(const Room& room, const Participant& participant, const Joiner& joiner) {
  return room.name() == name_of(joiner) && participant.user() == joiner.user;
}

// A rule that evicted nobody keeps this one out: it was made for later, or for an address that the user has only now.
void refuse_banned_resume(Core& core, const Resume& command, const Bans::Match& ban, Room* room) {
  core.out.put(ResumeMeetsTombstone{
      command.connection, make_notice(make_reason(LeaveReason::None, ban.code), ban.expires_at)});
  if (room == nullptr || room->phase != LifePhase::Active) return;
  remove_participant(core, *room, command.participant, removal_by_order({}, {}, ban.expires_at));
}

void accept_resume(Core& core, Room& room, Participant& participant, Resume& command) {
  const bool is_other =
      participant.connection.has_value() && *participant.connection != command.connection;
  const std::optional<ConnectionId> former = is_other ? participant.connection : std::nullopt;
  participant.connection = command.connection;
  participant.joiner.address =
      command.joiner.address;  // rules made from now on are about where it is now
  core.timers.cancel(TimerKind::ResumeGrace, participant.sid().value);
  if (!participant.is_transport_up)
    core.timers.arm(TimerKind::JoinToActive, participant.sid().value,
                    core.now.mono + limit_ms(limits::kJoinToActiveMs));
  renew_if_newer(core, room, participant, command.joiner);
  // A connection dies before we notice: also what was said in its last moments is said again.
  const Duration unheard = core.options.resume_grace + std::chrono::seconds(limits::kPingTimeoutS);
  const Mono since = std::max(participant.joined_mono(), core.now.mono - unheard);
  ResumeAccepted accepted{.connection = command.connection,
                          .former = former,
                          .self = participant.view(),
                          .room = room.view(),
                          .others = room.announced_views(participant.sid()),
                          .departed = {}};
  if (participant.joiner.protocol >= kProtocolWithDepartureReplay)
    accepted.departed = room.departed_since(since);
  core.out.put(std::move(accepted));
}

}  // namespace

void on(Core& core, Join& command) {
  if (refuse_if_unfit(core, command)) return;
  const RoomName name = name_of(command.joiner);
  Room* current = core.find_current(name);
  Room& room = current != nullptr ? *current : open_life(core, name);
  std::shared_ptr<const ParticipantView> withheld =
      displace_earlier_login(core, room, command.joiner);
  Participant& participant = admit(core, room, command);
  participant.continues = std::move(withheld);
  ParticipantView self = participant.view();
  self.state = ParticipantState::Joined;  // which it is by the time the client reads this
  core.out.put(JoinAccepted{command.connection, std::move(self), room.view(),
                            room.announced_views(participant.sid())});
  core.out.put(make_event(core, room, EventKind::UserJoined, participant));
}

void on(Core& core, Resume& command) {
  if (const Tombstone* tombstone =
          core.tombstones.find_for_resume(command.participant, command.joiner)) {
    Notice notice = make_notice(*tombstone);
    if (const std::optional<Bans::Match> ban = core.bans.match(command.joiner))
      notice.forbidden_until = ban->expires_at;
    core.out.put(ResumeMeetsTombstone{command.connection, std::move(notice)});
    return;
  }
  Room* room = core.find_home(command.participant);
  Participant* participant = room == nullptr ? nullptr : room->find(command.participant);
  const bool is_known = participant != nullptr && participant->is_join_sent &&
                        is_same_user(*room, *participant, command.joiner);
  if (const std::optional<Bans::Match> ban = core.bans.match(command.joiner)) {
    refuse_banned_resume(core, command, *ban, is_known ? room : nullptr);
  } else if (!is_known) {
    core.out.put(ResumeUnknown{command.connection});
  } else if (room->phase == LifePhase::Dismissing) {
    core.out.put(ResumeMeetsTombstone{
        command.connection, make_notice(reason_of(core.operations.at(room->operation).record))});
  } else {
    accept_resume(core, *room, *participant, command);
  }
}

void on(Core& core, const JoinSent& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr || participant->is_join_sent) return;
  participant->is_join_sent = true;
  participant->continues.reset();
  if (participant->is_announced()) room->announced.insert(participant->sid());
  if (participant->state == ParticipantState::Joining)
    participant->state = ParticipantState::Joined;
  announce_change(core, *room, *participant, Audience::Others);
  settle_subscriber(core, *room, *participant);
  for (auto& [sid, publication] : participant->publications)
    if (publication.view.live) settle_track(core, *room, *participant, publication);
}

void on(Core& core, const SignalLost& command) {
  Room* room = core.find_home(command.participant);
  if (room == nullptr) return;
  Participant* participant = room->find(command.participant);
  if (participant == nullptr)
    return on_departure_signal_lost(core, *room, command.participant, command.connection);
  if (room->phase == LifePhase::Dismissing)
    return on_dismissed_signal_lost(core, *room, *participant, command.connection);
  if (participant->connection != command.connection) return;
  participant->connection.reset();
  if (participant->is_join_sent) {
    core.timers.arm(TimerKind::ResumeGrace, command.participant.value,
                    core.now.mono + core.options.resume_grace);
  } else {
    // It was never told its sid, so it cannot come back as this session.
    remove_participant(core, *room, command.participant,
                       {.reason = LeaveReason::ConnectionLost, .code = {}});
  }
}

void on(Core& core, const Leave& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant != nullptr)
    remove_participant(core, *room, command.participant,
                       {.reason = LeaveReason::UserLeave, .code = {}});
}

// A rule about addresses holds for where packets come from, too.  True: the participant is out.
bool remove_if_banned(Core& core, Room& room, Participant& participant, const IpAddress& from) {
  participant.media_address = unmapped(from);
  const std::optional<Bans::Match> ban = core.bans.match(room.name().app, from);
  if (!ban) core.out.put(AdmitAddress{participant.sid(), from});
  if (!ban) return false;
  remove_participant(core, room, participant.sid(), removal_by_order({}, {}, ban->expires_at));
  return true;
}

void on(Core& core, const TransportMoved& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant != nullptr) remove_if_banned(core, *room, *participant, command.address);
}

void on(Core& core, const TransportUp& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr) return;
  if (command.address && remove_if_banned(core, *room, *participant, *command.address)) return;
  participant->is_transport_up = true;
  core.timers.cancel(TimerKind::JoinToActive, command.participant.value);
  if (participant->state == ParticipantState::Active) return;
  participant->state = ParticipantState::Active;
  announce_change(core, *room, *participant, Audience::Others);
}

void on(Core& core, const TransportDown& command) {
  auto [room, participant] = core.find_present(command.participant);
  if (participant == nullptr) return;
  participant->is_transport_up = false;
  participant->is_notice_channel_open = false;
  if (participant->state != ParticipantState::Active) {
    remove_participant(core, *room, command.participant,
                       {.reason = LeaveReason::MediaFailure,
                        .farewell = Farewell::LeaveOnly,
                        .action = LeaveAction::Reconnect,
                        .code = {}});
    return;
  }
  if (!participant->connection) return;  // already within the grace
  participant->connection.reset();       // this leave closes it
  core.timers.arm(TimerKind::ResumeGrace, command.participant.value,
                  core.now.mono + core.options.resume_grace);
  core.out.put(SendLeave{command.participant, LeaveReason::MediaFailure, LeaveAction::Resume});
}

void on(Core& core, const NoticeChannel& command) {
  Room* room = core.find_home(command.participant);
  Participant* participant = room == nullptr ? nullptr : room->find(command.participant);
  if (participant == nullptr) return;
  participant->is_notice_channel_open = command.open;
  const bool says_warning =
      command.open && participant->is_token_warning_due && room->phase == LifePhase::Active;
  if (says_warning) on_token_warning_due(core, command.participant.value);
  if (!command.open || room->phase != LifePhase::Active) return;
  tell_stream_bans(core, *room, *participant);
  tell_schedule(core, *room, *participant);
  tell_policy(core, *room, *participant);
}

void on(Core& core, const RestoreTombstones& command) {
  for (const Tombstone& tombstone : command.tombstones)
    if (tombstone.expires_at > core.now.wall) add_tombstone(core, tombstone);
}

bool add_tombstone(Core& core, const Tombstone& tombstone) {
  // A stored expiry far ahead means that the wall clock was set back since.
  const Mono latest = core.now.mono + limit_ms(limits::kTombstoneMs);
  const Mono deadline = std::min(deadline_of(tombstone.expires_at, core.now), latest);
  const Tombstones::Added added = core.tombstones.add(tombstone, deadline);
  if (added.evicted) core.timers.cancel(TimerKind::TombstoneExpiry, added.evicted->value);
  if (added.is_new)
    core.timers.arm(TimerKind::TombstoneExpiry, tombstone.participant.value, deadline);
  return added.is_new;
}

void on_tombstone_expired(Core& core, const std::string& participant) {
  core.tombstones.erase(ParticipantSid(participant));
}

void on_join_to_active_due(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  remove_participant(
      core, *room, found->sid(),
      {.reason = LeaveReason::JoinTimeout, .farewell = Farewell::LeaveOnly, .code = {}});
}

void on_resume_grace_over(Core& core, const std::string& participant) {
  auto [room, found] = core.find_present(ParticipantSid(participant));
  if (found == nullptr) return;
  remove_participant(core, *room, found->sid(),
                     {.reason = LeaveReason::ConnectionLost, .code = {}});
}

}  // namespace atrium::domain
