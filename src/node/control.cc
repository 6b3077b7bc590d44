#include "node/control.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace atrium::node {
namespace {

constexpr Duration kPurgeEvery = std::chrono::hours(1);
constexpr Duration kRefreshEvery = std::chrono::minutes(5);  // livekit-protocol 2.2
constexpr Duration kRetryRings = std::chrono::milliseconds(1);

openapi::GatewayOptions gateway_options(const Config& config) {
  openapi::GatewayOptions options;
  options.keys = config.keys;
  options.token_line = signal::token_line;
  options.quotas = config.quotas;
  options.region = config.region;
  options.accepted_regions = config.accepted_regions;
  options.public_hosts = config.public_hosts;
  if (config.byteplus_bans)
    options.bans = {limits::kBanSecondsMinByteplus, limits::kBanSecondsMaxByteplus};
  options.business_errors_200 = config.business_errors_200;
  return options;
}

}  // namespace

Result<std::unique_ptr<ControlPlane>> ControlPlane::create(Config config, ControlParts parts) {
  openapi::Gateway gateway = TRY(openapi::Gateway::create(gateway_options(config), parts.secrets));
  return std::unique_ptr<ControlPlane>(
      new ControlPlane(std::move(config), std::move(parts), std::move(gateway)));
}

ControlPlane::ControlPlane(Config config, ControlParts parts, openapi::Gateway gateway)
    : config_(std::move(config)),
      http_(parts.http),
      faults_(parts.faults),
      secrets_(parts.secrets),
      fingerprint_(std::move(parts.fingerprint)),
      figures_(std::move(parts.figures)),
      reload_(std::move(parts.reload)),
      registry_(parts.secrets,
                {.empty_room_grace = config_.empty_room_grace,
                 .resume_grace = config_.resume_grace,
                 .cut_at_once = [this](const domain::CutRoom& cut) { return cut_room(cut); }}),
      gateway_(std::move(gateway)),
      serialiser_(make_serialiser()),
      media_(std::move(parts.shards)),
      to_store_(parts.to_store, limits::kRingOverflowMax),
      to_web_(parts.to_web, limits::kRingOverflowMax),
      from_web_(parts.from_web),
      events_(to_store_),
      audit_(to_store_),
      from_store_(parts.from_store),
      dispatcher_(parts.secrets) {
  send_web_rule();
  if (config_.faults.late_send) media_.send_to_all(media::PlantLateSend{});
}

ControlPlane::~ControlPlane() = default;

Result<void> ControlPlane::reconfigure(const Config& config) {
  TRY(gateway_.reconfigure(gateway_options(config)));
  config_.keys = config.keys;
  config_.quotas = config.quotas;
  config_.region = config.region;
  config_.accepted_regions = config.accepted_regions;
  config_.public_hosts = config.public_hosts;
  config_.trusted_proxies = config.trusted_proxies;
  if (std::exchange(config_.webhook_networks, config.webhook_networks) != config.webhook_networks)
    send_web_rule();
  config_.byteplus_bans = config.byteplus_bans;
  config_.business_errors_200 = config.business_errors_200;
  return {};
}

Reloaded ControlPlane::reload() {
  Reloaded out = reload_ ? reload_() : Reloaded{{"this server reads no settings"}, {}};
  for (const std::string& problem : out.problems)
    log_line(LogLevel::Error, "settings not reloaded", {{"problem", problem}});
  for (const std::string& key : out.need_restart)
    log_line(LogLevel::Warning, "setting changes with the next restart", {{"key", key}});
  if (out.problems.empty()) log_line(LogLevel::Info, "settings reloaded");
  return out;
}

void ControlPlane::restore(std::vector<domain::Tombstone> tombstones, Now now) {
  submit(domain::RestoreTombstones{std::move(tombstones)});
  finish_turn(now);
}

void ControlPlane::restore(std::vector<domain::BanRule> bans, Now now) {
  submit(domain::RestoreBans{std::move(bans)});
  finish_turn(now);
}

void ControlPlane::restore(std::vector<domain::App> apps, Now now) {
  submit(domain::RestoreApps{std::move(apps)});
  finish_turn(now);
}

void ControlPlane::restore(std::vector<domain::Schedule> schedules, Now now) {
  submit(domain::RestoreSchedules{std::move(schedules)});
  finish_turn(now);
}

void ControlPlane::restore(std::vector<domain::RoomPolicy> policies, Now now) {
  submit(domain::RestorePolicies{std::move(policies)});
  finish_turn(now);
}

void ControlPlane::restore(std::vector<domain::Webhook> webhooks, Now now) {
  const std::vector<domain::Webhook> known = webhooks;
  submit(domain::RestoreWebhooks{std::move(webhooks)});
  finish_turn(now);
  for (const domain::Webhook& webhook : known) {
    dispatcher_.on_webhook(webhook, now);
    dispatcher_.on_work(webhook.id, now);
  }
}

void ControlPlane::restore(std::vector<domain::KeyedCall> calls, Now) {
  gateway_.restore_calls(calls);
}

void ControlPlane::on_wake(Now now) {
  wall_ = now.wall;
  take_reports(now);
  take_store_replies();
  take_web_replies(now);
  finish_turn(now);
  answer_scrapes(now);
}

void ControlPlane::on_deadline(Now now) {
  take_settled_notices(
      now);  // before the registry's own deadlines: an acknowledged session is not overdue
  if (registry_.next_deadline() <= now.mono) submit(domain::Tick{});
  if (next_purge_ <= now.mono) {
    next_purge_ = now.mono + kPurgeEvery;
    to_store_.send(PurgeStore{});
  }
  if (next_refresh_ <= now.mono) refresh_tokens(now);
  on_wake(now);
}

Mono ControlPlane::next_deadline() const {
  Mono deadline =
      std::min({registry_.next_deadline(), next_purge_, next_refresh_, events_.next_deadline(),
                audit_.next_deadline(), dispatcher_.next_deadline(), next_backlog_});
  if (!settling_.empty()) deadline = std::min(deadline, settling_.front().due);
  deadline = std::min({deadline, stop_.deadline, stop_.next_progress});
  for (const Scrape& scrape : scrapes_) deadline = std::min(deadline, scrape.deadline);
  if (media_.has_unsent() || !to_store_.is_empty() || !to_web_.is_empty())
    deadline = std::min(deadline, last_turn_ + kRetryRings);
  return deadline;
}

void ControlPlane::submit(domain::Command command, std::optional<WaiterId> cause) {
  queue_.push_back({std::move(command), cause});
}

// Commands that effects ask for wait until the effects of the present one are all carried out.
void ControlPlane::run_queue(Now now) {
  while (!queue_.empty()) {
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    domain::Effects effects = registry_.apply(std::move(next.command), now);
    serving_ = {next.cause, {}};
    for (const domain::Effect& effect : effects) {
      if (const auto* event = std::get_if<domain::Event>(&effect))
        serving_.events.push_back(*event);
      serving_.dismisses |= std::holds_alternative<domain::PersistDismissal>(effect);
    }
    for (domain::Effect& effect : effects) carry_out(std::move(effect), now);
    for (domain::Event& event : serving_.events) events_.note(std::move(event));
    serving_ = {};
  }
}

void ControlPlane::finish_turn(Now now) {
  last_turn_ = now.mono;
  wall_ = now.wall;
  run_queue(now);
  while (!early_offers_.empty()) {
    take_early_offers();
    run_queue(now);
  }
  std::vector<ParticipantSid> changed;
  changed.swap(to_negotiate_);
  std::ranges::sort(changed);
  const auto repeated = std::ranges::unique(changed);
  changed.erase(repeated.begin(), repeated.end());
  for (const ParticipantSid& participant : changed)
    if (Session* session = find_session(participant)) ask_for_sections(*session);
  media_.flush();
  events_.flush(now.mono);
  audit_.flush(now);
  ask_backlogs(now);
  run_dispatcher(now);
  to_store_.flush();
  advance_stop(now);
}

ControlPlane::Session* ControlPlane::find_session(const ParticipantSid& participant) {
  const auto found = sessions_.find(participant);
  return found == sessions_.end() ? nullptr : &found->second;
}

ControlPlane::Life* ControlPlane::life_of(const Session& session) {
  const auto found = lives_.find(session.peer->options().room_sid);
  return found == lives_.end() ? nullptr : &found->second;
}

void ControlPlane::send(const Session& session, signal::Message message) {
  if (message ==
      nullptr) {  // the serialiser found a rule broken: never sent (livekit-protocol 3.5)
    ++counters_.signal_refused_outgoing;
    log_line(LogLevel::Error, "a message of ours broke a rule and was not sent",
             {{"rule", std::string(serialiser_.last_refusal())}});
    return;
  }
  if (session.connection) http_.send(*session.connection, std::move(message));
}

void ControlPlane::forget_connection(ConnectionId connection) {
  const auto known = participant_of_.find(connection);
  if (known != participant_of_.end()) {
    if (Session* session = find_session(known->second);
        session != nullptr && session->connection == connection)
      session->connection.reset();
    participant_of_.erase(known);
  }
  arrivals_.erase(connection);
  http_.drop(connection);
}

void ControlPlane::refresh_tokens(Now now) {
  next_refresh_ = now.mono + kRefreshEvery;
  for (auto& [participant, session] : sessions_)
    if (!session.is_cut) send_refresh(participant, session, now);
}

void ControlPlane::on_closed(ConnectionId connection, Now now) {
  arrivals_.erase(connection);
  std::erase_if(scrapes_, [&](const Scrape& scrape) { return scrape.connection == connection; });
  if (const auto waiter = waiter_of_.find(connection); waiter != waiter_of_.end()) {
    const WaiterId call = waiter->second;  // it goes on; nobody waits for its answer
    if (const auto api = waiting_.find(call); api != waiting_.end()) api->second.connection.reset();
    if (const auto twirp = twirp_waiting_.find(call); twirp != twirp_waiting_.end())
      twirp->second.connection.reset();
    waiter_of_.erase(waiter);
  }
  const auto known = participant_of_.find(connection);
  if (known != participant_of_.end()) {
    const ParticipantSid participant = known->second;
    participant_of_.erase(known);
    if (Session* session = find_session(participant)) session->connection.reset();
    submit(domain::SignalLost{participant, connection});
  }
  finish_turn(now);
}

void ControlPlane::on_websocket_closed_out(ConnectionId connection, bool written, Now now) {
  if (farewells_.erase(connection) > 0) return finish_turn(now);
  const auto known = closing_.find(connection);
  if (known == closing_.end()) return;
  const ParticipantSid participant = known->second;
  closing_.erase(known);
  if (written)
    submit(domain::LeaveWritten{participant, connection});
  else
    submit(domain::LeaveNotWritten{participant, connection});
  if (written) static_cast<void>(is_planted_stop("mid_notices"));
  finish_turn(now);
}

bool ControlPlane::is_planted_stop(std::string_view point) {
  if (config_.faults.stop_at != point) return false;
  has_reached_stop_ = true;
  if (has_durable_record_) faults_.at_point(point);
  return true;
}

}  // namespace atrium::node
