// What a backend says to people in rooms.  Whom it means is decided here and now: a fenced life has no name that could
// be meant, and who comes later hears nothing of it.
#include <algorithm>
#include <utility>

#include "domain/core.h"

namespace atrium::domain {
namespace {

// Clients know by the topic what the vendor's SDKs know by the callback: whether it was said to the room, to them in
// the room, or to them wherever they are.
std::string topic_of(const SendMessage& command) {
  const char* audience = !command.room ? "" : !command.users ? "room_" : "user_";
  const char* kind = command.is_binary ? "binary:" : "message:";
  return std::string("atrium.") + audience + kind + command.from;
}

using Sids = std::vector<ParticipantSid>;

void add_user(const Room& room, const UserId& user, Sids& out) {
  if (auto seat = room.users.find(user); seat != room.users.end()) out.push_back(seat->second);
}

void add_user_anywhere(const Core& core, const AppId& app, const UserId& user, Sids& out) {
  const auto lives = core.present.find({app, user});
  if (lives == core.present.end()) return;
  for (const RoomSid& room_sid : lives->second) add_user(core.lives.at(room_sid), user, out);
}

// A user may be named twice.
Sids recipients_of(Core& core, const SendMessage& command) {
  Sids out;
  const Room* room = command.room ? core.find_current({command.app, *command.room}) : nullptr;
  if (command.room && room == nullptr) return out;
  if (!command.users) {
    if (room == nullptr) return out;
    for (const auto& [sid, participant] : room->participants) out.push_back(sid);
    return out;
  }
  for (const UserId& user : *command.users) {
    if (room != nullptr)
      add_user(*room, user, out);
    else
      add_user_anywhere(core, command.app, user, out);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

}  // namespace

void on(Core& core, const SendMessage& command) {
  Sids recipients = recipients_of(core, command);
  if (!recipients.empty())
    core.out.put(DeliverMessage{std::move(recipients), topic_of(command), command.payload});
  core.out.put(ActionReply{command.waiter, ActionOutcome::Done, {}});
}

}  // namespace atrium::domain
