#include "adapters/webhook/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ranges>

#include "adapters/webhook/dispatcher_world_testing.h"

namespace atrium::webhook {
namespace {

using domain::DeliveryEnd;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kDelayMax = std::chrono::milliseconds(limits::kWebhookBackoffMaxMs);
constexpr auto kPoisonMax = static_cast<uint32_t>(limits::kWebhookPoisonAttemptsMax);

// Told from the outcomes alone: failures of the event between which others succeeded.
uint32_t failures_beside_others(const std::vector<domain::DeliveryOutcome>& outcomes,
                                int64_t cursor) {
  uint32_t count = 0;
  bool has_success = false;
  for (const domain::DeliveryOutcome& outcome : outcomes) {
    if (outcome.end == DeliveryEnd::Delivered) has_success = true;
    if (outcome.cursor != cursor) continue;
    if (has_success) ++count;
    has_success = false;
  }
  return count;
}

struct DispatcherTest : testing::Test {
  DispatcherWorld world{7};
  std::set<std::string> poison;  // ids
  bool is_down = false;

  void SetUp() override {
    world.add_webhook("WH_1");
    world.run_for(1s);
    world.consumer = [this](const Send& send) {
      const bool is_bad = is_down || poison.contains(send.event.event.id.value);
      return Answer{.is_ok = !is_bad, .after = 10ms};
    };
  }
  std::string happen(const std::string& room) { return world.happen(room).event.id.value; }
};

TEST_F(DispatcherTest, sends_an_event_and_records_it) {
  const std::string id = happen("room");
  world.run_for(1s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(id));
  ASSERT_EQ(world.outcomes.size(), 1u);
  EXPECT_EQ(world.outcomes[0].end, DeliveryEnd::Delivered);
  EXPECT_EQ(world.outcomes[0].attempts, 1u);
  EXPECT_EQ(world.status().delivered, 1u);
  EXPECT_EQ(world.status().health, WebhookHealth::Well);
}

TEST_F(DispatcherTest, sends_the_events_of_a_room_one_after_the_other) {
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 2s}; };
  const std::string first = happen("room"), second = happen("room"), third = happen("room");
  world.run_for(1s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first));
  world.run_for(5s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first, second, third));
}

TEST_F(DispatcherTest, sends_rooms_beside_each_other_up_to_the_bound) {
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 100ms}; };
  for (int room = 0; room < 100; ++room) happen("room" + std::to_string(room));
  world.run_for(2s);
  EXPECT_EQ(world.most_of_one, static_cast<size_t>(limits::kWebhookInFlightMax));
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 100u);
}

TEST_F(DispatcherTest, sends_no_more_than_the_bound_of_all_destinations) {
  for (int i = 2; i <= 20; ++i) world.add_webhook("WH_" + std::to_string(i));
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 1s}; };
  for (int room = 0; room < 60; ++room) happen("room" + std::to_string(room));
  world.run_for(60s);
  EXPECT_EQ(world.most_in_flight, static_cast<size_t>(limits::kWebhookInFlightAllMax));
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 60u * 20u);
}

TEST_F(DispatcherTest, tries_a_fresh_destination_with_one_request_first) {
  is_down = true;
  for (int room = 0; room < 10; ++room) happen("room" + std::to_string(room));
  world.run_for(200ms);
  EXPECT_EQ(world.sends.size(), 1u);
}

TEST_F(DispatcherTest, probes_a_destination_that_is_down_one_at_a_time_and_ever_more_slowly) {
  is_down = true;
  for (int room = 0; room < 10; ++room) happen("room" + std::to_string(room));
  world.run_for(3600s);
  EXPECT_EQ(world.most_of_one, 1u);
  ASSERT_GT(world.sends.size(), 15u);
  EXPECT_LT(world.sends.size(), 50u);
  Duration longest{};
  for (size_t i = 1; i < world.sends.size(); ++i)
    longest = std::max(longest, world.sends[i].first - world.sends[i - 1].first);
  EXPECT_LE(longest, kDelayMax);
  EXPECT_GE(longest, kDelayMax / 2);
  EXPECT_EQ(world.status().health, WebhookHealth::Probed);
  EXPECT_EQ(world.status().consecutive_failures, world.sends.size());
}

TEST_F(DispatcherTest, probes_that_time_out_begin_no_further_apart) {
  world.consumer = [](const Send&) { return Answer{.is_ok = false, .after = 5s}; };
  happen("room");
  world.run_for(3 * 24 * 3600s);
  ASSERT_GT(world.sends.size(), 900u);
  for (size_t i = 1; i < world.sends.size(); ++i)
    EXPECT_LE(world.sends[i].first - world.sends[i - 1].first, kDelayMax);
}

TEST_F(DispatcherTest, failures_of_requests_sent_together_slow_down_once) {
  happen("first");
  world.run_for(1s);
  is_down = true;
  for (int room = 0; room < 20; ++room)
    world.store.add(WebhookId("WH_1"), world.store.event("room" + std::to_string(room)));
  happen("room20");
  world.run_for(15ms);
  ASSERT_EQ(world.sends.size(), 22u);
  is_down = false;
  world.run_for(1s);
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 22u);
}

TEST_F(DispatcherTest, delivers_everything_after_a_week_without_end_of_trying) {
  is_down = true;
  for (int room = 0; room < 100; ++room) happen("room" + std::to_string(room));
  world.run_for(6 * 24 * 3600s);
  is_down = false;
  world.run_for(kDelayMax + 60s);
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 100u);
  EXPECT_EQ(world.count(DeliveryEnd::Dead), 0u);
  EXPECT_EQ(world.store.size(), 0u);
}

TEST_F(DispatcherTest, probes_go_round_the_rooms) {
  is_down = true;
  for (int room = 0; room < 5; ++room) happen("room" + std::to_string(room));
  world.run_for(600s);
  std::map<std::string, int> tries;
  for (const auto& [time, send] : world.sends) ++tries[send.event.event.room.value];
  ASSERT_EQ(tries.size(), 5u);
  const auto [least, most] = std::ranges::minmax(tries | std::views::values);
  EXPECT_LE(most - least, 1);
}

TEST_F(DispatcherTest, a_room_that_was_not_tried_yet_goes_before_those_that_failed) {
  is_down = true;
  const std::string old = happen("a");
  world.run_for(60s);
  const std::string fresh = happen("b");
  const size_t before = world.sends.size();
  world.run_for(kDelayMax);
  EXPECT_EQ(world.ids_sent().at(before), fresh);
}

TEST_F(DispatcherTest, a_poison_event_does_not_stop_other_rooms) {
  poison.insert(happen("a"));
  world.run_for(1s);
  for (int i = 0; i < 20; ++i) happen("b");
  world.run_for(5s);
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 20u);
}

TEST_F(DispatcherTest,
       a_poison_event_is_dead_after_ten_failures_beside_others_and_its_room_goes_on) {
  const std::string bad = happen("a");
  const std::string next = happen("a");
  poison.insert(bad);
  for (int second = 0; second < 900; ++second)
    world.at(world.now.mono + std::chrono::seconds(second), [this] { happen("b"); });
  world.run_for(1000s);
  ASSERT_EQ(world.store.dead.size(), 1u);
  EXPECT_EQ(world.store.dead[0].failed_beside_others, kPoisonMax);
  EXPECT_EQ(world.store.dead[0].why, "answered 500");
  EXPECT_EQ(world.status().dead, 1u);
  EXPECT_EQ(failures_beside_others(world.outcomes, world.store.dead[0].cursor), kPoisonMax);
  const auto ids = world.ids_sent();
  EXPECT_EQ(std::ranges::count(ids, next), 1);
  EXPECT_EQ(world.store.size(), 0u);
}

TEST_F(DispatcherTest, a_poison_event_alone_is_never_dead) {
  poison.insert(happen("a"));
  world.run_for(2 * 24 * 3600s);
  EXPECT_EQ(world.count(DeliveryEnd::Dead), 0u);
  EXPECT_EQ(world.outcomes.back().failed_beside_others, 0u);
}

TEST_F(DispatcherTest, an_outage_counts_at_most_once_for_an_event) {
  for (int i = 0; i < 50; ++i) happen("room" + std::to_string(i));
  is_down = true;
  world.run_for(3600s);
  is_down = false;
  world.run_for(kDelayMax + 60s);
  EXPECT_EQ(world.store.size(), 0u);
  for (const domain::DeliveryOutcome& outcome : world.outcomes)
    EXPECT_LE(outcome.failed_beside_others, 1u);
}

TEST_F(DispatcherTest, a_count_survives_a_restart_and_attempts_go_on) {
  poison.insert(happen("a"));
  for (int second = 0; second < 3000; ++second)
    world.at(world.now.mono + std::chrono::seconds(second), [this] { happen("b"); });
  for (int minute = 1; minute < 40; ++minute)
    world.at(world.now.mono + std::chrono::minutes(minute), [this] { world.restart(); });
  world.run_for(3000s);
  ASSERT_EQ(world.store.dead.size(), 1u);
  EXPECT_EQ(world.store.dead[0].failed_beside_others, kPoisonMax);
}

TEST_F(DispatcherTest, reads_nothing_while_nothing_happens) {
  happen("room");
  world.run_for(10s);
  const size_t before = world.fetches;
  world.run_for(24 * 3600s);
  EXPECT_EQ(world.fetches, before);
  EXPECT_EQ(world.dispatcher().next_deadline(), kNever);
}

TEST_F(DispatcherTest, reads_about_once_for_each_try_while_everything_fails) {
  for (int room = 0; room < 200; ++room)
    world.store.add(WebhookId("WH_1"), world.store.event("r" + std::to_string(room)));
  is_down = true;
  happen("room");
  world.run_for(24 * 3600s);
  EXPECT_LE(world.fetches, 2 * world.sends.size());
}

TEST_F(DispatcherTest, asks_again_when_the_store_refused) {
  world.store_refuses = true;
  happen("room");
  world.run_for(10s);
  EXPECT_GT(world.fetches, 10u);
  EXPECT_LT(world.fetches, 40u);
  world.store_refuses = false;
  world.run_for(1s);
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 1u);
}

TEST_F(DispatcherTest, does_not_send_again_what_ended_while_the_store_was_read) {
  world.read_takes = 300ms;
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 50ms}; };
  for (int i = 0; i < 40; ++i) world.at(world.now.mono + i * 70ms, [this] { happen("room"); });
  world.run_for(20s);
  auto ids = world.ids_sent();
  EXPECT_EQ(ids.size(), 40u);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::unique(ids).size(), 0u);
}

TEST_F(DispatcherTest, goes_on_behind_a_run_that_was_full) {
  for (int i = 0; i < 100; ++i) world.store.add(WebhookId("WH_1"), world.store.event("room"));
  happen("room");
  world.run_for(10s);
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 101u);
}

TEST_F(DispatcherTest, a_redriven_event_goes_before_what_came_after_it) {
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 1s}; };
  const domain::StoredEvent dead = world.store.event("room");
  const std::string first = happen("room"), second = happen("room");
  world.run_for(100ms);
  auto& waiting = world.store.waiting.at({WebhookId("WH_1"), {kWorldApp, RoomId("room")}});
  waiting.insert(waiting.begin(), {.webhook = WebhookId("WH_1"), .event = dead});
  world.dispatcher().on_work(WebhookId("WH_1"), world.now);
  world.carry_out();
  world.run_for(10s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first, dead.event.id.value, second));
}

TEST_F(DispatcherTest, a_webhook_that_is_disabled_is_sent_nothing_and_goes_on_when_enabled) {
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 1s}; };
  const std::string first = happen("room"), second = happen("room");
  world.run_for(100ms);
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.enabled = false; });
  world.run_for(60s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first));
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 1u) << "what was under way arrived";
  EXPECT_EQ(world.status().health, WebhookHealth::Disabled);
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.enabled = true; });
  world.run_for(60s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first, second));
}

TEST_F(DispatcherTest, a_failure_after_disabling_is_not_recorded) {
  world.consumer = [](const Send&) { return Answer{.is_ok = false, .after = 1s}; };
  happen("room");
  world.run_for(100ms);
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.enabled = false; });
  world.run_for(60s);
  EXPECT_THAT(world.outcomes, IsEmpty());
  EXPECT_EQ(world.sends.size(), 1u);
}

TEST_F(DispatcherTest, a_webhook_that_is_disabled_and_enabled_at_once_keeps_the_order) {
  world.consumer = [](const Send&) { return Answer{.is_ok = false, .after = 2s}; };
  world.read_takes = 3s;
  const std::string first = happen("room");
  happen("room");
  world.run_for(4s);
  happen("room");  // asks the store, which takes its time
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.enabled = false; });
  world.run_for(1500ms);  // the first try failed meanwhile
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.enabled = true; });
  world.consumer = [](const Send&) { return Answer{}; };
  world.run_for(60s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first, first, "EV_2", "EV_3"));
}

TEST_F(DispatcherTest, a_change_of_the_address_is_tried_at_once) {
  is_down = true;
  const std::string id = happen("room");
  world.run_for(3600s);
  const size_t before = world.sends.size();
  is_down = false;
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.url = "https://example.org/"; });
  world.run_for(1s);
  ASSERT_EQ(world.sends.size(), before + 1);
  EXPECT_EQ(world.sends.back().second.webhook.url, "https://example.org/");
}

TEST_F(DispatcherTest, a_webhook_that_is_dropped_is_forgotten_with_what_is_under_way) {
  happen("room");
  world.run_for(5ms);
  world.dispatcher().on_webhook_dropped(WebhookId("WH_1"), world.now);
  world.carry_out();
  world.dispatcher().on_webhook(world.webhooks[0], world.now);
  world.run_for(60s);
  EXPECT_EQ(world.status().in_flight, 0u);
}

TEST_F(DispatcherTest, what_is_not_wanted_any_more_is_passed_over) {
  world.consumer = [](const Send&) { return Answer{.is_ok = true, .after = 1s}; };
  const std::string first = happen("room");
  happen("room");
  world.run_for(100ms);
  world.change_webhook(0, [](domain::Webhook& webhook) { webhook.events = {"RoomDestroy"}; });
  world.run_for(60s);
  EXPECT_THAT(world.ids_sent(), ElementsAre(first));
  EXPECT_EQ(world.count(DeliveryEnd::NotWanted), 1u);
  EXPECT_EQ(world.store.size(), 0u);
}

TEST_F(DispatcherTest, what_expired_in_the_store_is_not_sent_after_the_next_reading) {
  is_down = true;
  happen("a"), happen("b");
  world.run_for(3600s);
  world.store.waiting.erase({WebhookId("WH_1"), {kWorldApp, RoomId("a")}});
  happen("c");
  world.run_for(1s);
  const size_t before = world.sends.size();
  is_down = false;
  world.run_for(2 * kDelayMax);
  for (size_t i = before; i < world.sends.size(); ++i)
    EXPECT_NE(world.sends[i].second.event.event.room.value, "a");
  EXPECT_EQ(world.store.size(), 0u);
}

TEST_F(DispatcherTest, a_test_is_sent_at_once_beside_everything_else) {
  is_down = true;
  happen("room");
  world.run_for(3600s);
  const size_t before = world.sends.size();
  const auto id = world.dispatcher().test(WebhookId("WH_1"), world.now);
  world.carry_out();
  ASSERT_TRUE(id.has_value());
  ASSERT_EQ(world.sends.size(), before + 1);
  EXPECT_EQ(world.sends.back().second.event.event.kind, domain::EventKind::RoomEnded);
  const size_t outcomes = world.outcomes.size();
  world.run_for(20ms);
  ASSERT_EQ(world.tests.size(), 1u);
  EXPECT_EQ(world.tests[0].attempt, *id);
  EXPECT_EQ(world.tests[0].result.error(), "answered 500");
  EXPECT_EQ(world.outcomes.size(), outcomes);
}

TEST_F(DispatcherTest, a_test_that_succeeds_brings_the_next_probe_forward) {
  is_down = true;
  happen("room");
  world.run_for(3600s);
  is_down = false;
  ASSERT_TRUE(world.dispatcher().test(WebhookId("WH_1"), world.now).has_value());
  world.carry_out();
  world.run_for(1s);
  EXPECT_TRUE(world.tests.at(0).result.has_value());
  EXPECT_EQ(world.count(DeliveryEnd::Delivered), 1u);
}

TEST_F(DispatcherTest, a_test_of_an_unknown_webhook_is_refused) {
  EXPECT_EQ(world.dispatcher().test(WebhookId("WH_9"), world.now).error().kind,
            ErrorKind::NotFound);
}

TEST_F(DispatcherTest, says_how_old_the_oldest_is_that_waits) {
  is_down = true;
  domain::StoredEvent event = world.store.event("room");
  event.event.at = world.now.wall;
  world.store.add(WebhookId("WH_1"), event);
  world.dispatcher().on_work(WebhookId("WH_1"), world.now);
  world.carry_out();
  world.run_for(60s);
  EXPECT_EQ(world.status().oldest_waiting_at, event.event.at);
}

TEST_F(DispatcherTest, results_of_unknown_attempts_are_passed_over) {
  world.dispatcher().on_result(AttemptId{999}, {}, world.now);
  world.dispatcher().on_runs(WebhookId("WH_9"), {}, world.now);
  world.dispatcher().on_runs(WebhookId("WH_1"), {}, world.now);
  EXPECT_THAT(world.dispatcher().take(), IsEmpty());
}

}  // namespace
}  // namespace atrium::webhook
