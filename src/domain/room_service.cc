// What LiveKit's RoomService asks for beyond dismissals, kicks and messages: a life made before anybody joins, and
// changes of rooms, participants, tracks and subscriptions.  Nothing of it is stored: it is answered at once and ends
// with the life or the session that it is about.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

// Who is in the name's current life as that user.
Core::Present find_user(Core& core, const AppId& app, const RoomId& room, const UserId& user) {
  Room* life = core.find_current({app, room});
  if (life == nullptr) return {};
  const auto seat = life->users.find(user);
  return seat == life->users.end() ? Core::Present{} : core.find_present(seat->second);
}

bool is_live(const Participant& publisher, const TrackSid& track) {
  const auto found = publisher.publications.find(track);
  return found != publisher.publications.end() && found->second.view.live;
}

}  // namespace

void on(Core& core, const OpenRoom& command) {
  const RoomName name{command.app, command.room};
  if (core.find_current(name) != nullptr) return reply(core, command.waiter, ActionOutcome::Done);
  if (core.lives.size() >= static_cast<size_t>(limits::kRoomsMax))
    return reply(core, command.waiter, ActionOutcome::TooMany);
  Room& room = open_life(core, name);
  room.metadata = command.metadata.value_or("");
  room.max_participants = command.max_participants;
  room.empty_timeout = command.empty_timeout.value_or(room.empty_timeout);
  room.departure_timeout = command.departure_timeout.value_or(room.departure_timeout);
  arm_empty_timer_if_empty(core, room);
  reply(core, command.waiter, ActionOutcome::Done);
}

void on(Core& core, const ChangeRoomMetadata& command) {
  Room* room = core.find_current({command.app, command.room});
  if (room == nullptr) return reply(core, command.waiter, ActionOutcome::NotThere);
  if (command.metadata.size() > static_cast<size_t>(limits::kMetadataBytesMax))
    return reply(core, command.waiter, ActionOutcome::TooMany);
  if (room->metadata != command.metadata) {
    room->metadata = command.metadata;
    announce_room(core, *room);
  }
  reply(core, command.waiter, ActionOutcome::Done);
}

void on(Core& core, const ChangeParticipant& command) {
  auto [room, participant] = find_user(core, command.app, command.room, command.user);
  if (participant == nullptr) return reply(core, command.waiter, ActionOutcome::NotThere);
  if (describe(*participant, {command.name, command.metadata, command.attributes}) != nullptr)
    return reply(core, command.waiter, ActionOutcome::TooMany);
  if (command.permissions) order_permissions(core, *room, *participant, *command.permissions);
  announce_change(core, *room, *participant, Audience::Everybody);
  reply(core, command.waiter, ActionOutcome::Done);
}

void on(Core& core, const MuteByServer& command) {
  auto [room, publisher] = find_user(core, command.app, command.room, command.user);
  if (publisher == nullptr || !is_live(*publisher, command.track))
    return reply(core, command.waiter, ActionOutcome::NotThere);
  publisher->publications.at(command.track).is_muted_by_client = command.muted;
  settle_mutes(core, *room, *publisher);
  if (publisher->connection)
    core.out.put(TrackMuted{publisher->sid(), command.track, command.muted});
  reply(core, command.waiter, ActionOutcome::Done);
}

void on(Core& core, const SubscribeByServer& command) {
  const Core::Present who = find_user(core, command.app, command.room, command.user);
  const auto is_anothers = [&who](const TrackSid& track) {
    const Room::LiveTrack live = who.room->find_live_track(track);
    return live && live.publisher != who.participant;
  };
  // All or none: a caller who is told "not found" has changed nothing.
  if (!who || !std::ranges::all_of(command.tracks, is_anothers))
    return reply(core, command.waiter, ActionOutcome::NotThere);
  for (const TrackSid& track : command.tracks)
    choose_track(core, *who.room, *who.participant, track, command.subscribe);
  reply(core, command.waiter, ActionOutcome::Done);
}

}  // namespace atrium::domain
