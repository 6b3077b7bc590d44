#include "adapters/webhook/dispatcher.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "domain/webhook_words.h"

namespace atrium::webhook {
namespace {

constexpr Duration kDelayMin = std::chrono::milliseconds(limits::kWebhookBackoffMinMs);
constexpr Duration kDelayMax = std::chrono::milliseconds(limits::kWebhookBackoffMaxMs);
constexpr auto kInFlightMax = static_cast<uint32_t>(limits::kWebhookInFlightMax);
constexpr auto kInFlightAllMax = static_cast<size_t>(limits::kWebhookInFlightAllMax);
constexpr auto kPoisonAttemptsMax = static_cast<uint32_t>(limits::kWebhookPoisonAttemptsMax);

Duration doubled(Duration delay) {
  return std::clamp(2 * delay, kDelayMin, kDelayMax);
}

// How long a room waits whose event failed so often beside others.
Duration room_delay(uint32_t failures) {
  Duration delay = kDelayMin;
  for (uint32_t i = 1; i < failures && delay < kDelayMax; ++i) delay = doubled(delay);
  return delay;
}

RoomKey key_of(const domain::Delivery& delivery) {
  return {delivery.event.event.app, delivery.event.event.room};
}

}  // namespace

// --- inputs --------------------------------------------------------------------------------------

void Dispatcher::on_webhook(domain::Webhook webhook, Now now) {
  const auto [found, is_new] = lines_.try_emplace(webhook.id);
  Line& line = found->second;
  if (!is_new && line.webhook == webhook) return;
  line.webhook = std::move(webhook);
  begin_anew(line, now);
  look_at(line, now);
  pump(now);
}

void Dispatcher::on_webhook_dropped(const WebhookId& webhook, Now now) {
  const auto found = lines_.find(webhook);
  if (found == lines_.end()) return;
  set_deadline(found->second, kNever);
  lines_.erase(found);
  for (auto& [id, attempt] : attempts_)
    if (attempt.webhook == webhook) attempt.webhook = {};  // its result is nobody's any more
  pump(now);
}

void Dispatcher::on_work(const WebhookId& webhook, Now now) {
  const auto found = lines_.find(webhook);
  if (found == lines_.end() || !found->second.webhook.enabled) return;
  found->second.rooms.on_news();
  look_at(found->second, now);
  pump(now);
}

void Dispatcher::on_runs(const WebhookId& webhook, std::vector<domain::DeliveryRun> runs, Now now) {
  const auto found = lines_.find(webhook);
  if (found == lines_.end()) return;
  Line& line = found->second;
  if (!line.webhook.enabled) runs.clear();
  line.rooms.on_answer(std::move(runs), line.successes);
  look_at(line, now);
  pump(now);
}

void Dispatcher::on_runs_failed(const WebhookId& webhook, Now now) {
  const auto found = lines_.find(webhook);
  if (found == lines_.end()) return;
  found->second.rooms.on_no_answer(now.mono);
  look_at(found->second, now);
}

void Dispatcher::on_result(AttemptId id, const std::expected<void, std::string>& result, Now now) {
  auto node = attempts_.extract(id);
  if (node.empty()) return;
  Attempt& attempt = node.mapped();
  const auto found = lines_.find(attempt.webhook);
  if (attempt.is_test) {
    end_test(attempt, id, result, now);
  } else if (found != lines_.end()) {
    Line& line = found->second;
    --line.in_flight;
    if (result)
      on_success(line, attempt, now);
    else
      on_failure(line, attempt, result.error(), now);
  }
  if (found != lines_.end()) look_at(found->second, now);
  pump(now);
}

void Dispatcher::on_deadline(Now now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.mono) {
    Line& line = lines_.at(deadlines_.begin()->second);
    line.rooms.on_deadline(now.mono);
    look_at(line, now);
  }
  pump(now);
}

Result<AttemptId> Dispatcher::test(const WebhookId& webhook, Now now) {
  const auto found = lines_.find(webhook);
  if (found == lines_.end()) return fail(ErrorKind::NotFound, "no such webhook");
  if (attempts_.size() >= kInFlightAllMax)
    return fail(ErrorKind::LimitExceeded, "too many requests to webhooks are under way");
  Attempt attempt{.webhook = webhook, .delivery = {}, .began_at = now.mono, .is_test = true};
  domain::Event& event = attempt.delivery.event.event;
  event.id = EventId(secrets_.sid("EV_"));
  event.kind = domain::EventKind::RoomEnded;
  event.app = found->second.webhook.app;
  event.room = RoomId(kTestRoom);
  event.room_sid = RoomSid(secrets_.sid("RM_"));
  event.reason.why = domain::LeaveReason::RoomClosed;
  event.reason.text = "A test: there was no such room.";
  event.at = now.wall;
  const AttemptId id{++last_attempt_};
  out_.push_back(Send{id, found->second.webhook, attempt.delivery.event});
  attempts_.emplace(id, std::move(attempt));
  return id;
}

// --- results -------------------------------------------------------------------------------------

void Dispatcher::on_success(Line& line, const Attempt& attempt, Now now) {
  ++line.successes;
  ++totals_.delivered;
  line.consecutive_failures = 0;
  line.is_probed = false;
  line.delay = {};
  domain::Delivery delivery = attempt.delivery;
  ++delivery.attempts;
  record(delivery, domain::DeliveryEnd::Delivered, {}, now.wall);
  line.rooms.on_ended(key_of(delivery), line.successes);
}

void Dispatcher::on_failure(Line& line, Attempt& attempt, const std::string& why, Now now) {
  const RoomKey room = key_of(attempt.delivery);
  if (!line.webhook.enabled) {  // it waits in the store as if it had not been tried
    line.rooms.on_failed(room, attempt.delivery, line.successes, std::nullopt);
    return;
  }
  ++line.failed;
  ++totals_.failed;
  ++line.consecutive_failures;
  slow_down(line, attempt, now.mono);
  domain::Delivery& delivery = attempt.delivery;
  ++delivery.attempts;
  const bool is_counted = line.rooms.has_failed_beside_others(room, line.successes);
  if (is_counted) ++delivery.failed_beside_others;
  if (delivery.failed_beside_others >= kPoisonAttemptsMax) {
    ++line.dead;
    ++totals_.dead;
    record(delivery, domain::DeliveryEnd::Dead, why, now.wall);
    line.rooms.on_ended(room, line.successes);
    return;
  }
  record(delivery, domain::DeliveryEnd::Failed, why, now.wall);
  std::optional<Mono> not_before;
  if (is_counted) not_before = now.mono + jittered(room_delay(delivery.failed_beside_others));
  line.rooms.on_failed(room, delivery, line.successes, not_before);
}

void Dispatcher::slow_down(Line& line, const Attempt& attempt, Mono now) {
  // Of requests that were under way when the first failed, the others tell nothing new.
  if (line.is_probed && !attempt.is_probe) return;
  line.delay = line.is_probed ? doubled(line.delay) : kDelayMin;
  line.is_probed = true;
  line.next_probe_at = std::min(now + jittered(line.delay), attempt.began_at + kDelayMax);
}

void Dispatcher::end_test(const Attempt& attempt, AttemptId id,
                          const std::expected<void, std::string>& result, Now now) {
  out_.push_back(TestEnded{id, attempt.webhook, result});
  // Whoever mended a destination and tested it need not wait for the next probe.
  const auto found = lines_.find(attempt.webhook);
  if (result && found != lines_.end())
    found->second.next_probe_at = std::min(found->second.next_probe_at, now.mono);
}

void Dispatcher::record(const domain::Delivery& delivery, domain::DeliveryEnd end,
                        const std::string& why, Wall at) {
  out_.push_back(Record{{.webhook = delivery.webhook,
                         .app = delivery.event.event.app,
                         .room = delivery.event.event.room,
                         .cursor = delivery.event.cursor,
                         .end = end,
                         .attempts = delivery.attempts,
                         .failed_beside_others = delivery.failed_beside_others,
                         .why = why,
                         .at = at}});
}

Duration Dispatcher::jittered(Duration delay) {
  const auto half = static_cast<uint64_t>(delay.count() / 2);
  return delay - Duration(static_cast<int64_t>(secrets_.u64() % (half + 1)));
}

// --- sending -------------------------------------------------------------------------------------

void Dispatcher::begin_anew(Line& line, Now now) {
  line.rooms.let_go();
  line.is_probed = true;
  line.delay = {};
  line.next_probe_at = now.mono;
  line.consecutive_failures = 0;
  if (line.webhook.enabled) line.rooms.on_news();
}

bool Dispatcher::can_send(const Line& line, Mono now) const {
  if (!line.webhook.enabled || !line.rooms.has_turn()) return false;
  if (line.is_probed) return line.in_flight == 0 && now >= line.next_probe_at;
  return line.in_flight < kInFlightMax;
}

// What was wanted when it was written need not be any more.
void Dispatcher::skip_unwanted(Line& line, Now now) {
  while (line.rooms.has_turn() && !domain::wants(line.webhook, line.rooms.next().event.event)) {
    record(line.rooms.next(), domain::DeliveryEnd::NotWanted, {}, now.wall);
    line.rooms.skip(line.successes);
  }
}

void Dispatcher::send_one(Line& line, Now now) {
  const domain::Delivery& delivery = line.rooms.next();
  const AttemptId id{++last_attempt_};
  out_.push_back(Send{id, line.webhook, delivery.event});
  attempts_.emplace(id, Attempt{.webhook = line.webhook.id,
                                .delivery = delivery,
                                .began_at = now.mono,
                                .is_probe = line.is_probed});
  line.rooms.begin();
  ++line.in_flight;
}

void Dispatcher::look_at(Line& line, Now now) {
  if (line.webhook.enabled) {
    skip_unwanted(line, now);
    if (auto behind = line.rooms.ask(now.mono))
      out_.push_back(Fetch{line.webhook.id, std::move(behind->app), std::move(behind->room)});
  }
  if (!line.is_queued && can_send(line, now.mono)) {
    line.is_queued = true;
    queue_.push_back(line.webhook.id);
  }
  Mono deadline = kNever;
  if (line.webhook.enabled) deadline = line.rooms.next_deadline(now.mono);
  const bool waits_for_probe = line.webhook.enabled && line.is_probed && line.in_flight == 0 &&
                               line.rooms.has_turn() && line.next_probe_at > now.mono;
  if (waits_for_probe) deadline = std::min(deadline, line.next_probe_at);
  set_deadline(line, deadline);
}

void Dispatcher::set_deadline(Line& line, Mono deadline) {
  if (line.deadline != kNever) deadlines_.erase({line.deadline, line.webhook.id});
  line.deadline = deadline;
  if (deadline != kNever) deadlines_.insert({deadline, line.webhook.id});
}

void Dispatcher::pump(Now now) {
  while (attempts_.size() < kInFlightAllMax && !queue_.empty()) {
    const auto found = lines_.find(queue_.front());
    queue_.pop_front();
    if (found == lines_.end()) continue;
    Line& line = found->second;
    line.is_queued = false;
    if (can_send(line, now.mono)) send_one(line, now);
    look_at(line, now);
  }
}

std::vector<WebhookStatus> Dispatcher::status() const {
  std::vector<WebhookStatus> out;
  out.reserve(lines_.size());
  for (const auto& [id, line] : lines_) {
    const WebhookHealth running = line.is_probed ? WebhookHealth::Probed : WebhookHealth::Well;
    out.push_back({.webhook = id,
                   .health = line.webhook.enabled ? running : WebhookHealth::Disabled,
                   .consecutive_failures = line.consecutive_failures,
                   .in_flight = line.in_flight,
                   .delivered = line.successes,
                   .failed = line.failed,
                   .dead = line.dead,
                   .rooms_held = line.rooms.held(),
                   .rooms_failing = line.rooms.failing(),
                   .oldest_waiting_at = line.rooms.oldest_held()});
  }
  return out;
}

}  // namespace atrium::webhook
