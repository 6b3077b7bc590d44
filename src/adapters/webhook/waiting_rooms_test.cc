#include "adapters/webhook/waiting_rooms.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace atrium::webhook {
namespace {

constexpr auto kPause = std::chrono::milliseconds(limits::kWebhookBackoffMinMs);
constexpr Mono kStart{1000s};
const AppId kApp("a7e100000000000000000001");

RoomKey key(const std::string& room) {
  return {kApp, RoomId(room)};
}
domain::DeliveryRun a_run(const std::string& room, int64_t cursor, uint32_t failures = 0) {
  domain::Delivery delivery;
  delivery.attempts = failures, delivery.failed_beside_others = failures;
  delivery.event.cursor = cursor;
  delivery.event.event.app = kApp;
  delivery.event.event.room = RoomId(room);
  return {kApp, RoomId(room), {delivery}};
}

struct WaitingRoomsTest : testing::Test {
  WaitingRooms rooms;

  void read(std::vector<domain::DeliveryRun> runs) {
    rooms.on_news();
    ASSERT_TRUE(rooms.ask(kStart).has_value());
    rooms.on_answer(std::move(runs), 0);
  }
  void fail_next(uint32_t failures, std::optional<Mono> not_before) {
    domain::Delivery head = rooms.next();
    head.attempts = failures, head.failed_beside_others = failures;
    rooms.begin();
    rooms.on_failed({head.event.event.app, head.event.event.room}, head, 0, not_before);
  }
};

TEST_F(WaitingRoomsTest, asks_for_nothing_without_news) {
  EXPECT_FALSE(rooms.ask(kStart).has_value());
  read({a_run("a", 1)});
  EXPECT_FALSE(rooms.ask(kStart).has_value());
}

TEST_F(WaitingRoomsTest, asks_for_a_whole_round_behind_a_full_page) {
  rooms.on_news();
  EXPECT_EQ(rooms.ask(kStart), RoomKey());
  std::vector<domain::DeliveryRun> page;
  for (int i = 0; i < limits::kWebhookRoomsPerFetch; ++i)
    page.push_back(a_run("room" + std::to_string(1000 + i), i + 1));
  const std::string last = page.back().room.value;
  rooms.on_answer(std::move(page), 0);
  EXPECT_FALSE(rooms.ask(kStart).has_value()) << "there is no place for more";
  while (rooms.has_turn()) rooms.skip(0);
  EXPECT_EQ(rooms.ask(kStart), key(last));
  rooms.on_answer({}, 0);
  EXPECT_FALSE(rooms.ask(kStart).has_value());
}

TEST_F(WaitingRoomsTest, news_during_a_reading_are_read_after_it) {
  rooms.on_news();
  ASSERT_TRUE(rooms.ask(kStart).has_value());
  rooms.on_news();
  rooms.on_answer({}, 0);
  EXPECT_EQ(rooms.ask(kStart), RoomKey());
}

TEST_F(WaitingRoomsTest, a_sleeping_room_is_passed_over_till_its_time) {
  read({a_run("a", 1)});
  fail_next(1, kStart + 10s);
  read({a_run("a", 1)});
  EXPECT_FALSE(rooms.has_turn());
  EXPECT_EQ(rooms.next_deadline(kStart), kStart + 10s);
  rooms.on_deadline(kStart + 10s);
  ASSERT_TRUE(rooms.ask(kStart + 10s).has_value());
  rooms.on_answer({a_run("a", 1)}, 0);
  EXPECT_TRUE(rooms.has_turn());
}

TEST_F(WaitingRoomsTest, another_event_of_a_sleeping_room_does_not_sleep) {
  read({a_run("a", 5)});
  fail_next(1, kStart + 10s);
  read({a_run("a", 3)});  // redriven: it comes before
  ASSERT_TRUE(rooms.has_turn());
  EXPECT_EQ(rooms.next().event.cursor, 3);
}

TEST_F(WaitingRoomsTest, many_sleepers_share_a_round) {
  read({a_run("a", 1), a_run("b", 2)});
  fail_next(1, kStart + 1000ms);
  fail_next(1, kStart + 1010ms);
  rooms.on_deadline(kStart + 1000ms);
  EXPECT_EQ(rooms.next_deadline(kStart + 1000ms), kStart + 1000ms + kPause);
}

TEST_F(WaitingRoomsTest, counts_do_not_go_back_with_an_older_answer) {
  read({a_run("a", 1)});
  fail_next(3, std::nullopt);
  read({a_run("a", 1, 2)});
  ASSERT_TRUE(rooms.has_turn());
  EXPECT_EQ(rooms.next().failed_beside_others, 3u);
  EXPECT_EQ(rooms.next().attempts, 3u);
}

TEST_F(WaitingRoomsTest, remembers_no_more_failing_rooms_than_the_bound) {
  for (int i = 0; i <= limits::kWebhookRoomsBackedOffMax; ++i) {
    read({a_run("room" + std::to_string(i), i + 1)});
    fail_next(1, kStart + 100s);
  }
  EXPECT_EQ(rooms.failing(), static_cast<size_t>(limits::kWebhookRoomsBackedOffMax));
  read({a_run("room0", 1)});
  EXPECT_TRUE(rooms.has_turn()) << "the oldest was forgotten";
}

}  // namespace
}  // namespace atrium::webhook
