#include "adapters/twirp/service.h"

#include <algorithm>

#include "adapters/twirp/methods.h"
#include "base/check.h"
#include "base/limits.h"

namespace atrium::twirp {
namespace {

constexpr std::string_view kPrefix = "/twirp/";
constexpr std::string_view kService = "livekit.RoomService/";

// Printable ASCII, bounded: safe in a message.
std::string shown(std::string_view text) {
  constexpr size_t kShownMax = 128;
  std::string out(text.substr(0, kShownMax));
  std::ranges::replace_if(
      out, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

Refusal bad_route(std::string message) {
  return {Code::BadRoute, std::move(message)};
}

std::expected<const Method*, Refusal> find_method(const Request& request) {
  const std::string_view route = request.path.substr(std::min(kPrefix.size(), request.path.size()));
  if (!request.path.starts_with(kPrefix) || !route.starts_with(kService))
    return std::unexpected(bad_route("no handler for path \"" + shown(request.path) +
                                     "\"; the service here is livekit.RoomService"));
  const std::string_view name = route.substr(kService.size());
  const auto found = std::ranges::find(methods(), name, &Method::name);
  if (found != methods().end()) return &*found;
  if (is_unserved(name))
    return std::unexpected(Refusal{Code::Unimplemented, std::string(name) + " is not served"});
  return std::unexpected(bad_route("livekit.RoomService has no method \"" + shown(name) + "\""));
}

// Lack of grants is `unauthenticated`, as the reference server has it.
std::optional<Refusal> check_caller(const CallerOutcome& caller, const Method& method) {
  if (!caller) return Refusal{Code::Unauthenticated, caller.error()};
  if (!caller->is_management)
    return Refusal{Code::PermissionDenied,
                   "the API key may not manage rooms: it was not added with Management"};
  const bool is_granted = method.grant == Grant::RoomCreate ? caller->room_create
                          : method.grant == Grant::RoomList ? caller->room_list
                                                            : caller->room_admin;
  if (is_granted) return std::nullopt;
  const std::string name = method.grant == Grant::RoomCreate ? "roomCreate"
                           : method.grant == Grant::RoomList ? "roomList"
                                                             : "roomAdmin";
  return Refusal{Code::Unauthenticated, "permissions denied: the token does not grant " + name};
}

Refusal failed(const char* what, const OperationId& operation) {
  return {Code::Internal, what, operation};
}

}  // namespace

bool is_twirp_path(std::string_view path) {
  return path.starts_with(kPrefix);
}

std::variant<Response, Call> read(const Request& request, const CallerOutcome& caller,
                                  const domain::Registry& registry, WaiterId waiter) {
  if (request.method != "POST")
    return refuse(
        bad_route("unsupported method \"" + shown(request.method) + "\" (only POST is allowed)"));
  const auto method = find_method(request);
  if (!method) return refuse(method.error());
  const std::optional<Form> form = form_of(request.content_type);
  if (!form)
    return refuse(bad_route("unexpected Content-Type: \"" + shown(request.content_type) + "\""));
  if (const auto refusal = check_caller(caller, **method)) return refuse(*refusal);
  const domain::App* app = registry.apps().find(caller->app);
  if (app == nullptr) return refuse({Code::Unauthenticated, "the token's application is gone"});
  Call call{.pending = {.method = *method,
                        .form = *form,
                        .caller = *caller,
                        .room = {},
                        .user = {},
                        .track = {},
                        .rooms = {},
                        .request_id = request.request_id},
            .command = {}};
  ReadContext context{.body = request.body,
                      .app = *app,
                      .registry = registry,
                      .waiter = waiter,
                      .call = call.pending};
  Step step = (*method)->read(context);
  if (!step) return refuse(step.error());
  call.command = *std::move(step);
  return call;
}

std::string_view quota_of(const PendingCall& call) {
  return call.method->quota;
}

Response over_quota(Duration wait) {
  DCHECK(wait > Duration::zero());
  const int64_t seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return refuse({Code::ResourceExhausted,
                 "too many requests of this kind per second",
                 {},
                 std::max<int64_t>(1, seconds)});
}

Response answer(const PendingCall& call, const domain::Registry& registry) {
  return call.method->answer(call, registry);
}

Response on_dismissed(const PendingCall& call, const domain::DismissReply& reply,
                      const domain::Registry& registry) {
  const OperationId operation = reply.record ? reply.record->operation : OperationId();
  switch (reply.outcome) {
    case domain::DismissOutcome::Done:
      return answer(call, registry);
    case domain::DismissOutcome::NoSuchRoom:
    case domain::DismissOutcome::NotCurrent:
      return refuse({Code::NotFound, "requested room does not exist"});
    case domain::DismissOutcome::MediaCutUnconfirmed:
      return refuse(failed("the end of media is not confirmed yet; it goes on", operation));
    case domain::DismissOutcome::RecordFailed:
      return refuse(failed("the room is ended, its record could not be stored", operation));
    case domain::DismissOutcome::Unfinished:
      return refuse(failed("the room is cut, not yet known to be closed and recorded; it goes on",
                           operation));
  }
  return refuse(failed("the room's end is unknown", operation));
}

Response on_applied(const PendingCall& call, const domain::ActionReply& reply,
                    const domain::Registry& registry) {
  switch (reply.outcome) {
    case domain::ActionOutcome::Done:
      return answer(call, registry);
    case domain::ActionOutcome::NotThere:
    case domain::ActionOutcome::NoSuchRoom:
      if (!registry.find_room(call.caller.app, call.room))
        return refuse({Code::NotFound, "requested room does not exist"});
      if (!registry.find_user(call.caller.app, call.room, call.user))
        return refuse({Code::NotFound, "participant does not exist"});
      return refuse({Code::NotFound, "track does not exist"});
    case domain::ActionOutcome::TooMany:
      return refuse({Code::ResourceExhausted,
                     "a table is full or a text too long: at most " +
                         std::to_string(limits::kRoomsMax) + " rooms, " +
                         std::to_string(limits::kAttributesBytesMax) +
                         " bytes of attributes of a participant, those that are kept included"});
    case domain::ActionOutcome::RecordFailed:
      return refuse(failed("it could not be stored; who was to leave has left", reply.operation));
    case domain::ActionOutcome::Unfinished:
      return refuse(
          failed("it is not confirmed yet that it is stored and everybody gone; it goes on",
                 reply.operation));
    default:
      return refuse(failed("it was not done", reply.operation));
  }
}

Response busy() {
  return refuse({Code::Unavailable,
                 "the server is busy or stopping; try again shortly",
                 {},
                 limits::kRetryAfterS});
}

domain::AuditEntry audit_entry(const PendingCall& call) {
  domain::AuditEntry entry;
  entry.door = domain::AuditDoor::Twirp;
  entry.access_key = call.caller.api_key;
  entry.action = "RoomService." + std::string(call.method->name);
  entry.app = call.caller.app;
  entry.room = call.room;
  entry.request_id = call.request_id;
  return entry;
}

}  // namespace atrium::twirp
