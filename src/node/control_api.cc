// Management calls: from the HTTP server to the gateway, through the registry or the store, and back.
#include "base/limits.h"
#include "base/log.h"
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
  if (auto* events = std::get_if<openapi::FindEventsPage>(&question))
    return FindEvents{waiter, std::move(events->query)};
  if (auto* audit = std::get_if<openapi::FindAuditPage>(&question))
    return FindAudit{waiter, std::move(audit->query)};
  if (auto* bulk = std::get_if<openapi::FindBulkPage>(&question))
    return FindBulk{waiter, std::move(bulk->operation), bulk->offset, bulk->limit};
  if (auto* letters = std::get_if<openapi::ListDeadLettersOf>(&question))
    return FindDeadLetters{waiter, std::move(letters->webhook), letters->after_cursor,
                           letters->limit};
  if (std::holds_alternative<openapi::FindBacklogs>(question)) return FindBacklogs{waiter};
  return FindVisitors{waiter, std::move(std::get<openapi::ListVisitors>(question).query)};
}

}  // namespace

void ControlPlane::on_api_request(ConnectionId connection, HttpRequest request, Now now) {
  ++counters_.api_calls;
  const IpAddress source = client_address(request, config_.trusted_proxies);
  const openapi::Request call{std::move(request.method), std::move(request.target),
                              std::move(request.headers), std::move(request.body), request.peer};
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
    audit_answer(*response, source, now);
    http_.respond(connection, to_http(std::move(*response)));
  } else if (auto* domain_call = std::get_if<openapi::DomainCall>(&outcome)) {
    wait_for(waiter, connection, std::move(domain_call->call), source);
    if (auto* dismiss = std::get_if<domain::DismissRoom>(&domain_call->command))
      dismiss->accepted = request.arrived;
    submit(std::move(domain_call->command), waiter);
  } else if (auto* repeated = std::get_if<openapi::RepeatedCall>(&outcome)) {
    auto& others = repeats_[*repeated->call.key];
    if (others.size() >= static_cast<size_t>(limits::kCallKeyWaitersMax)) {
      openapi::Response busy = gateway_.on_abandoned(repeated->call);
      busy.trace = gateway_.trace(repeated->call).trace;
      audit_answer(busy, source, now);
      http_.respond(connection, to_http(std::move(busy)));
      return;
    }
    others.push_back(waiter);
    wait_for(waiter, connection, std::move(repeated->call), source);
  } else if (auto* redrive = std::get_if<openapi::RedriveCall>(&outcome)) {
    wait_for(waiter, connection, std::move(redrive->call), source);
    redrive_dead_letters(waiter, std::move(redrive->redrive));
  } else if (auto* test = std::get_if<openapi::TestCall>(&outcome)) {
    wait_for(waiter, connection, std::move(test->call), source);
    test_webhook(waiter, test->test.webhook, now);
  } else {
    auto& store_call = std::get<openapi::StoreCall>(outcome);
    wait_for(waiter, connection, std::move(store_call.call), source);
    events_.flush_early(now.mono);  // so that the answer knows of it
    audit_.flush_early();
    if (!to_store_.send(to_store(waiter, std::move(store_call.question))))
      answer_api(waiter, gateway_.on_abandoned(waiting_.at(waiter).call));
  }
}

void ControlPlane::wait_for(WaiterId waiter, ConnectionId connection, openapi::PendingCall&& call,
                            const IpAddress& source) {
  domain::AuditEntry entry = audit_entry(gateway_.trace(call), source);
  waiting_.try_emplace(waiter, connection, std::move(call), Audited{std::move(entry)});
  waiter_of_[connection] = waiter;
}

// --- answers -----------------------------------------------------------------------------------------------------

// Of a read, or the last word to a changing call.
void ControlPlane::answer_api(WaiterId waiter, openapi::Response response) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end()) return;
  Waiting& waiting = found->second;
  if (response.error) ++counters_.api_refused;
  if (!waiting.audited.accepted)
    audit_refused_or_read(std::move(waiting.audited.entry), response.status, code_of(response));
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
  if (!is_refusal(outcome))
    audit_finished(waiting.audited, operation, response.status, code_of(response));
  if (!waiting.call.key) return answer_api(waiter, std::move(response));
  conclude_key(waiter, std::move(response), operation, outcome);
}

// What was done is answered at once when the key went with it; what had no write of its own waits for the key's.
void ControlPlane::conclude_key(WaiterId waiter, openapi::Response response,
                                const OperationId& operation, uint8_t outcome) {
  Waiting& waiting = waiting_.at(waiter);
  const domain::CallKey key = *waiting.call.key;
  if (is_refusal(outcome) || is_undone(outcome)) {
    gateway_.drop_call(waiting.call);
    const openapi::Response first = response;
    answer_api(waiter, std::move(response));
    return answer_repeats(key, first);
  }
  domain::KeyedCall row = gateway_.keyed_call(waiting.call, operation, outcome, response, wall_);
  if (waiting.call.action->has_secrets) row.subject = response.trace.made_app.value;
  store::WriteRequest request;
  request.calls.push_back(row);
  const bool is_written = waiting.is_key_written;
  if (!is_written) request.call = waiter;
  const bool is_sent = to_store_.send(std::move(request));
  waiting.held = std::move(response);
  waiting.held_call = std::move(row);
  if (is_written || !is_sent) on_key_written(waiter, is_written);
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
  const bool is_other_life = effect.outcome == domain::DismissOutcome::NotCurrent;
  if (effect.is_first)
    ++(is_done         ? counters_.dismissals_done
       : is_unknown    ? counters_.dismissals_unknown_room
       : is_other_life ? counters_.dismissals_not_current
                       : counters_.dismissals_failed);
  if (effect.is_first && !is_done && !is_unknown && !is_other_life) {
    log_line(LogLevel::Error, "dismissal failed",
             {{"operation", effect.record ? effect.record->operation.value : ""},
              {"room_sid", effect.record ? effect.record->room_sid.value : ""},
              {"why", effect.record ? effect.record->failure : ""}});
  }
  if (answer_twirp(effect)) return;
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
  if (answer_twirp(effect)) return;
  const auto found = waiting_.find(effect.waiter);
  if (found == waiting_.end()) return;
  openapi::Response response = gateway_.on_action_reply(found->second.call, effect);
  if (effect.app) response.trace.made_app = effect.app->id;
  conclude(effect.waiter, std::move(response), effect.operation,
           static_cast<uint8_t>(domain::kOutcomeOfAction + static_cast<uint8_t>(effect.outcome)));
}

void ControlPlane::take_store_replies() {
  StoreReply reply;
  while (from_store_.try_receive(reply)) std::visit([this](auto& one) { take(one); }, reply);
}

void ControlPlane::take(RecordWritten& written) {
  store_is_healthy_ = written.ok;
  has_durable_record_ = written.ok;
  if (has_reached_stop_) faults_.at_point(config_.faults.stop_at);
  if (const auto redrive = redrives_.find(written.operation); redrive != redrives_.end())
    return on_redriven(redrive->second, written);
  if (const auto write = webhook_writes_.find(written.operation); write != webhook_writes_.end()) {
    changed_webhooks_.insert(write->second);
    webhook_writes_.erase(write);
  }
  submit(domain::RecordStored{written.operation, written.ok});
}

template <typename Shape>
void ControlPlane::answer_question(WaiterId waiter, Shape shape) {
  if (const auto waiting = waiting_.find(waiter); waiting != waiting_.end())
    answer_api(waiter, shape(waiting->second.call));
}

void ControlPlane::take(DismissalFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_store_answer(call, {found.ok, std::move(found.record)});
  });
}

void ControlPlane::take(BansFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_ban_rules(call, found.ok, found.rules);
  });
}

void ControlPlane::take(LivesFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_lives(call, found.page ? &*found.page : nullptr);
  });
}

void ControlPlane::take(VisitorsFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_visitors(call, found.page ? &*found.page : nullptr);
  });
}

void ControlPlane::take(EventsFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_events(call, found.page ? &*found.page : nullptr);
  });
}

void ControlPlane::take(AuditFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_audit(call, found.page ? &*found.page : nullptr);
  });
}

void ControlPlane::take(BulkFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_bulk(call, found.ok, found.page ? &*found.page : nullptr);
  });
}

void ControlPlane::take(DeadLettersFound& found) {
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_dead_letters(call, found.ok, found.letters);
  });
}

void ControlPlane::take(BacklogsFound& found) {
  if (found.waiter == kForMetrics) {
    if (found.ok) on_backlogs(std::move(found.backlogs));
    return;
  }
  answer_question(found.waiter, [&](const openapi::PendingCall& call) {
    return gateway_.on_backlogs(call, found.ok, found.backlogs);
  });
}

void ControlPlane::take(DeliveriesFound& found) {
  const Now now{last_turn_, wall_};
  if (found.ok)
    dispatcher_.on_runs(found.webhook, std::move(found.runs), now);
  else
    dispatcher_.on_runs_failed(found.webhook, now);
}

void ControlPlane::take(EventsWritten& written) {
  if (events_.on_written(written)) wake_all_webhooks({last_turn_, wall_});
}

void ControlPlane::take(CallWritten& written) {
  on_key_written(written.waiter, written.ok);
}

void ControlPlane::take(StoreTrouble& trouble) {
  store_is_healthy_ = false;
  log_line(LogLevel::Error, "store", {{"what", trouble.what}});
}

void ControlPlane::take(StoreHealth& health) {
  on_store_health(health);
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
