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
  if (command.topic) return *command.topic;
  const char* audience = !command.room ? "" : !command.users ? "room_" : "user_";
  const char* kind = command.is_binary ? "binary:" : "message:";
  return std::string("atrium.") + audience + kind + command.from;
}

using Sids = std::vector<ParticipantSid>;

// A user may be named twice.
Sids recipients_of(Core& core, const SendMessage& command) {
  Sids out;
  if (!command.users) {
    const Room* room = command.room ? core.find_current({command.app, *command.room}) : nullptr;
    if (room == nullptr) return out;
    for (const auto& [sid, participant] : room->participants) out.push_back(sid);
    return out;
  }
  for (const UserId& user : *command.users)
    for (const auto& [room_sid, sid] : core.seats_of(command.app, command.room, user))
      out.push_back(sid);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

}  // namespace

void on(Core& core, const SendMessage& command) {
  Sids recipients = recipients_of(core, command);
  if (!recipients.empty())
    core.out.put(DeliverMessage{std::move(recipients), topic_of(command), command.payload,
                                command.is_lossy});
  core.out.put(ActionReply{command.waiter, ActionOutcome::Done, {}});
}

}  // namespace atrium::domain
