// What the audit is told of calls: who asked, what was accepted with which write, what came of it.
#include "domain/dismissal.h"
#include "node/client_address.h"
#include "node/control.h"
#include "node/http_words.h"

namespace atrium::node {

domain::AuditEntry ControlPlane::audit_entry(openapi::Response&& response,
                                             const IpAddress& source) const {
  openapi::CallTrace& trace = response.trace;
  const bool is_read = !trace.changes || trace.is_dry_run;
  return {.phase = is_read ? domain::AuditPhase::Read : domain::AuditPhase::Finished,
          .door = domain::AuditDoor::OpenApi,
          .at = wall_,
          .account = std::move(trace.account),
          .access_key = std::move(trace.access_key),
          .action = std::move(trace.action),
          .version = std::move(trace.version),
          .app = std::move(trace.app),
          .room = std::move(trace.room),
          .request_id = std::move(response.request_id),
          .source = source.text(),
          .body_hash = trace.content_hash,
          .is_dry_run = trace.is_dry_run,
          .is_replay = trace.is_replay};
}

domain::AuditEntry ControlPlane::audit_entry(const twirp::PendingCall& call,
                                             const HttpRequest& request) const {
  domain::AuditEntry entry = twirp::audit_entry(call);
  entry.at = wall_;
  entry.source = client_address(request, config_.trusted_proxies).text();
  entry.body_hash = sha256(as_bytes(request.body));
  if (const domain::App* app = registry_.apps().find(entry.app)) entry.account = app->account;
  return entry;
}

ControlPlane::Audited* ControlPlane::find_audited(WaiterId waiter) {
  if (const auto api = waiting_.find(waiter); api != waiting_.end()) return &api->second.audited;
  const auto twirp = twirp_waiting_.find(waiter);
  return twirp == twirp_waiting_.end() ? nullptr : &twirp->second.audited;
}

void ControlPlane::audit_accepted(Audited& call, store::WriteRequest& request,
                                  const OperationId& operation) {
  call.accepted = operation;
  for (const auto* events : {&request.events, &request.held_events})
    for (const domain::Event& event : *events)
      if (event.reason.operation == operation) call.reason = event.reason;
  domain::AuditEntry entry = call.entry;
  entry.phase = domain::AuditPhase::Accepted;
  entry.at = wall_;
  entry.operation = operation;
  entry.reason = call.reason;
  request.audit.push_back(std::move(entry));
}

void ControlPlane::audit_finished(Audited& call, const OperationId& operation, int status,
                                  std::string_view outcome) {
  domain::AuditEntry& entry = call.entry;
  entry.at = wall_;
  entry.operation = operation.empty() ? call.accepted.value_or(operation) : operation;
  entry.reason = std::move(call.reason);
  if (!call.accepted) {
    // Where nothing was found to change there is no effect that "accepted" would belong to.
    if (!entry.operation.empty()) {
      entry.phase = domain::AuditPhase::Accepted;
      audit_.note(domain::AuditEntry(entry));
    }
    call.accepted = entry.operation;
  }
  entry.phase = domain::AuditPhase::Finished;
  entry.status = status;
  entry.outcome = std::string(outcome);
  audit_.note(std::move(entry));
}

void ControlPlane::audit_refused_or_read(domain::AuditEntry&& entry, int status,
                                         std::string_view outcome) {
  if (!outcome.empty()) entry.phase = domain::AuditPhase::Refused;
  entry.at = wall_;
  entry.status = status;
  entry.outcome = std::string(outcome);
  audit_.note(std::move(entry));
}

void ControlPlane::audit_answer(openapi::Response& response, const IpAddress& source, Now now) {
  if (!response.trace.access_key.empty())
    return audit_refused_or_read(audit_entry(std::move(response), source), response.status,
                                 code_of(response));
  if (response.error)
    audit_.count_unknown(source, domain::AuditDoor::OpenApi, std::string(code_of(response)), now);
}

void ControlPlane::audit_refused_twirp(const twirp::CallerOutcome& caller,
                                       const twirp::Response& response, const HttpRequest& request,
                                       Now now) {
  const IpAddress source = client_address(request, config_.trusted_proxies);
  if (!caller)
    return audit_.count_unknown(source, domain::AuditDoor::Twirp, std::string(response.error), now);
  const std::string_view path = path_of(request.target);
  domain::AuditEntry entry{.phase = domain::AuditPhase::Refused,
                           .door = domain::AuditDoor::Twirp,
                           .access_key = caller->api_key,
                           .action = openapi::printable(path.substr(path.rfind('/') + 1)),
                           .app = caller->app,
                           .source = source.text(),
                           .body_hash = sha256(as_bytes(request.body))};
  if (const domain::App* app = registry_.apps().find(caller->app)) entry.account = app->account;
  audit_refused_or_read(std::move(entry), response.status, response.error);
}

void ControlPlane::audit_timer(store::WriteRequest& request, const domain::DismissalRecord& record,
                               domain::AuditPhase phase) {
  domain::AuditEntry entry{.phase = phase,
                           .door = domain::AuditDoor::Timer,
                           .at = wall_,
                           .access_key = record.operator_id,
                           .action = "DismissRoom",
                           .app = record.app,
                           .room = record.room,
                           .operation = record.operation,
                           .request_id = record.request_id,
                           .reason = domain::reason_of(record)};
  if (const domain::App* app = registry_.apps().find(record.app)) entry.account = app->account;
  if (phase == domain::AuditPhase::Finished && record.state != domain::DismissalState::Done)
    entry.outcome = openapi::error_row(openapi::ErrorCode::InternalError).code;
  request.audit.push_back(std::move(entry));
}

}  // namespace atrium::node
