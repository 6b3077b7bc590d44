// Stream bans: a user goes on publishing and nobody gets it.  They belong to one life and end with it; a user who
// leaves and comes back is still banned (vendor-contract 1.3.5).
#include <utility>

#include "domain/core.h"

namespace atrium::domain {
namespace {

std::string timer_id(const Room& room, const UserId& user) {
  return room.sid().value + '/' + user.value;
}

void tell_everybody(Core& core, const Room& room, const UserId& user, Room::StreamBan ban) {
  SendStreamBan news{.recipients = {}, .user = user, .audio = ban.audio, .video = ban.video};
  for (const auto& [sid, participant] : room.participants)
    if (participant.is_join_sent) news.recipients.push_back(sid);
  if (!news.recipients.empty()) core.out.put(std::move(news));
}

void change(Core& core, Room& room, const UserId& user, Room::StreamBan ban) {
  const auto before = room.stream_bans.find(user);
  const Room::StreamBan former =
      before == room.stream_bans.end() ? Room::StreamBan{} : before->second;
  const bool is_same = former.audio == ban.audio && former.video == ban.video;
  if (ban.audio || ban.video) {
    room.stream_bans[user] = ban;
  } else {
    room.stream_bans.erase(user);
    core.timers.cancel(TimerKind::StreamBanExpiry, timer_id(room, user));
  }
  if (is_same) return;
  if (const auto seat = room.users.find(user); seat != room.users.end())
    settle_mutes(core, room, room.participants.at(seat->second));
  tell_everybody(core, room, user, ban);
}

}  // namespace

// There is nothing to ban in a room that nobody is in: what it would hold ends with the life.
void on(Core& core, const SetStreamBan& command) {
  Room* room = core.find_current({command.app, command.room});
  if (room != nullptr) {
    const auto known = room->stream_bans.find(command.user);
    Room::StreamBan ban = known == room->stream_bans.end() ? Room::StreamBan{} : known->second;
    ban.audio = command.audio.value_or(ban.audio);
    ban.video = command.video.value_or(ban.video);
    change(core, *room, command.user, ban);
    const bool bans = command.audio.value_or(false) || command.video.value_or(false);
    if (bans)
      core.timers.arm(TimerKind::StreamBanExpiry, timer_id(*room, command.user),
                      command.interval > Duration{} ? core.now.mono + command.interval : kNever);
  }
  core.out.put(ActionReply{command.waiter, ActionOutcome::Done, {}});
}

void on_stream_ban_expired(Core& core, const std::string& room_and_user) {
  const size_t slash = room_and_user.find('/');
  Room* room = core.find_life(RoomSid(room_and_user.substr(0, slash)));
  if (room != nullptr && room->phase == LifePhase::Active)
    change(core, *room, UserId(room_and_user.substr(slash + 1)), {});
}

void tell_stream_bans(Core& core, const Room& room, const Participant& participant) {
  for (const auto& [user, ban] : room.stream_bans)
    core.out.put(SendStreamBan{
        .recipients = {participant.sid()}, .user = user, .audio = ban.audio, .video = ban.video});
}

}  // namespace atrium::domain
