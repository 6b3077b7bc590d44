// LiveKit's RoomService: from the HTTP server to the adapter, through the quotas of the management API and the
// registry, and back.
#include "base/limits.h"
#include "node/control.h"
#include "node/http_words.h"

namespace atrium::node {

twirp::CallerOutcome ControlPlane::twirp_caller(const HttpRequest& request, Now now) const {
  const auto token = signal::verify_service_token(
      signal::presented_token({}, request.header("Authorization")), registry_.apps(), now);
  if (!token) return std::unexpected(std::string(token.error().message));
  return twirp::Caller{.app = token->app,
                       .api_key = token->api_key,
                       .is_management = token->is_management,
                       .room_create = token->room_create,
                       .room_list = token->room_list,
                       .room_admin = token->room_admin,
                       .room = token->room};
}

void ControlPlane::on_twirp_request(ConnectionId connection, const HttpRequest& request, Now now) {
  ++counters_.api_calls;
  const auto refuse = [&](twirp::Response response) {
    ++counters_.api_refused;
    http_.respond(connection, to_http(std::move(response)));
  };
  const size_t under_way = waiting_.size() + twirp_waiting_.size();
  if (under_way >= static_cast<size_t>(limits::kApiWaitingMax) || audit_.is_full())
    return refuse(twirp::busy());
  const WaiterId waiter{next_waiter_++};
  const twirp::CallerOutcome caller = twirp_caller(request, now);
  auto outcome = twirp::read({.method = request.method,
                              .path = path_of(request.target),
                              .content_type = request.header("Content-Type"),
                              .body = request.body,
                              .request_id = secrets_.sid("RQ_")},
                             caller, registry_, waiter);
  if (auto* refused = std::get_if<twirp::Response>(&outcome)) {
    audit_refused_twirp(caller, *refused, request, now);
    return refuse(std::move(*refused));
  }
  auto& call = std::get<twirp::Call>(outcome);
  domain::AuditEntry entry = audit_entry(call.pending, request);
  const domain::App& app = *registry_.apps().find(call.pending.caller.app);
  const Duration wait = gateway_.take_quota_of(twirp::quota_of(call.pending), app, now);
  if (wait > Duration::zero()) {
    twirp::Response response = twirp::over_quota(wait);
    audit_refused_or_read(std::move(entry), response.status, response.error);
    return refuse(std::move(response));
  }
  if (!call.command) {
    twirp::Response response = twirp::answer(call.pending, registry_);
    audit_refused_or_read(std::move(entry), response.status, response.error);
    if (!response.error.empty()) return refuse(std::move(response));
    http_.respond(connection, to_http(std::move(response)));
    return;
  }
  twirp_waiting_.emplace(waiter,
                         TwirpWaiting{connection, std::move(call.pending), {std::move(entry)}});
  waiter_of_[connection] = waiter;
  if (auto* dismiss = std::get_if<domain::DismissRoom>(&*call.command))
    dismiss->accepted = request.arrived;
  submit(*std::move(call.command), waiter);
}

bool ControlPlane::answer_twirp(const domain::DismissReply& reply) {
  const auto found = twirp_waiting_.find(reply.waiter);
  if (found == twirp_waiting_.end()) return false;
  finish_twirp(reply.waiter, twirp::on_dismissed(found->second.call, reply, registry_),
               reply.record ? reply.record->operation : OperationId(),
               reply.outcome != domain::DismissOutcome::NoSuchRoom);
  return true;
}

bool ControlPlane::answer_twirp(const domain::ActionReply& reply) {
  const auto found = twirp_waiting_.find(reply.waiter);
  if (found == twirp_waiting_.end()) return false;
  finish_twirp(reply.waiter, twirp::on_applied(found->second.call, reply, registry_),
               reply.operation, reply.outcome != domain::ActionOutcome::NotThere);
  return true;
}

void ControlPlane::finish_twirp(WaiterId waiter, twirp::Response response,
                                const OperationId& operation, bool is_done) {
  const auto found = twirp_waiting_.find(waiter);
  TwirpWaiting& waiting = found->second;
  if (!response.error.empty()) ++counters_.api_refused;
  if (is_done || waiting.audited.accepted)
    audit_finished(waiting.audited, operation, response.status, response.error);
  else
    audit_refused_or_read(std::move(waiting.audited.entry), response.status, response.error);
  if (waiting.connection) {
    waiter_of_.erase(*waiting.connection);
    http_.respond(*waiting.connection, to_http(std::move(response)));
  }
  twirp_waiting_.erase(found);
}

void ControlPlane::abandon_twirp_calls() {
  while (!twirp_waiting_.empty())
    finish_twirp(twirp_waiting_.begin()->first, twirp::busy(), {}, false);
}

}  // namespace atrium::node
