// Events on their way to those who asked for them: from the store's outbox, by the dispatcher's order, over the web
// thread, and back into the store what became of each.
#include <algorithm>
#include <iterator>

#include "adapters/webhook/request.h"
#include "base/limits.h"
#include "base/log.h"
#include "node/control.h"

namespace atrium::node {
namespace {

constexpr Duration kBacklogEvery = std::chrono::seconds(15);

WebRequest to_web(webhook::AttemptId attempt, const domain::Webhook& webhook,
                  webhook::Request request) {
  WebRequest out{
      .id = attempt.value, .url = webhook.url, .headers = {}, .body = std::move(request.body)};
  out.headers.emplace_back("Content-Type", std::move(request.content_type));
  if (!request.authorization.empty())
    out.headers.emplace_back("Authorization", std::move(request.authorization));
  return out;
}

}  // namespace

// The store has, or has not, what was changed of it: as the registry sees it from now on.
void ControlPlane::on_webhook_changed(const WebhookId& webhook, Now now) {
  if (const domain::Webhook* known = registry_.webhooks().find(webhook))
    dispatcher_.on_webhook(*known, now);
  else
    dispatcher_.on_webhook_dropped(webhook, now);
}

// Called when events of this app were sent to the store: the question comes behind them.
void ControlPlane::wake_webhooks(const AppId& app, Now now) {
  for (const domain::Webhook* webhook : registry_.webhooks().list(app))
    dispatcher_.on_work(webhook->id, now);
}

void ControlPlane::wake_all_webhooks(Now now) {
  for (const webhook::WebhookStatus& status : dispatcher_.status())
    dispatcher_.on_work(status.webhook, now);
}

void ControlPlane::run_dispatcher(Now now) {
  for (const WebhookId& webhook : std::exchange(changed_webhooks_, {}))
    on_webhook_changed(webhook, now);
  for (const AppId& app : std::exchange(apps_with_news_, {})) wake_webhooks(app, now);
  for (const AppId& app : events_.take_apps()) wake_webhooks(app, now);
  if (dispatcher_.next_deadline() <= now.mono) dispatcher_.on_deadline(now);
  // What cannot be sent is answered at once, which may be followed by more.
  for (auto outputs = dispatcher_.take(); !outputs.empty(); outputs = dispatcher_.take()) {
    store::PutDeliveries records;
    for (webhook::Output& output : outputs) {
      if (auto* record = std::get_if<webhook::Record>(&output)) {
        records.outcomes.push_back(std::move(record->outcome));
        continue;
      }
      send_records(records);  // a question sees what was recorded before it
      if (auto* fetch = std::get_if<webhook::Fetch>(&output))
        run(*fetch, now);
      else if (auto* send = std::get_if<webhook::Send>(&output))
        run(*send, now);
      else
        run(std::get<webhook::TestEnded>(output), now);
    }
    send_records(records);
  }
  to_web_.flush();
}

void ControlPlane::send_records(store::PutDeliveries& records) {
  if (records.outcomes.empty()) return;
  if (!to_store_.send(store::WriteRequest(std::exchange(records, {}))))
    log_line(LogLevel::Error, "the store is too far behind: what was delivered will be sent again");
}

void ControlPlane::run(webhook::Fetch& fetch, Now now) {
  if (!to_store_.send(FindDeliveries{fetch.webhook, fetch.after_app, fetch.after_room}))
    dispatcher_.on_runs_failed(fetch.webhook, now);
}

void ControlPlane::run(webhook::Send& send, Now now) {
  auto request = webhook::make_request(send.event, send.webhook,
                                       registry_.apps().find(send.webhook.app), now.wall, secrets_);
  if (!request)
    dispatcher_.on_result(send.attempt, std::unexpected(request.error()), now);
  else if (!to_web_.send(to_web(send.attempt, send.webhook, std::move(*request))))
    dispatcher_.on_result(send.attempt, std::unexpected("too much is on its way"), now);
}

void ControlPlane::run(webhook::TestEnded& ended, Now now) {
  const auto test = webhook_tests_.find(ended.attempt);
  if (test == webhook_tests_.end()) return;
  const WebhookTest known = test->second;
  webhook_tests_.erase(test);
  const auto waiting = waiting_.find(known.waiter);
  if (waiting == waiting_.end()) return;
  const openapi::TestOutcome outcome{.status = known.status,
                                     .why = ended.result ? std::string() : ended.result.error(),
                                     .took = now.mono - known.began};
  conclude(known.waiter, gateway_.on_tested(waiting->second.call, outcome), {},
           domain::kOutcomeOfAction);
}

void ControlPlane::test_webhook(WaiterId waiter, const WebhookId& webhook, Now now) {
  const auto attempt = dispatcher_.test(webhook, now);
  if (attempt) {
    webhook_tests_.emplace(*attempt, WebhookTest{waiter, now.mono});
    return;
  }
  answer_api(waiter, gateway_.on_tested(waiting_.at(waiter).call, {.why = attempt.error().what}));
}

void ControlPlane::take_web_replies(Now now) {
  WebReply reply;
  while (from_web_.try_receive(reply)) {
    const webhook::AttemptId attempt{reply.id};
    if (const auto test = webhook_tests_.find(attempt); test != webhook_tests_.end())
      test->second.status = reply.status;
    constexpr int kOk = 200;
    if (reply.status == kOk)
      dispatcher_.on_result(attempt, {}, now);
    else if (reply.why.empty())
      dispatcher_.on_result(attempt, std::unexpected("answered " + std::to_string(reply.status)),
                            now);
    else
      dispatcher_.on_result(attempt, std::unexpected(reply.why), now);
  }
}

// The rule of addresses, for every connection from now on.
void ControlPlane::send_web_rule() {
  to_web_.send(WebRule([networks = config_.webhook_networks](const IpAddress& address) {
    return webhook::may_connect(address, networks);
  }));
}

void ControlPlane::ask_backlogs(Now now) {
  if (next_backlog_ > now.mono) return;
  next_backlog_ = now.mono + kBacklogEvery;
  if (!dispatcher_.status().empty()) to_store_.send(FindBacklogs{kForMetrics});
}

void ControlPlane::on_backlogs(std::vector<domain::WebhookBacklog> backlogs) {
  backlogs_.clear();
  for (domain::WebhookBacklog& one : backlogs) backlogs_.emplace(one.webhook, std::move(one));
}

// What waits is as the store last said, at most kBacklogEvery ago; its age is of now.
std::vector<WebhookFigures> ControlPlane::webhook_figures() const {
  std::vector<WebhookFigures> out;
  for (const webhook::WebhookStatus& status : dispatcher_.status()) {
    WebhookFigures& figures =
        out.emplace_back(WebhookFigures{.webhook = status.webhook, .health = status.health});
    const auto found = backlogs_.find(status.webhook);
    if (found == backlogs_.end()) continue;
    figures.waiting = found->second.waiting;
    figures.dead_letters = found->second.dead;
    if (found->second.oldest_waiting_at)
      figures.lag = std::max(Duration(), Duration(wall_ - *found->second.oldest_waiting_at));
  }
  return out;
}

void ControlPlane::redrive_dead_letters(WaiterId waiter, openapi::RedriveDeadLetters redrive) {
  store::WriteRequest request(store::Redrive{redrive.operation, redrive.webhook, redrive.event});
  audit_accepted(waiting_.at(waiter).audited, request, redrive.operation);
  // One of all goes in steps: its key is written after the last, so that a call that was cut short can be repeated.
  if (!redrive.event.empty()) put_key(waiter, request, redrive.operation);
  redrives_.emplace(redrive.operation, RedriveUnderWay{waiter, redrive.webhook});
  if (to_store_.send(std::move(request))) return;
  on_redriven(redrives_.at(redrive.operation), {redrive.operation, false});
}

void ControlPlane::on_redriven(RedriveUnderWay redrive, const RecordWritten& written) {
  redrives_.erase(written.operation);
  dispatcher_.on_work(redrive.webhook, {last_turn_, wall_});
  const auto outcome =
      written.ok ? domain::ActionOutcome::Done : domain::ActionOutcome::RecordFailed;
  domain::ActionReply reply{redrive.waiter, outcome, written.operation};
  const auto waiting = waiting_.find(redrive.waiter);
  if (waiting == waiting_.end()) return;
  conclude(redrive.waiter, gateway_.on_action_reply(waiting->second.call, reply), written.operation,
           static_cast<uint8_t>(domain::kOutcomeOfAction + static_cast<uint8_t>(outcome)));
}

}  // namespace atrium::node
