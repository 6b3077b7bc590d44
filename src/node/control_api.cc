// Management calls: from the HTTP server to the gateway, through the registry or the store, and back.
#include "base/limits.h"
#include "base/log.h"
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
  if (waiting_.size() >= static_cast<size_t>(limits::kApiWaitingMax)) {
    ++counters_.api_refused;
    http_.respond(connection,
                  to_http(gateway_.fault_response(call, openapi::FaultKind::Overloaded, now)));
    return;
  }
  const WaiterId waiter{next_waiter_++};
  openapi::Outcome outcome = gateway_.handle(call, waiter, registry_, now);
  if (auto* response = std::get_if<openapi::Response>(&outcome)) {
    if (response->error) ++counters_.api_refused;
    http_.respond(connection, to_http(std::move(*response)));
  } else if (auto* domain_call = std::get_if<openapi::DomainCall>(&outcome)) {
    waiting_.emplace(waiter, Waiting{connection, std::move(domain_call->call)});
    waiter_of_[connection] = waiter;
    if (auto* dismiss = std::get_if<domain::DismissRoom>(&domain_call->command))
      dismiss->accepted = request.arrived;
    submit(std::move(domain_call->command));
  } else {
    auto& store_call = std::get<openapi::StoreCall>(outcome);
    waiting_.emplace(waiter, Waiting{connection, std::move(store_call.call)});
    waiter_of_[connection] = waiter;
    history_.flush_early(now.mono);  // so that the answer knows of it
    if (!to_store_.send(to_store(waiter, std::move(store_call.question))))
      answer_api(waiter, gateway_.on_abandoned(waiting_.at(waiter).call));
  }
}

void ControlPlane::answer_api(WaiterId waiter, openapi::Response response) {
  const auto found = waiting_.find(waiter);
  if (found == waiting_.end()) return;  // the caller hung up
  if (response.error) ++counters_.api_refused;
  http_.respond(found->second.connection, to_http(std::move(response)));
  waiter_of_.erase(found->second.connection);
  waiting_.erase(found);
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
  if (answer_twirp(effect)) return;
  const auto found = waiting_.find(effect.waiter);
  if (found == waiting_.end()) return;
  answer_api(effect.waiter, gateway_.on_dismiss_reply(found->second.call, effect));
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
    log_line(LogLevel::Error, "a kick or ban failed", {{"operation", effect.operation.value}});
  if (answer_twirp(effect)) return;
  const auto found = waiting_.find(effect.waiter);
  if (found == waiting_.end()) return;
  answer_api(effect.waiter, gateway_.on_action_reply(found->second.call, effect));
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
  } else if (const auto* history = std::get_if<HistoryWritten>(&reply)) {
    history_.on_written(*history);
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
  history_.pause(state >= DiskState::HistoryStopped);
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
