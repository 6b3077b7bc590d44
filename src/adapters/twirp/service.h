// RoomService: LiveKit's server API over Twirp (docs/protocol/twirp.md).  Request in; out comes an answer, or a domain
// command whose reply completes it.  Owner: node, control thread.  Pure: no clock, no socket, no state of its own.
// Does not: verify tokens, count quotas, apply commands, wait, write audit.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "adapters/twirp/forms.h"
#include "adapters/twirp/message.h"
#include "domain/audit.h"
#include "domain/command.h"
#include "domain/effect.h"
#include "domain/registry.h"

namespace atrium::twirp {

struct Method;

// Whether a request's path is RoomService's, or that of another Twirp service.
bool is_twirp_path(std::string_view path);

// What is remembered of a call until its answer comes.  A value: node keeps it under the WaiterId.
struct PendingCall {
  const Method* method = nullptr;  // static storage
  Form form = Form::Json;
  Caller caller;
  RoomId room;
  UserId user;
  TrackSid track;
  std::vector<RoomId> rooms;  // of ListRooms; empty: all
  std::string request_id;
};
// A call that passed its checks.  It counts against quota_of(pending) before `command` is applied.
struct Call {
  PendingCall pending;
  std::optional<domain::Command> command;  // none: answer() at once
};

// Route, form, caller, grant, message, ids; in this order.  `waiter` is put into the command, which is to be applied in
// this same turn.
std::variant<Response, Call> read(const Request& request, const CallerOutcome& caller,
                                  const domain::Registry& registry, WaiterId waiter);

// The name of the management API's quota that the call counts against.
std::string_view quota_of(const PendingCall& call);
Response over_quota(Duration wait);  // until there is a token again; > 0

// Of a call that only looks.
Response answer(const PendingCall& call, const domain::Registry& registry);
// The second half of a call that had to wait.
Response on_dismissed(const PendingCall& call, const domain::DismissReply& reply,
                      const domain::Registry& registry);
Response on_applied(const PendingCall& call, const domain::ActionReply& reply,
                    const domain::Registry& registry);
// Node holds as many unanswered calls as it may, or is stopping.
Response busy();

// Who asked for what, with phase Read; what came of it is node's to say.
domain::AuditEntry audit_entry(const PendingCall& call);

}  // namespace atrium::twirp
