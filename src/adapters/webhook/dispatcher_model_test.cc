// A consumer of webhooks that is down for an hour, refuses some events for ever, answers slowly and now and then not at
// all, while the dispatcher is restarted at random: by seed.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "adapters/webhook/dispatcher.h"
#include "adapters/webhook/dispatcher_world_testing.h"

namespace atrium::webhook {
namespace {

using domain::DeliveryEnd;

constexpr auto kPoisonMax = static_cast<uint32_t>(limits::kWebhookPoisonAttemptsMax);
constexpr auto kDelayMax = std::chrono::milliseconds(limits::kWebhookBackoffMaxMs);

struct Plan {
  uint64_t seed = 1;
  int rooms = 40;
  int events = 4000;
  Duration span = 2 * 3600s;  // over which events happen
  bool has_outage = true;     // an hour, in the middle
  int poison_per_mille = 2;
  int flaky_per_mille = 10;  // answers that fail for no reason
  int restarts = 0;
};

// What somebody sees who only receives: the newest sequence of each room, and whether anything came out of order.
struct Receiver {
  std::map<std::string, int64_t> newest;
  std::set<std::string> ids;
  uint64_t duplicates = 0;

  void receive(const domain::StoredEvent& event, const std::set<int64_t>& dead) {
    const std::string& room = event.event.room.value;
    int64_t& last = newest[room];
    if (!ids.insert(event.event.id.value).second) {
      ++duplicates;
      EXPECT_EQ(event.sequence, last) << "a duplicate of something older than the newest";
      return;
    }
    int64_t expected = last + 1;
    while (dead.contains(key_of(room, expected))) ++expected;
    EXPECT_EQ(event.sequence, expected) << room;
    last = event.sequence;
  }
  static int64_t key_of(const std::string& room, int64_t sequence) {
    return static_cast<int64_t>(std::hash<std::string>{}(room) % 1'000'000'007) * 1'000'000 +
           sequence;
  }
};

class Life {
 public:
  explicit Life(Plan plan) : plan_(plan), world_(plan.seed) {
    world_.add_webhook("WH_1");
    world_.run_for(1s);
    begin_ = world_.now.mono;
    down_from_ = begin_ + plan_.span / 4;
    down_until_ = down_from_ + 3600s;
    world_.consumer = [this](const Send& send) { return answer(send); };
    world_.read_takes = 5ms;
    for (int i = 0; i < plan_.events; ++i) world_.at(some_time(), [this] { happen(); });
    for (int i = 0; i < plan_.restarts; ++i) world_.at(some_time(), [this] { world_.restart(); });
    // Somebody is always there, so that poison has others to fail beside.
    for (Duration at{}; at < plan_.span + 4 * 3600s; at += 5s)
      world_.at(begin_ + at, [this] { world_.happen("lobby"); });
  }

  void run() {
    world_.run_for(plan_.span + 5 * 3600s);
    check_all_is_delivered_or_dead();
    check_probes();
  }

  DispatcherWorld& world() { return world_; }
  const Receiver& receiver() const { return receiver_; }

 private:
  uint64_t chance(uint64_t bound) { return world_.chance().u64() % bound; }
  Mono some_time() {
    return begin_ +
           Duration(static_cast<int64_t>(chance(static_cast<uint64_t>(plan_.span.count()))));
  }
  bool is_down() const {
    return plan_.has_outage && world_.now.mono >= down_from_ && world_.now.mono < down_until_;
  }
  void happen() {
    // Some rooms are much busier than others.
    const std::string room =
        "room" + std::to_string(chance(1 + chance(static_cast<uint64_t>(plan_.rooms))));
    const domain::StoredEvent event = world_.happen(room);
    if (chance(1000) < static_cast<uint64_t>(plan_.poison_per_mille))
      poison_.insert(event.event.id.value);
    ++happened_;
  }
  Answer answer(const Send& send) {
    if (is_down()) {
      EXPECT_LE(world_.under_way(), world_.now.mono > down_from_ + 10s ? 1u : 32u);
      return {.is_ok = false, .after = chance(2) == 0 ? Duration(5s) : Duration(1ms)};
    }
    const Duration after = std::chrono::milliseconds(1 + chance(chance(20) == 0 ? 4000 : 200));
    if (poison_.contains(send.event.event.id.value)) return {.is_ok = false, .after = after};
    const bool is_lost = chance(1000) < static_cast<uint64_t>(plan_.flaky_per_mille);
    // Of a lost answer the consumer knows nothing: it has the event.
    if (is_lost && chance(2) == 0) return {.is_ok = false, .after = 5s};
    note_dead();
    receiver_.receive(send.event, dead_);
    return {.is_ok = !is_lost, .after = is_lost ? Duration(5s) : after};
  }
  void note_dead() {
    for (; dead_noted_ < world_.store.dead.size(); ++dead_noted_) {
      const domain::DeliveryOutcome& outcome = world_.store.dead[dead_noted_];
      for (const auto& [time, send] : world_.sends)
        if (send.event.cursor == outcome.cursor) {
          dead_.insert(Receiver::key_of(outcome.room.value, send.event.sequence));
          dead_ids_.insert(send.event.event.id.value);
          break;
        }
    }
  }
  void check_all_is_delivered_or_dead() {
    note_dead();
    EXPECT_EQ(world_.store.size(), 0u);
    EXPECT_EQ(dead_ids_, poison_);
    for (const domain::DeliveryOutcome& outcome : world_.store.dead)
      EXPECT_EQ(outcome.failed_beside_others, kPoisonMax);
    EXPECT_EQ(receiver_.ids.size() + dead_.size(), static_cast<size_t>(world_.store.last_cursor));
  }
  void check_probes() {
    if (!plan_.has_outage) return;
    Mono last = down_from_;
    for (const auto& [time, send] : world_.sends) {
      if (time <= down_from_ || time > down_until_) continue;
      EXPECT_LE(time - last, kDelayMax);
      last = time;
    }
    EXPECT_LE(down_until_ - last, kDelayMax);
  }

  // given
  Plan plan_;
  // owned
  DispatcherWorld world_;
  Receiver receiver_;
  Mono begin_{}, down_from_{}, down_until_{};
  std::set<std::string> poison_, dead_ids_;
  std::set<int64_t> dead_;
  size_t dead_noted_ = 0;
  int happened_ = 0;
};

class DispatcherModel : public testing::TestWithParam<uint64_t> {};

TEST_P(DispatcherModel, delivers_everything_in_order_through_an_outage) {
  Life life({.seed = GetParam()});
  life.run();
}

TEST_P(DispatcherModel, delivers_everything_in_order_through_restarts) {
  Life life({.seed = GetParam(), .restarts = 40});
  life.run();
}

TEST_P(DispatcherModel, sends_nothing_twice_to_a_consumer_that_answers) {
  Life life({.seed = GetParam(), .has_outage = false, .flaky_per_mille = 0});
  life.run();
  EXPECT_EQ(life.receiver().duplicates, 0u);
}

TEST_P(DispatcherModel, does_not_starve_a_room_among_a_thousand) {
  Life life({.seed = GetParam(), .rooms = 1000, .events = 6000, .poison_per_mille = 1});
  life.run();
}

INSTANTIATE_TEST_SUITE_P(Seeds, DispatcherModel, testing::Values(1, 2));

}  // namespace
}  // namespace atrium::webhook
