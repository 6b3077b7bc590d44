// DispatcherWorld: a dispatcher with a store made of maps, consumers made of functions, and a clock fed by hand.
// Checks at every step what must hold always: one event of a room at a time, the bounds, one probe at a time while all
// fails.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/webhook/dispatcher.h"
#include "base/limits.h"
#include "base/seeded_secret_source.h"

namespace atrium::webhook {

inline const AppId kWorldApp("a7e100000000000000000001");

// What the store has of deliveries; survives a restart of the dispatcher.
struct StoreOfMaps {
  std::map<std::pair<WebhookId, RoomKey>, std::vector<domain::Delivery>> waiting;
  std::vector<domain::DeliveryOutcome> dead;
  int64_t last_cursor = 0;
  std::map<std::string, int64_t> sequences;

  domain::StoredEvent event(const std::string& room) {
    domain::StoredEvent stored;
    stored.cursor = ++last_cursor;
    stored.sequence = ++sequences[room];
    stored.event.id = EventId("EV_" + std::to_string(stored.cursor));
    stored.event.kind = domain::EventKind::UserJoined;
    stored.event.app = kWorldApp;
    stored.event.room = RoomId(room);
    return stored;
  }
  void add(const WebhookId& webhook, const domain::StoredEvent& stored) {
    waiting[{webhook, {stored.event.app, stored.event.room}}].push_back(
        {.webhook = webhook, .event = stored});
  }
  std::vector<domain::DeliveryRun> read(const Fetch& fetch) const {
    std::vector<domain::DeliveryRun> out;
    const RoomKey behind{fetch.after_app, fetch.after_room};
    for (auto at = waiting.upper_bound({fetch.webhook, behind}); at != waiting.end(); ++at) {
      if (at->first.first != fetch.webhook) break;
      if (out.size() == static_cast<size_t>(limits::kWebhookRoomsPerFetch)) break;
      domain::DeliveryRun run{at->first.second.app, at->first.second.room, at->second};
      run.deliveries.resize(
          std::min(run.deliveries.size(), static_cast<size_t>(limits::kWebhookRunMax)));
      out.push_back(std::move(run));
    }
    return out;
  }
  void apply(const domain::DeliveryOutcome& outcome) {
    const auto room = waiting.find({outcome.webhook, {outcome.app, outcome.room}});
    if (room == waiting.end()) return;
    auto& run = room->second;
    const auto at = std::ranges::find(run, outcome.cursor,
                                      [](const domain::Delivery& d) { return d.event.cursor; });
    if (at == run.end()) return;
    at->attempts = outcome.attempts;
    at->failed_beside_others = outcome.failed_beside_others;
    if (outcome.end == domain::DeliveryEnd::Failed) return;
    if (outcome.end == domain::DeliveryEnd::Dead) dead.push_back(outcome);
    run.erase(at);
    if (run.empty()) waiting.erase(room);
  }
  size_t size() const {
    size_t out = 0;
    for (const auto& [key, run] : waiting) out += run.size();
    return out;
  }
};

struct Answer {
  bool is_ok = true;
  Duration after = 10ms;
};

class DispatcherWorld {
 public:
  using Consumer = std::function<Answer(const Send&)>;

  explicit DispatcherWorld(uint64_t seed) : chance_(seed) { restart(); }

  // --- the world
  Now now{.mono = Mono(1000s), .wall = wall_from_unix_s(1'704'164'645)};
  StoreOfMaps store;
  Consumer consumer = [](const Send&) { return Answer{}; };
  Duration read_takes = 1ms;
  bool store_refuses = false;
  std::vector<domain::Webhook> webhooks;
  // --- what was seen
  std::vector<domain::DeliveryOutcome> outcomes;
  std::vector<std::pair<Mono, Send>> sends;
  std::vector<TestEnded> tests;
  size_t fetches = 0;
  size_t most_in_flight = 0, most_of_one = 0;

  Dispatcher& dispatcher() { return *dispatcher_; }
  SeededSecretSource& chance() { return chance_; }

  const domain::Webhook& add_webhook(const std::string& id) {
    domain::Webhook webhook;
    webhook.id = WebhookId(id);
    webhook.app = kWorldApp;
    webhook.url = "https://example.com/" + id;
    webhooks.push_back(webhook);
    dispatcher_->on_webhook(webhook, now);
    carry_out();
    return webhooks.back();
  }
  void change_webhook(size_t index, const std::function<void(domain::Webhook&)>& change) {
    change(webhooks[index]);
    dispatcher_->on_webhook(webhooks[index], now);
    carry_out();
  }
  // An event happens in the room, and waits for all webhooks.
  domain::StoredEvent happen(const std::string& room) {
    const domain::StoredEvent stored = store.event(room);
    for (const domain::Webhook& webhook : webhooks) store.add(webhook.id, stored);
    for (const domain::Webhook& webhook : webhooks) dispatcher_->on_work(webhook.id, now);
    carry_out();
    return stored;
  }
  // What was under way is forgotten; the store stays.
  void restart() {
    coming_.clear(), under_way_.clear(), in_flight_.clear();
    dispatcher_ = std::make_unique<Dispatcher>(chance_);
    for (const domain::Webhook& webhook : webhooks) dispatcher_->on_webhook(webhook, now);
    carry_out();
  }
  void at(Mono time, std::function<void()> what) { plans_.emplace(time, std::move(what)); }

  void run_for(Duration span) {
    const Mono end = now.mono + span;
    while (step(end)) {
    }
    move_to(end);
  }
  // False: nothing more to happen before `end`.
  bool step(Mono end) {
    Mono next = dispatcher_->next_deadline();
    if (!coming_.empty()) next = std::min(next, coming_.begin()->first);
    if (!plans_.empty()) next = std::min(next, plans_.begin()->first);
    if (next > end) return false;
    move_to(std::max(next, now.mono));
    if (!plans_.empty() && plans_.begin()->first <= now.mono) {
      auto what = std::move(plans_.extract(plans_.begin()).mapped());
      what();
    } else if (!coming_.empty() && coming_.begin()->first <= now.mono) {
      auto what = std::move(coming_.extract(coming_.begin()).mapped());
      what();
    } else {
      dispatcher_->on_deadline(now);
      EXPECT_GT(dispatcher_->next_deadline(), now.mono) << "it would spin";
    }
    carry_out();
    return true;
  }

  std::vector<std::string> ids_sent() const {
    std::vector<std::string> out;
    for (const auto& [time, send] : sends) out.push_back(send.event.event.id.value);
    return out;
  }
  size_t under_way() const { return in_flight_.size(); }
  size_t count(domain::DeliveryEnd end) const {
    return static_cast<size_t>(std::ranges::count(outcomes, end, &domain::DeliveryOutcome::end));
  }
  WebhookStatus status() const { return dispatcher_->status().at(0); }

  void carry_out() {
    for (Output& output : dispatcher_->take())
      std::visit([this](auto& one) { carry_out(one); }, output);
    for (const WebhookStatus& status : dispatcher_->status()) {
      EXPECT_LE(status.rooms_held, static_cast<uint64_t>(limits::kWebhookRoomsPerFetch));
      EXPECT_LE(status.rooms_failing, static_cast<uint64_t>(limits::kWebhookRoomsBackedOffMax));
    }
  }

 private:
  void move_to(Mono time) {
    now.wall += time - now.mono;
    now.mono = time;
  }
  void carry_out(Fetch& fetch) {
    ++fetches;
    if (store_refuses) {
      coming_.emplace(now.mono + read_takes,
                      [this, fetch] { dispatcher_->on_runs_failed(fetch.webhook, now); });
      return;
    }
    coming_.emplace(now.mono + read_takes, [this, fetch, runs = store.read(fetch)] {
      dispatcher_->on_runs(fetch.webhook, runs, now);
    });
  }
  void carry_out(Record& record) {
    outcomes.push_back(record.outcome);
    store.apply(record.outcome);
  }
  void carry_out(TestEnded& ended) { tests.push_back(ended); }
  void carry_out(Send& send) {
    sends.emplace_back(now.mono, send);
    const bool is_test = send.event.event.room.value == Dispatcher::kTestRoom;
    const auto key = std::make_pair(send.webhook.id, send.event.event.room);
    if (!is_test) EXPECT_TRUE(under_way_.insert(key).second) << "two of one room at once";
    in_flight_.insert(send.attempt);
    const auto of_one = static_cast<size_t>(std::ranges::count(
        under_way_, send.webhook.id, [](const auto& entry) { return entry.first; }));
    most_of_one = std::max(most_of_one, of_one);
    most_in_flight = std::max(most_in_flight, in_flight_.size());
    EXPECT_LE(of_one, static_cast<size_t>(limits::kWebhookInFlightMax));
    EXPECT_LE(in_flight_.size(), static_cast<size_t>(limits::kWebhookInFlightAllMax));
    const Answer answer = consumer(send);
    coming_.emplace(now.mono + answer.after, [this, key, is_test, answer, id = send.attempt] {
      if (!is_test) under_way_.erase(key);
      in_flight_.erase(id);
      std::expected<void, std::string> result;
      if (!answer.is_ok) result = std::unexpected("answered 500");
      dispatcher_->on_result(id, result, now);
    });
  }

  SeededSecretSource chance_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::multimap<Mono, std::function<void()>> coming_;  // of this process
  std::multimap<Mono, std::function<void()>> plans_;   // of the world
  std::set<std::pair<WebhookId, RoomId>> under_way_;
  std::set<AttemptId> in_flight_;
};

}  // namespace atrium::webhook
