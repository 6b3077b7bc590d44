// Management calls: from the HTTP server to the gateway, through the registry or the store, and back.
#include "base/limits.h"
#include "base/log.h"
#include "domain/dismissal.h"
#include "node/client_address.h"
#include "node/control.h"
#include "node/http_words.h"

namespace atrium::node {
namespace {

double seconds(int64_t microseconds) {
  return static_cast<double>(microseconds) / 1e6;
}

StoreRequest to_store(WaiterId waiter, openapi::Question question) {
  if (auto* record = std::get_if<openapi::FindRecord>(&question))
    return FindDismissal{waiter, std::move(record->operation)};
  if (auto* bans = std::get_if<openapi::ListBanRules>(&question))
    return FindBans{waiter, std::move(bans->app), std::move(bans->after), bans->limit};
  if (auto* lives = std::get_if<openapi::ListLives>(&question))
    return FindLives{waiter, std::move(lives->query)};
  return FindVisitors{waiter, std::move(std::get<openapi::ListVisitors>(question).query)};
}

}  // namespace

void ControlPlane::on_api_request(ConnectionId connection, const HttpRequest& request, Now now) {
  ++counters_.api_calls;
  const openapi::Request call = to_openapi(request);
  if (waiting_.size() >= static_cast<size_t>(limits::kApiWaitingMax) || audit_.is_full()) {
    ++counters_.api_refused;
    http_.respond(connection,
                  to_http(gateway_.fault_response(call, openapi::FaultKind::Overloaded, now)));
    return;
  }
  const WaiterId waiter{next_waiter_++};
  openapi::Outcome outcome = gateway_.handle(call, waiter, registry_, now);
  if (auto* response = std::get_if<openapi::Response>(&outcome)) {
    if (response->error) ++counters_.api_refused;
    audit_answer(*response, request, now);
    http_.respond(connection, to_http(std::move(*response)));
  } else if (auto* domain_call = std::get_if<openapi::DomainCall>(&outcome)) {
    wait_for(waiter, connection, std::move(domain_call->call), request);
    if (auto* dismiss = std::get_if<domain::DismissRoom>(&domain_call->command))
      dismiss->accepted = request.arrived;
    submit(std::move(domain_call->command), waiter);
  } else if (auto* repeated = std::get_if<openapi::RepeatedCall>(&outcome)) {
    auto& others = repeats_[*repeated->call.key];
    if (others.size() >= static_cast<size_t>(limits::kCallKeyWaitersMax)) {
      audit_answer(gateway_.on_abandoned(repeated->call), request, now);
      http_.respond(connection, to_http(gateway_.on_abandoned(repeated->call)));
      return;
    }
    others.push_back(waiter);
    wait_for(waiter, connection, std::move(repeated->call), request);
  } else {
    auto& store_call = std::get<openapi::StoreCall>(outcome);
    wait_for(waiter, connection, std::move(store_call.call), request);
    events_.flush_early(now.mono);  // so that the answer knows of it
    audit_.flush_early();
    if (!to_store_.send(to_store(waiter, std::move(store_call.question))))
      answer_api(waiter, gateway_.on_abandoned(waiting_.at(waiter).call));
  }
}

void ControlPlane::wait_for(WaiterId waiter, ConnectionId connection, openapi::PendingCall call,
                            const HttpRequest& request) {
  waiting_.emplace(waiter, Waiting{connection, std::move(call), caller_of(request), {}});
  waiter_of_[connection] = waiter;
}

// --- the audit ---------------------------------------------------------------------------------------------------

ControlPlane::Caller ControlPlane::caller_of(const HttpRequest& request) const {
  return {client_address(request, config_.trusted_proxies).text(), sha256(as_bytes(request.body))};
}

domain::AuditEntry ControlPlane::audit_entry(const openapi::Response& response,
                                             domain::AuditPhase phase, const Caller& caller) const {
  const openapi::CallTrace& trace = response.trace;
  domain::AuditEntry entry{.phase = phase,
                           .door = domain::AuditDoor::OpenApi,
                           .at = wall_,
                           .account = trace.account,
                           .access_key = trace.access_key,
                           .action = trace.action,
                           .version = trace.version,
                           .app = trace.app,
                           .room = trace.room,
                           .request_id = response.request_id,
                           .source = caller.address,
                           .body_hash = caller.body_hash,
                           .is_dry_run = trace.is_dry_run,
                           .is_replay = trace.is_replay};
  if (phase == domain::AuditPhase::Accepted) return entry;
  entry.status = response.status;
  if (response.error) entry.outcome = openapi::error_row(*response.error).code;
  return entry;
}

// Of a read, a refusal, or a change that turned out to be none.
void ControlPlane::audit_answer(const openapi::Response& response, const HttpRequest& request,
                                Now now) {
  if (response.trace.access_key.empty()) {
    if (response.error)
      audit_.count_unknown(client_address(request, config_.trusted_proxies),
                           domain::AuditDoor::OpenApi,
                           std::string(openapi::error_row(*response.error).code), now);
    return;
  }
  const auto phase = response.error           ? domain::AuditPhase::Refused
                     : response.trace.changes ? domain::AuditPhase::Finished
                                              : domain::AuditPhase::Read;
  audit_.note(audit_entry(response, phase, caller_of(request)));
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

// --- answers -----------------------------------------------------------------------------------------------------

// Of a read, or the last word to a changing call.
void ControlPlane::answer_api(WaiterId waiter, openapi::Response response) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  if (response.error) ++counters_.api_refused;
  const bool is_noted = waiting.accepted.has_value();
  if (!is_noted) {
    const auto phase = response.error           ? domain::AuditPhase::Refused
                       : response.trace.changes ? domain::AuditPhase::Finished
                                                : domain::AuditPhase::Read;
    audit_.note(audit_entry(response, phase, waiting.caller));
  }
  if (waiting.connection) {
    waiter_of_.erase(*waiting.connection);
    http_.respond(*waiting.connection, to_http(std::move(response)));
  }
  waiting_.erase(found);
}

namespace {

// Nothing was done, and nothing is kept of the call.
bool is_refusal(uint8_t outcome) {
  using domain::ActionOutcome;
  if (outcome < domain::kOutcomeOfAction) return false;
  switch (static_cast<ActionOutcome>(outcome - domain::kOutcomeOfAction)) {
    case ActionOutcome::TooManyBans:
    case ActionOutcome::TooManyApps:
    case ActionOutcome::Exists:
    case ActionOutcome::NoSuchRoom:
    case ActionOutcome::TooMany:
      return true;
    case ActionOutcome::Done:
    case ActionOutcome::NotThere:
    case ActionOutcome::RecordFailed:
    case ActionOutcome::Unfinished:
    case ActionOutcome::TooLate:
      return false;
  }
  return false;
}

bool is_undone(uint8_t outcome) {
  return outcome ==
         domain::kOutcomeOfAction + static_cast<uint8_t>(domain::ActionOutcome::RecordFailed);
}

}  // namespace

void ControlPlane::conclude(WaiterId waiter, openapi::Response response,
                            const OperationId& operation, uint8_t outcome) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  if (!is_refusal(outcome)) {
    if (!waiting.accepted) {
      domain::AuditEntry accepted =
          audit_entry(response, domain::AuditPhase::Accepted, waiting.caller);
      accepted.operation = operation;
      audit_.note(std::move(accepted));
    }
    domain::AuditEntry finished =
        audit_entry(response, domain::AuditPhase::Finished, waiting.caller);
    finished.operation = operation.empty() ? waiting.accepted.value_or(operation) : operation;
    finished.reason = waiting.reason;
    audit_.note(std::move(finished));
  }
  if (waiting.call.key) return conclude_key(waiter, std::move(response), operation, outcome);
  if (!is_refusal(outcome) && !waiting.accepted) waiting.accepted = operation;
  answer_api(waiter, std::move(response));
}

// What was done is answered at once when the key went with it; what had no write of its own waits for the key's.
void ControlPlane::conclude_key(WaiterId waiter, openapi::Response response,
                                const OperationId& operation, uint8_t outcome) {
  Waiting& waiting = waiting_.at(waiter);
  const domain::CallKey key = *waiting.call.key;
  if (is_refusal(outcome) || is_undone(outcome)) {
    gateway_.drop_call(waiting.call);
    if (is_undone(outcome)) waiting.accepted = operation;
    const openapi::Response first = response;
    answer_api(waiter, std::move(response));
    return answer_repeats(key, first);
  }
  domain::KeyedCall row = gateway_.keyed_call(waiting.call, operation, outcome, response, wall_);
  if (waiting.call.action->has_secrets) row.subject = response.trace.made_app.value;
  store::WriteRequest request;
  request.calls.push_back(row);
  const bool is_durable = waiting.accepted.has_value();
  if (!is_durable) request.call = waiter;
  const bool is_sent = to_store_.send(std::move(request));
  waiting.accepted = operation;
  waiting.held = std::move(response);
  waiting.held_call = std::move(row);
  if (is_durable || !is_sent) on_key_written(waiter, is_durable);
}

void ControlPlane::on_key_written(WaiterId waiter, bool ok) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end() || !found->second.held) return;
  Waiting& waiting = found->second;
  const domain::CallKey key = *waiting.call.key;
  openapi::Response response = *std::exchange(waiting.held, std::nullopt);
  if (ok) {
    gateway_.finish_call(*waiting.held_call);
  } else {
    gateway_.drop_call(waiting.call);
    response = gateway_.on_unstored_key(waiting.call);
  }
  const openapi::Response first = response;
  answer_api(waiter, std::move(response));
  answer_repeats(key, first);
}

void ControlPlane::answer_repeats(const domain::CallKey& key, const openapi::Response& first) {
  const auto found = repeats_.find(key);
  if (found == repeats_.end()) return;
  const std::vector<WaiterId> waiters = std::move(found->second);
  repeats_.erase(found);
  for (const WaiterId waiter : waiters)
    if (const auto one = waiting_.find(waiter); one != waiting_.end())
      answer_api(waiter, gateway_.repeat(one->second.call, first));
}

void ControlPlane::run(domain::DismissReply& effect, Now) {
  const bool is_done = effect.outcome == domain::DismissOutcome::Done;
  const bool is_unknown = effect.outcome == domain::DismissOutcome::NoSuchRoom;
  if (effect.is_first)
    ++(is_done      ? counters_.dismissals_done
       : is_unknown ? counters_.dismissals_unknown_room
                    : counters_.dismissals_failed);
  if (effect.is_first && !is_done && !is_unknown) {
    log_line(LogLevel::Error, "dismissal failed",
             {{"operation", effect.record ? effect.record->operation.value : ""},
              {"room_sid", effect.record ? effect.record->room_sid.value : ""},
              {"why", effect.record ? effect.record->failure : ""}});
  }
  const auto found = waiting_.find(effect.waiter);
  if (found == waiting_.end()) return;
  conclude(effect.waiter, gateway_.on_dismiss_reply(found->second.call, effect),
           effect.record ? effect.record->operation : OperationId(),
           static_cast<uint8_t>(effect.outcome));
}

// Once for each operation, when its last record goes to the store.
void ControlPlane::observe(const domain::DismissalRecord& record) {
  counters_.dismissed_users += record.users_at_fence;
  counters_.dismissed_users_not_notified += record.not_notified.value_or(0);
  if (record.fenced_us) counters_.accept_to_fence.observe(seconds(*record.fenced_us));
  if (record.fenced_us && record.media_cut_us)
    counters_.fence_to_media_cut.observe(seconds(*record.media_cut_us - *record.fenced_us));
  if (record.fenced_us && record.notified_us)
    counters_.fence_to_last_notice.observe(seconds(*record.notified_us - *record.fenced_us));
  if (record.packets_after_cut.value_or(0) != 0) {
    log_line(LogLevel::Error, "packets left after the media cut",
             {{"operation", record.operation.value},
              {"packets", std::to_string(*record.packets_after_cut)}});
  }
}

void ControlPlane::run(domain::ActionReply& effect, Now) {
  const bool is_trouble = effect.outcome == domain::ActionOutcome::RecordFailed ||
                          effect.outcome == domain::ActionOutcome::Unfinished;
  if (is_trouble)
    log_line(LogLevel::Error, "a management action failed",
             {{"operation", effect.operation.value}});
  const auto found = waiting_.find(effect.waiter);
  if (found == waiting_.end()) return;
  openapi::Response response = gateway_.on_action_reply(found->second.call, effect);
  if (effect.app) response.trace.made_app = effect.app->id;
  conclude(effect.waiter, std::move(response), effect.operation,
           static_cast<uint8_t>(domain::kOutcomeOfAction + static_cast<uint8_t>(effect.outcome)));
}

void ControlPlane::take_store_replies() {
  StoreReply reply;
  while (from_store_.try_receive(reply)) take_store_reply(std::move(reply));
}

void ControlPlane::take_store_reply(StoreReply reply) {
  if (const auto* written = std::get_if<RecordWritten>(&reply)) {
    store_is_healthy_ = written->ok;
    has_durable_record_ = written->ok;
    if (has_reached_stop_) faults_.at_point(config_.faults.stop_at);
    submit(domain::RecordStored{written->operation, written->ok});
  } else if (auto* found = std::get_if<DismissalFound>(&reply)) {
    if (const auto waiting = waiting_.find(found->waiter); waiting != waiting_.end())
      answer_api(found->waiter, gateway_.on_store_answer(waiting->second.call,
                                                         {found->ok, std::move(found->record)}));
  } else if (auto* bans = std::get_if<BansFound>(&reply)) {
    if (const auto waiting = waiting_.find(bans->waiter); waiting != waiting_.end())
      answer_api(bans->waiter, gateway_.on_ban_rules(waiting->second.call, bans->ok, bans->rules));
  } else if (const auto* lives = std::get_if<LivesFound>(&reply)) {
    if (const auto waiting = waiting_.find(lives->waiter); waiting != waiting_.end())
      answer_api(lives->waiter,
                 gateway_.on_lives(waiting->second.call, lives->page ? &*lives->page : nullptr));
  } else if (const auto* visitors = std::get_if<VisitorsFound>(&reply)) {
    if (const auto waiting = waiting_.find(visitors->waiter); waiting != waiting_.end())
      answer_api(
          visitors->waiter,
          gateway_.on_visitors(waiting->second.call, visitors->page ? &*visitors->page : nullptr));
  } else if (const auto* events = std::get_if<EventsWritten>(&reply)) {
    events_.on_written(*events);
  } else if (const auto* key = std::get_if<CallWritten>(&reply)) {
    on_key_written(key->waiter, key->ok);
  } else if (const auto* health = std::get_if<StoreHealth>(&reply)) {
    on_store_health(*health);
  } else {
    store_is_healthy_ = false;
    log_line(LogLevel::Error, "store", {{"what", std::get<StoreTrouble>(reply).what}});
  }
}

void ControlPlane::on_store_health(const StoreHealth& health) {
  const StoreHealth before = std::exchange(store_health_, health);
  if (health.is_read_only && !before.is_read_only)
    log_line(LogLevel::Error, "a sync of the store failed: read-only until it is opened anew");
  if (health.reopenings > before.reopenings)
    log_line(LogLevel::Warning, "the store was opened anew and takes writes again");
  if (health.disk != before.disk) on_disk_state(health.disk);
  // A write that failed while there was no room says nothing any more.
  const bool was_troubled = before.is_read_only || before.disk >= DiskState::JoinsRefused;
  const bool is_troubled = health.is_read_only || health.disk >= DiskState::JoinsRefused;
  if (was_troubled && !is_troubled) store_is_healthy_ = true;
}

// Joins ask for the state themselves (closed_door).
void ControlPlane::on_disk_state(DiskState state) {
  static constexpr const char* kWhat[] = {
      "the store's disk has room again", "the store's disk fills up: history is not written",
      "the store's disk is nearly full: new joins are refused",
      "the store's disk is full: the reserve is given up for dismissals, kicks and bans"};
  log_line(state == DiskState::Well ? LogLevel::Info : LogLevel::Error,
           kWhat[static_cast<size_t>(state)],
           {{"free_bytes", std::to_string(store_health_.free_bytes)},
            {"reserve_bytes", std::to_string(store_health_.reserve_bytes)}});
}

}  // namespace atrium::node
