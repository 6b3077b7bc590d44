#include "adapters/store/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "adapters/store/store.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;
using domain::Event;
using domain::EventKind;
using domain::HistoryQuery;
using testing::ElementsAre;

constexpr Duration kHour = std::chrono::hours(1);
constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);
const Now kNow{.mono = Mono(1s), .wall = kStart};

Event fact(EventKind kind, const char* room_sid, Duration after, const char* room = "room") {
  static int64_t made = 0;
  Event event;
  event.id = EventId("EV_" + std::to_string(++made));
  event.kind = kind;
  event.app = AppId("app");
  event.room = RoomId(room);
  event.room_sid = RoomSid(room_sid);
  event.at = kStart + after;
  return event;
}
Event started(const char* room_sid, Duration after, const char* room = "room") {
  return fact(EventKind::RoomStarted, room_sid, after, room);
}
Event ended(const char* room_sid, Duration after) {
  return fact(EventKind::RoomEnded, room_sid, after);
}
Event of_visit(EventKind kind, const char* participant, const char* user, Duration after,
               const char* room_sid = "RM_1") {
  Event event = fact(kind, room_sid, after);
  event.participant = ParticipantSid(participant);
  event.user = UserId(user);
  return event;
}
Event joined(const char* participant, const char* user, Duration after,
             const char* room_sid = "RM_1") {
  return of_visit(EventKind::UserJoined, participant, user, after, room_sid);
}
Event left(const char* participant, Duration after) {
  return of_visit(EventKind::UserLeft, participant, "", after);
}

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_history_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Store open(HistoryBounds bounds = {}, Now now = kNow) const {
    return MUST(Store::open(path(), {.history = bounds}, now));
  }
  std::string path() const { return (folder_ / "atrium.db").string(); }

  fs::path folder_;
};

bool put(Store& store, std::vector<Event> facts) {
  const std::vector<WriteRequest> batch = {of_events(std::move(facts))};
  return store.apply_batch(batch).at(0).has_value();
}
HistoryQuery a_query(Duration from = 0s, Duration until = kHour) {
  HistoryQuery query;
  query.app = AppId("app");
  query.from = kStart + from;
  query.until = kStart + until;
  query.limit = 100;
  return query;
}
std::vector<std::string> sids(const domain::LivesPage& page) {
  std::vector<std::string> out;
  for (const domain::LifeEntry& life : page.lives) out.push_back(life.room_sid.value);
  return out;
}
std::vector<std::string> users(const domain::VisitorsPage& page) {
  std::vector<std::string> out;
  for (const domain::VisitorEntry& visitor : page.visitors) out.push_back(visitor.user.value);
  return out;
}
domain::LivesPage lives(Store& store, const HistoryQuery& query = a_query()) {
  return MUST(store.list_lives(query));
}
domain::VisitorsPage visitors(Store& store, const HistoryQuery& query = a_query(),
                              Wall now = kStart + kHour) {
  return MUST(store.list_visitors(query, now));
}

TEST_F(HistoryTest, a_life_is_listed_while_it_lasts_and_after) {
  Store store = open();
  ASSERT_TRUE(
      put(store, {started("RM_1", 1s), joined("PA_1", "ann", 1s), joined("PA_2", "bob", 2s)}));
  const auto live = lives(store).lives.at(0);
  EXPECT_EQ(live.room, RoomId("room"));
  EXPECT_EQ(live.started_at, kStart + 1s);
  EXPECT_FALSE(live.ended_at.has_value());
  EXPECT_EQ(live.users_now, 2u);
  ASSERT_TRUE(put(store, {left("PA_1", 3s), ended("RM_1", 5s)}));
  const auto over = lives(store).lives.at(0);
  EXPECT_EQ(over.ended_at, kStart + 5s);
  EXPECT_EQ(over.users_now, 0u);
  EXPECT_FALSE(over.interrupted);
  EXPECT_EQ(visitors(store).visitors.at(1).last_left_at, kStart + 5s) << "with the life, at last";
}

TEST_F(HistoryTest, the_reason_of_an_end_is_told_with_the_life_and_with_each_visit) {
  Store store = open();
  Event leave = left("PA_1", 3s);
  leave.reason = {.why = domain::LeaveReason::KickedByAdmin,
                  .number = -1006,
                  .name = "KICKED_OUT",
                  .text = "enough",
                  .operation = OperationId("OP_kick"),
                  .operator_id = "AKLTmanager"};
  Event end = ended("RM_1", 5s);
  end.reason = {.why = domain::LeaveReason::RoomDismissed,
                .number = -1011,
                .name = "ROOM_DISMISS",
                .text = "over",
                .operation = OperationId("OP_dismiss"),
                .operator_id = "policy"};
  ASSERT_TRUE(
      put(store, {started("RM_1", 1s), joined("PA_1", "ann", 1s), joined("PA_2", "ann", 4s)}));
  EXPECT_EQ(lives(store).lives.at(0).reason, domain::Reason());
  EXPECT_EQ(visitors(store).visitors.at(0).visits.at(0).reason, domain::Reason());
  ASSERT_TRUE(put(store, {leave, end}));
  EXPECT_EQ(lives(store).lives.at(0).reason, end.reason);
  const auto visits = visitors(store).visitors.at(0).visits;
  ASSERT_EQ(visits.size(), 2u);
  EXPECT_EQ(visits.at(0).reason, leave.reason);
  EXPECT_EQ(visits.at(1).reason, end.reason) << "it ended with the life";
}

TEST_F(HistoryTest, lives_are_those_that_started_in_the_window_oldest_first) {
  Store store = open();
  Event theirs = started("RM_9", 3s);
  theirs.app = AppId("another");
  ASSERT_TRUE(put(store, {started("RM_c", 3s), started("RM_b", 2s, "other"), started("RM_a", 2s),
                          started("RM_d", 4s), theirs}));
  EXPECT_THAT(sids(lives(store)), ElementsAre("RM_a", "RM_b", "RM_c", "RM_d"));
  EXPECT_THAT(sids(lives(store, a_query(2s, 3s))), ElementsAre("RM_a", "RM_b", "RM_c"));
  HistoryQuery query = a_query(2s + 1us, kHour);
  EXPECT_THAT(sids(lives(store, query)), ElementsAre("RM_c", "RM_d"));
  query = a_query();
  query.room = RoomId("room");
  EXPECT_THAT(sids(lives(store, query)), ElementsAre("RM_a", "RM_c", "RM_d"));
  query.offset = 1;
  query.limit = 1;
  EXPECT_THAT(sids(lives(store, query)), ElementsAre("RM_c"));
  EXPECT_EQ(lives(store, query).total, 3u);
  query.offset = 3;
  EXPECT_TRUE(lives(store, query).lives.empty());
  EXPECT_EQ(lives(store, query).total, 3u);
}

TEST_F(HistoryTest, a_user_of_one_life_is_one_entry_however_often_they_came) {
  Store store = open();
  Event second = joined("PA_2", "ann", 20s);
  second.with = {.kind = domain::DeviceKind::Ios,
                 .model = "iPhone15,2",
                 .sdk = "swift 2.1",
                 .network = "wifi"};
  second.hidden = true;
  ASSERT_TRUE(put(
      store, {started("RM_1", 1s), joined("PA_1", "ann", 1s),
              of_visit(EventKind::TrackPublished, "PA_1", "ann", 2s), left("PA_1", 11s), second}));
  const auto page = visitors(store, a_query(), kStart + 25s);
  ASSERT_EQ(page.total, 1u);
  const auto& ann = page.visitors.at(0);
  EXPECT_EQ(ann.first_joined_at, kStart + 1s);
  EXPECT_FALSE(ann.last_left_at.has_value()) << "she is there";
  EXPECT_EQ(ann.present, 15s);
  EXPECT_TRUE(ann.published);
  EXPECT_TRUE(ann.hidden);
  EXPECT_EQ(ann.with, second.with);
  ASSERT_EQ(ann.visits.size(), 2u);
  EXPECT_EQ(ann.visits[0].left_at, kStart + 11s);
  EXPECT_EQ(ann.visits[1].joined_at, kStart + 20s);
  EXPECT_FALSE(ann.visits[1].left_at.has_value());
  ASSERT_TRUE(put(store, {left("PA_2", 30s)}));
  const auto gone = visitors(store).visitors.at(0);
  EXPECT_EQ(gone.last_left_at, kStart + 30s);
  EXPECT_EQ(gone.present, 20s);
}

TEST_F(HistoryTest, visits_beyond_the_records_shown_still_count) {
  Store store = open();
  std::vector<Event> facts = {started("RM_1", 0s)};
  for (int i = 0; i < 60; ++i) {
    const std::string sid = "PA_" + std::to_string(i);
    facts.push_back(joined(sid.c_str(), "ann", std::chrono::seconds(10 * i)));
    facts.push_back(left(sid.c_str(), std::chrono::seconds(10 * i + 1)));
  }
  ASSERT_TRUE(put(store, facts));
  const auto ann = visitors(store).visitors.at(0);
  EXPECT_EQ(ann.present, 60s);
  ASSERT_EQ(ann.visits.size() * 2, size_t{limits::kHistoryRecordsMax});
  EXPECT_EQ(ann.visits.back().joined_at, kStart + 590s) << "the latest are shown";
}

TEST_F(HistoryTest, visitors_are_filtered_by_room_user_and_device) {
  Store store = open();
  Event server = joined("PA_3", "robot", 3s);
  server.with.kind = domain::DeviceKind::Linux;
  Event elsewhere = joined("PA_4", "ann", 4s, "RM_2");
  elsewhere.room = RoomId("other");
  ASSERT_TRUE(
      put(store, {joined("PA_1", "ann", 1s), joined("PA_2", "bob", 2s), server, elsewhere}));
  EXPECT_THAT(users(visitors(store)), ElementsAre("ann", "bob", "robot", "ann"));
  HistoryQuery query = a_query();
  query.without_linux = true;
  EXPECT_THAT(users(visitors(store, query)), ElementsAre("ann", "bob", "ann"));
  query.room = RoomId("room");
  EXPECT_THAT(users(visitors(store, query)), ElementsAre("ann", "bob"));
  query.users = {UserId("bob"), UserId("eve")};
  EXPECT_THAT(users(visitors(store, query)), ElementsAre("bob"));
  EXPECT_EQ(visitors(store, query).total, 1u);
  query = a_query();
  query.users = {UserId("ann")};
  query.offset = 1;
  const auto second = visitors(store, query);
  EXPECT_EQ(second.total, 2u);
  EXPECT_EQ(second.visitors.at(0).room, RoomId("other"));
}

TEST_F(HistoryTest, facts_told_twice_or_about_unknown_visits_change_nothing) {
  Store store = open();
  ASSERT_TRUE(put(store, {started("RM_1", 1s), started("RM_1", 2s), joined("PA_1", "ann", 1s),
                          joined("PA_1", "bob", 2s), left("PA_1", 3s), left("PA_1", 9s),
                          left("PA_x", 3s), ended("RM_x", 3s)}));
  EXPECT_EQ(lives(store).lives.at(0).started_at, kStart + 1s);
  EXPECT_EQ(visitors(store).total, 1u);
  EXPECT_EQ(visitors(store).visitors.at(0).last_left_at, kStart + 3s);
}

TEST_F(HistoryTest, what_a_dead_process_left_open_is_closed_when_it_last_wrote) {
  {
    Store store = open();
    ASSERT_TRUE(
        put(store, {started("RM_1", 1s), joined("PA_1", "ann", 2s), started("RM_2", 3s, "b"),
                    joined("PA_2", "bob", 4s, "RM_2"), left("PA_2", 7s)}));
  }
  Store store = open({}, {.mono = Mono(1s), .wall = kStart + kHour});
  for (const auto& life : lives(store).lives) {
    EXPECT_EQ(life.ended_at, kStart + 7s);
    EXPECT_TRUE(life.interrupted);
  }
  EXPECT_EQ(visitors(store).visitors.at(0).last_left_at, kStart + 7s);
  EXPECT_EQ(visitors(store).visitors.at(0).present, 5s);
}

TEST_F(HistoryTest, what_was_open_never_ends_after_the_opening) {
  {
    Store store = open();
    ASSERT_TRUE(put(store, {started("RM_1", -30s), joined("PA_1", "ann", 50s)}));
  }
  Store store = open({}, {.mono = Mono(1s), .wall = kStart});
  EXPECT_EQ(lives(store, a_query(-kHour)).lives.at(0).ended_at, kStart) << "the clock was set back";
}

TEST_F(HistoryTest, purge_takes_what_ended_long_ago_and_nothing_open) {
  Store store = open({.keep = 100s});
  ASSERT_TRUE(put(store, {started("RM_1", 0s), joined("PA_1", "ann", 0s), started("RM_2", 0s, "b"),
                          joined("PA_2", "bob", 0s, "RM_2"), left("PA_2", 1s), ended("RM_2", 1s)}));
  EXPECT_EQ(MUST(store.purge(kStart + 101s)).visits, 0u) << "not yet";
  const Purged purged = MUST(store.purge(kStart + 102s));
  EXPECT_EQ(purged.lives, 1u);
  EXPECT_EQ(purged.visits, 1u);
  EXPECT_THAT(sids(lives(store)), ElementsAre("RM_1"));
  EXPECT_THAT(users(visitors(store)), ElementsAre("ann"));
}

TEST_F(HistoryTest, purge_keeps_the_latest_within_the_bounds_and_all_that_is_open) {
  Store store = open({.lives_max = 2, .visits_max = 1});
  ASSERT_TRUE(put(store, {started("RM_0", 0s, "open"), started("RM_1", 1s), started("RM_2", 2s),
                          started("RM_3", 3s), ended("RM_2", 4s), ended("RM_3", 5s),
                          ended("RM_1", 6s), joined("PA_1", "ann", 1s, "RM_0"),
                          joined("PA_2", "bob", 1s, "RM_0"), left("PA_2", 2s)}));
  const Purged purged = MUST(store.purge(kStart + 10s));
  EXPECT_EQ(purged.lives, 2u);
  EXPECT_EQ(purged.visits, 1u);
  EXPECT_THAT(sids(lives(store)), ElementsAre("RM_0", "RM_1"));
  EXPECT_THAT(users(visitors(store)), ElementsAre("ann"));
}

TEST_F(HistoryTest, purge_works_in_bounded_steps) {
  Store store = open({.keep = 100s});
  const int64_t per_call = limits::kPurgeRowsPerStep * limits::kPurgeStepsMax;
  std::vector<Event> facts;
  for (int64_t i = 0; i < per_call + 3; ++i) {
    const std::string sid = "PA_" + std::to_string(i);
    facts.push_back(joined(sid.c_str(), sid.c_str(), 0s));
    facts.push_back(left(sid.c_str(), 1s));
  }
  ASSERT_TRUE(put(store, facts));
  const Purged first = MUST(store.purge(kStart + 200s));
  EXPECT_EQ(first.visits, per_call);
  EXPECT_FALSE(first.is_complete);
  const Purged second = MUST(store.purge(kStart + 200s));
  EXPECT_EQ(second.visits, 3u);
  EXPECT_TRUE(second.is_complete);
}

TEST_F(HistoryTest, each_fact_takes_a_few_old_rows_along) {
  Store store = open({.visits_max = 3});
  for (int i = 0; i < 50; ++i) {
    const std::string sid = "PA_" + std::to_string(i);
    ASSERT_TRUE(put(store, {joined(sid.c_str(), sid.c_str(), std::chrono::seconds(i)),
                            left(sid.c_str(), std::chrono::seconds(i))}));
  }
  EXPECT_LE(visitors(store).total, 4u);
  EXPECT_EQ(visitors(store).visitors.back().user, UserId("PA_49"));
}

TEST_F(HistoryTest, crash_points_are_those_of_decisions) {
  std::vector<std::string> points;
  Store store = MUST(Store::open(
      path(), {.at_point = [&](std::string_view point) { points.emplace_back(point); }}, kNow));
  ASSERT_TRUE(put(store, {started("RM_1", 1s)}));
  EXPECT_THAT(points, ElementsAre());
  ASSERT_TRUE(store.apply_batch(std::vector<WriteRequest>{PutTombstones{}})[0]);
  EXPECT_THAT(points, ElementsAre("before_commit", "after_commit"));
}

TEST_F(HistoryTest, what_comes_behind_events_that_fail_is_not_tried_and_goes_on_without_history) {
  Store store = open();
  {
    Database database = MUST(Database::open(path()));
    ASSERT_TRUE(
        database.run("CREATE TRIGGER broken BEFORE INSERT ON visits BEGIN "
                     "SELECT RAISE(ABORT, 'broken'); END"));
  }
  domain::DismissalRecord record;
  record.operation = OperationId("OP_1");
  record.accepted_at = kStart;
  const std::vector<WriteRequest> batch = {
      of_events({started("RM_1", 1s), joined("PA_1", "ann", 1s)}), PutDismissal{record, {}},
      of_events({started("RM_2", 2s)})};
  for (const auto& result : store.apply_batch(batch)) EXPECT_FALSE(result);
  EXPECT_FALSE(MUST(store.find_dismissal(OperationId("OP_1"))));
  for (const auto& result : store.apply_batch(batch, Store::HistoryRows::Leave))
    EXPECT_TRUE(result);
  EXPECT_TRUE(MUST(store.find_dismissal(OperationId("OP_1"))));
  EXPECT_THAT(sids(lives(store)), ElementsAre());
  EXPECT_EQ(MUST(store.list_events({.app = AppId("app"), .limit = 10})).events.size(), 3u);
}

}  // namespace
}  // namespace atrium::store
