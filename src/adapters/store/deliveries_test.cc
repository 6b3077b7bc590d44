#include "adapters/store/deliveries.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::DeliveryEnd;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Duration kWeek = 7 * kStoreDay;

class DeliveriesTest : public StoreFixture {
 protected:
  void SetUp() override {
    StoreFixture::SetUp();
    ASSERT_TRUE(write(PutWebhook{OperationId("OP_hook"), hook()}));
  }

  static domain::Webhook hook(const char* id = "WH_1") {
    domain::Webhook out;
    out.id = WebhookId(id);
    out.app = AppId("app");
    out.dialect = domain::WebhookDialect::LiveKit;
    return out;
  }
  // Cursors are the numbers of the events as long as they are written in order and once.
  static domain::DeliveryOutcome outcome(int64_t cursor, DeliveryEnd end, Wall at = kStoreStart) {
    return {.webhook = WebhookId("WH_1"),
            .app = AppId("app"),
            .room = RoomId("room"),
            .cursor = cursor,
            .end = end,
            .attempts = 10,
            .failed_beside_others = 9,
            .why = "answered 500",
            .at = at};
  }
  bool note(int64_t from, int64_t to, DeliveryEnd end, Wall at = kStoreStart) {
    PutDeliveries put;
    for (int64_t cursor = from; cursor <= to; ++cursor)
      put.outcomes.push_back(outcome(cursor, end, at));
    return write(std::move(put));
  }
  bool redrive(const char* event = "") {
    return write(Redrive{OperationId("OP_redrive"), WebhookId("WH_1"), EventId(event)});
  }
  std::vector<domain::DeliveryRun> runs(const std::string& after_room = "") {
    return MUST(store->next_deliveries(WebhookId("WH_1"), AppId(after_room.empty() ? "" : "app"),
                                       RoomId(after_room)));
  }
  // Of the first room that something waits for.
  std::vector<domain::StoredEvent> waiting() {
    std::vector<domain::StoredEvent> out;
    for (const domain::DeliveryRun& run : runs()) {
      for (const domain::Delivery& one : run.deliveries) out.push_back(one.event);
      break;
    }
    return out;
  }
  std::vector<domain::DeadLetter> dead(int64_t after = 0, size_t limit = 1'000'000) {
    return MUST(store->list_dead_letters(WebhookId("WH_1"), after, limit));
  }
  domain::WebhookBacklog backlog() { return MUST(store->backlogs()).at(0); }
};

TEST_F(DeliveriesTest, events_wait_room_by_room_in_their_order_until_they_are_delivered) {
  ASSERT_TRUE(write({event(1), event(2, "other"), event(3), event(4)}));
  ASSERT_EQ(runs().size(), 2u);
  EXPECT_EQ(runs()[0].room, RoomId("other"));
  EXPECT_THAT(ids({runs()[1].deliveries.at(0).event}), ElementsAre("EV_1"));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Delivered));
  ASSERT_TRUE(note(3, 3, DeliveryEnd::NotWanted));
  restart();
  ASSERT_EQ(runs("other").size(), 1u);
  const auto left = runs("other")[0].deliveries;
  EXPECT_THAT(ids({left.at(0).event}), ElementsAre("EV_4"));
  EXPECT_EQ(left.size(), 1u);
  EXPECT_EQ(backlog().waiting, 2u);
}

TEST_F(DeliveriesTest, a_fetch_is_bounded_in_rooms_and_in_events_of_each) {
  ASSERT_TRUE(write(events(1, limits::kWebhookRunMax + 1, "room-000")));
  std::vector<domain::Event> many;
  for (int i = 1; i <= limits::kWebhookRoomsPerFetch; ++i)
    many.push_back(event(1'000 + i, "room-" + std::to_string(100 + i)));
  ASSERT_TRUE(write(std::move(many)));
  const auto first = runs();
  ASSERT_EQ(std::ssize(first), limits::kWebhookRoomsPerFetch);
  EXPECT_EQ(std::ssize(first[0].deliveries), limits::kWebhookRunMax);
  const auto rest = runs(first.back().room.value);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_GT(rest[0].room, first.back().room);
}

TEST_F(DeliveriesTest, what_failed_is_remembered_over_a_restart) {
  ASSERT_TRUE(write({event(1)}));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Failed));
  restart();
  const domain::Delivery delivery = runs().at(0).deliveries.at(0);
  EXPECT_EQ(delivery.attempts, 10u);
  EXPECT_EQ(delivery.failed_beside_others, 9u);
}

TEST_F(DeliveriesTest, an_event_that_is_given_up_leaves_a_gap_in_the_numbers_and_its_room_goes_on) {
  ASSERT_TRUE(write(events(1, 3)));
  ASSERT_TRUE(note(2, 2, DeliveryEnd::Dead, kStoreStart + 3600s));
  EXPECT_THAT(sequences(waiting()), ElementsAre(1, 3));
  restart();
  ASSERT_EQ(dead().size(), 1u);
  EXPECT_EQ(dead()[0].event.event, event(2));
  EXPECT_EQ(dead()[0].event.sequence, 2);
  EXPECT_EQ(dead()[0].attempts, 10u);
  EXPECT_EQ(dead()[0].why, "answered 500");
  EXPECT_EQ(dead()[0].died_at, kStoreStart + 3600s);
  EXPECT_EQ(backlog().dead, 1u);
  EXPECT_EQ(backlog().waiting, 2u);
}

TEST_F(DeliveriesTest, the_end_of_what_does_not_wait_changes_nothing) {
  ASSERT_TRUE(write({event(1)}));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Delivered));
  ASSERT_TRUE(note(1, 2, DeliveryEnd::Dead));
  EXPECT_THAT(dead(), IsEmpty());
  EXPECT_EQ(backlog().dead, 0u);
  EXPECT_EQ(backlog().waiting, 0u);
}

TEST_F(DeliveriesTest, what_is_redriven_waits_before_what_is_later_with_its_id_and_number) {
  ASSERT_TRUE(write(events(1, 3)));
  ASSERT_TRUE(note(1, 2, DeliveryEnd::Dead));
  ASSERT_TRUE(redrive("EV_2"));
  EXPECT_THAT(ids(waiting()), ElementsAre("EV_2", "EV_3"));
  EXPECT_THAT(sequences(waiting()), ElementsAre(2, 3));
  EXPECT_EQ(waiting()[0].cursor, 2);
  EXPECT_EQ(runs().at(0).deliveries.at(0).attempts, 0u) << "it is tried as if for the first time";
  EXPECT_EQ(runs().at(0).deliveries.at(0).failed_beside_others, 0u);
  ASSERT_EQ(dead().size(), 1u) << "the other one is left where it is";
  restart();
  ASSERT_TRUE(redrive());
  EXPECT_THAT(ids(waiting()), ElementsAre("EV_1", "EV_2", "EV_3"));
  EXPECT_EQ(backlog().waiting, 3u);
  EXPECT_EQ(backlog().dead, 0u);
}

TEST_F(DeliveriesTest, a_redrive_of_all_takes_the_oldest_of_them_and_no_more_than_its_bound) {
  constexpr int kDead = limits::kDeadLettersPageMax + 2;
  ASSERT_TRUE(write(events(1, kDead)));
  ASSERT_TRUE(note(1, kDead, DeliveryEnd::Dead));
  EXPECT_EQ(std::ssize(dead()), limits::kDeadLettersPageMax) << "so is a page";
  ASSERT_TRUE(redrive());
  EXPECT_EQ(static_cast<int64_t>(backlog().waiting), limits::kDeadLettersPageMax);
  ASSERT_EQ(dead().size(), 2u);
  EXPECT_EQ(dead()[0].event.cursor, kDead - 1);
  EXPECT_EQ(dead(kDead - 1).size(), 1u);
  ASSERT_TRUE(redrive());
  EXPECT_EQ(backlog().waiting, static_cast<uint64_t>(kDead));
  EXPECT_THAT(dead(), IsEmpty());
}

TEST_F(DeliveriesTest, another_webhook_is_not_redriven_along) {
  ASSERT_TRUE(write(PutWebhook{OperationId("OP_hook"), hook("WH_0")}));
  ASSERT_TRUE(write({event(1)}));
  PutDeliveries put;
  put.outcomes = {outcome(1, DeliveryEnd::Dead), outcome(1, DeliveryEnd::Dead)};
  put.outcomes[1].webhook = WebhookId("WH_0");
  ASSERT_TRUE(write(std::move(put)));
  ASSERT_TRUE(redrive());
  EXPECT_EQ(MUST(store->list_dead_letters(WebhookId("WH_0"), 0, 10)).size(), 1u);
}

TEST_F(DeliveriesTest, what_waited_for_seven_days_is_given_up_and_kept_for_seven_more) {
  ASSERT_TRUE(write(events(1, 2)));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Failed));
  EXPECT_EQ(purge(kWeek + 1ms).too_old_deliveries, 0u) << "not yet over";
  EXPECT_EQ(purge(kWeek + 3ms).too_old_deliveries, 2u);
  EXPECT_THAT(waiting(), IsEmpty());
  ASSERT_EQ(dead().size(), 2u);
  EXPECT_EQ(dead()[0].why, "too old: answered 500");
  EXPECT_EQ(dead()[1].why, "too old");
  EXPECT_EQ(list().events.size(), 2u) << "they outlive others of their age";
  EXPECT_EQ(purge(2 * kWeek).dead_letters, 0u);
  EXPECT_EQ(purge(2 * kWeek + 4ms).dead_letters, 2u);
  purge(2 * kWeek + 4ms);
  EXPECT_THAT(dead(), IsEmpty());
  EXPECT_THAT(list().events, IsEmpty());
}

TEST_F(DeliveriesTest, an_event_whose_last_dead_letter_was_delivered_goes_with_its_age) {
  ASSERT_TRUE(write({event(1)}));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Dead));
  ASSERT_TRUE(redrive());
  EXPECT_EQ(purge(kWeek - 1s).events, 0u);
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Delivered));
  EXPECT_EQ(purge(kWeek + 1s).events, 1u);
}

TEST_F(DeliveriesTest, a_held_event_stops_its_room_alone) {
  ASSERT_TRUE(write({event(1)}));
  WriteRequest held;
  held.hold = OperationId("OP_1");
  held.held_events = {event(2)};
  ASSERT_TRUE(write(std::move(held)));
  ASSERT_TRUE(write({event(3), event(4, "other")}));
  ASSERT_EQ(runs().size(), 2u);
  EXPECT_THAT(ids({runs()[0].deliveries.at(0).event}), ElementsAre("EV_4"));
  EXPECT_EQ(runs()[1].deliveries.size(), 1u) << "what was before it waits";
  WriteRequest release;
  release.release = OperationId("OP_1");
  ASSERT_TRUE(write(std::move(release)));
  EXPECT_EQ(runs()[1].deliveries.size(), 3u);
}

TEST_F(DeliveriesTest, what_waits_for_a_webhook_that_was_dropped_goes_in_steps) {
  ASSERT_TRUE(write(PutWebhook{OperationId("OP_hook"), hook("WH_0")}));
  ASSERT_TRUE(write(events(1, limits::kPurgeRowsPerStep + 1)));
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Dead));
  ASSERT_TRUE(write(PutWebhook{OperationId("OP_drop"), hook(), true}));
  ASSERT_EQ(MUST(store->backlogs()).size(), 1u) << "nobody asks for it any more";
  EXPECT_EQ(MUST(store->backlogs())[0].webhook, WebhookId("WH_0"));
  restart();  // purges
  EXPECT_THAT(runs(), IsEmpty());
  EXPECT_THAT(dead(), IsEmpty());
  EXPECT_EQ(std::ssize(list({.limit = 1'000}).events), limits::kPurgeRowsPerStep + 1);
  EXPECT_EQ(static_cast<int64_t>(MUST(store->backlogs())[0].waiting),
            limits::kPurgeRowsPerStep + 1);
}

TEST_F(DeliveriesTest, the_backlog_knows_since_when_the_oldest_waits) {
  EXPECT_FALSE(backlog().oldest_waiting_at.has_value());
  ASSERT_TRUE(write(events(1, 2)));
  EXPECT_EQ(backlog().oldest_waiting_at, event(1).at);
  ASSERT_TRUE(note(1, 1, DeliveryEnd::Delivered));
  EXPECT_EQ(backlog().oldest_waiting_at, event(2).at);
}

TEST_F(DeliveriesTest, events_beyond_the_bound_take_what_waits_for_them_along) {
  options.events.rows_max = 2;
  restart();
  ASSERT_TRUE(write(events(1, 4)));
  EXPECT_THAT(ids(waiting()), ElementsAre("EV_3", "EV_4"));
  EXPECT_EQ(backlog().waiting, 2u);
}

}  // namespace
}  // namespace atrium::store
