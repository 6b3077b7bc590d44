#include "adapters/store/events.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::EventKind;
using testing::ElementsAre;
using testing::IsEmpty;

using EventLogTest = StoreFixture;

constexpr Duration kWeek = 7 * kStoreDay;

TEST_F(EventLogTest, an_event_comes_back_as_it_was) {
  domain::Event full = event(1, "room", EventKind::UserLeft);
  full.track = TrackSid("TR_1");
  full.reason = {.why = domain::LeaveReason::RoomDismissed,
                 .number = -1011,
                 .name = "ROOM_DISMISS",
                 .text = "over",
                 .operation = OperationId("OP_1"),
                 .operator_id = "AKLT"};
  full.stayed = 7s;
  full.hidden = true;
  full.with = {.kind = domain::DeviceKind::Ios, .model = "m", .sdk = "s", .network = "5g"};
  full.track_kind = domain::TrackKind::Video;
  full.source = domain::TrackSource::Camera;
  ASSERT_TRUE(write({full}));
  restart();
  EXPECT_EQ(list().events.at(0).event, full);
}

TEST_F(EventLogTest, a_name_is_numbered_on_over_its_lives_and_each_name_by_itself) {
  domain::Event next = event(3, "room", EventKind::RoomStarted);
  next.room_sid = RoomSid("RM_2");
  ASSERT_TRUE(write({event(1, "room", EventKind::RoomStarted),
                     event(2, "room", EventKind::RoomEnded), event(10, "other")}));
  ASSERT_TRUE(write({next}));
  domain::Event theirs = event(11, "room");
  theirs.app = AppId("another");
  ASSERT_TRUE(write({theirs}));
  EXPECT_THAT(sequences(list({.room = RoomId("room")}).events), ElementsAre(1, 2, 3));
  EXPECT_THAT(sequences(list({.room = RoomId("other")}).events), ElementsAre(1));
  EXPECT_EQ(list().events.size(), 4u) << "and none of another app";
}

TEST_F(EventLogTest, an_event_that_is_there_is_passed_over_and_takes_no_number) {
  ASSERT_TRUE(write(events(1, 2)));
  domain::Event again = event(2);
  again.user = UserId("somebody else");
  ASSERT_TRUE(write({event(1), again, event(3)}));
  restart();
  const auto page = list({.room = RoomId("room")});
  EXPECT_THAT(ids(page.events), testing::IsSupersetOf({"EV_1", "EV_2", "EV_3"}));
  EXPECT_EQ(page.events.at(1).event.user, UserId("user2"));
  EXPECT_EQ(page.events.at(2).sequence, 3);
}

TEST_F(EventLogTest, pages_go_on_from_their_cursor_and_miss_none) {
  ASSERT_TRUE(write({event(1), event(2, "other"), event(3), event(4, "other"), event(5)}));
  const auto first = list({.limit = 2}).events;
  EXPECT_THAT(ids(first), ElementsAre("EV_1", "EV_2"));
  const auto second = list({.after_cursor = first.back().cursor, .limit = 2}).events;
  EXPECT_THAT(ids(second), ElementsAre("EV_3", "EV_4"));
  const auto last = list({.after_cursor = second.back().cursor, .limit = 2}).events;
  EXPECT_THAT(ids(last), ElementsAre("EV_5"));
  EXPECT_THAT(list({.after_cursor = last.back().cursor}).events, IsEmpty());
  EXPECT_THAT(ids(list({.room = RoomId("other"), .after_cursor = first.back().cursor}).events),
              ElementsAre("EV_4"));
}

TEST_F(EventLogTest, a_page_is_bounded_whatever_is_asked_for) {
  ASSERT_TRUE(write(events(1, limits::kEventPageMax + 1)));
  EXPECT_EQ(std::ssize(list({.limit = 100'000}).events), limits::kEventPageMax);
}

TEST_F(EventLogTest, since_begins_with_the_first_of_that_time) {
  ASSERT_TRUE(write(events(1, 5)));
  EXPECT_THAT(ids(list({.since = kStoreStart + 4ms}).events), ElementsAre("EV_4", "EV_5"));
  EXPECT_THAT(list({.since = kStoreStart + 6ms}).events, IsEmpty());
}

TEST_F(EventLogTest, after_seven_days_events_go_and_a_page_says_from_where_on_they_are_there) {
  ASSERT_TRUE(write(events(1, 3)));
  EXPECT_EQ(list().oldest_cursor, 1);
  EXPECT_EQ(purge(kWeek + 3ms).events, 2u);
  const auto page = list();
  EXPECT_THAT(ids(page.events), ElementsAre("EV_3")) << "of which seven days are not over";
  EXPECT_EQ(page.oldest_cursor, page.events[0].cursor);
  ASSERT_TRUE(write({event(4)}));
  EXPECT_EQ(list().events.back().sequence, 4) << "numbered on";
  EXPECT_EQ(list().events.back().cursor, 4) << "no cursor is given twice";
}

TEST_F(EventLogTest, cursors_and_numbers_go_on_when_none_is_left) {
  ASSERT_TRUE(write(events(1, 3)));
  EXPECT_EQ(purge(kWeek + 1s).events, 3u);
  EXPECT_EQ(list().oldest_cursor, 4);
  restart();
  ASSERT_TRUE(write({event(4)}));
  const auto page = list();
  EXPECT_EQ(page.events.at(0).cursor, 4);
  EXPECT_EQ(page.events.at(0).sequence, 4);
}

TEST_F(EventLogTest, each_write_takes_a_few_old_ones_along) {
  ASSERT_TRUE(write(events(1, 5)));
  domain::Event late = event(6);
  late.at += kWeek;
  ASSERT_TRUE(write({late}));
  EXPECT_EQ(std::ssize(list().events), 6 - limits::kPurgeEventsPerWrite);
}

TEST_F(EventLogTest, beyond_the_bound_the_oldest_go) {
  options.events.rows_max = 3;
  restart();
  ASSERT_TRUE(write(events(1, 3)));
  EXPECT_EQ(list().events.size(), 3u);
  ASSERT_TRUE(write({event(4)}));
  EXPECT_THAT(ids(list().events), ElementsAre("EV_2", "EV_3", "EV_4"));
  EXPECT_EQ(list().oldest_cursor, 2);
}

// After a month nobody knows the name's number any more: the gap is in the numbers, and none is used again.
TEST_F(EventLogTest, a_name_that_was_forgotten_is_numbered_on_with_a_gap) {
  ASSERT_TRUE(write(events(1, 3)));
  ASSERT_TRUE(write(events(11, 15, "other")));
  purge(31 * kStoreDay);
  domain::Event late = event(20);
  late.at += 31 * kStoreDay;
  ASSERT_TRUE(write({late}));
  EXPECT_EQ(list().events.at(0).sequence, 6) << "above the largest that was forgotten";
}

TEST_F(EventLogTest, what_is_held_is_not_told_nor_what_comes_after_it) {
  ASSERT_TRUE(write({event(1)}));
  WriteRequest held;
  held.hold = OperationId("OP_1");
  held.held_events = {event(2)};
  ASSERT_TRUE(write(std::move(held)));
  ASSERT_TRUE(write({event(3), event(4, "other")}));
  EXPECT_THAT(ids(list().events), ElementsAre("EV_1"));
  EXPECT_THAT(ids(list({.room = RoomId("room")}).events), ElementsAre("EV_1"));
  EXPECT_THAT(ids(list({.room = RoomId("other")}).events), ElementsAre("EV_4"));
  WriteRequest others;
  others.release = OperationId("OP_2");
  ASSERT_TRUE(write(std::move(others)));
  EXPECT_EQ(list().events.size(), 1u) << "another operation's end releases nothing";
  WriteRequest release;
  release.release = OperationId("OP_1");
  ASSERT_TRUE(write(std::move(release)));
  EXPECT_THAT(ids(list().events), ElementsAre("EV_1", "EV_2", "EV_3", "EV_4"));
  EXPECT_THAT(sequences(list({.room = RoomId("room")}).events), ElementsAre(1, 2, 3));
}

TEST_F(EventLogTest, a_restart_releases_what_was_held) {
  WriteRequest held;
  held.hold = OperationId("OP_1");
  held.held_events = {event(1, "room", EventKind::RoomEnded)};
  ASSERT_TRUE(write(std::move(held)));
  EXPECT_THAT(list().events, IsEmpty());
  restart();
  EXPECT_THAT(ids(list().events), ElementsAre("EV_1"));
}

// What the disk holds before the commit is what a process that dies there leaves behind.
TEST_F(EventLogTest, an_effect_is_kept_with_its_events_or_not_at_all) {
  const std::string crashed = path() + ".crashed";
  options.at_point = [&](std::string_view point) {
    if (point != "before_commit" || std::filesystem::exists(crashed)) return;
    std::filesystem::copy(path(), crashed);
    std::filesystem::copy(path() + "-wal", crashed + "-wal");
  };
  restart();
  ASSERT_TRUE(write({event(1)}));
  PutDismissal put;
  put.record.operation = OperationId("OP_1");
  put.record.accepted_at = kStoreStart;
  WriteRequest request(std::move(put));
  request.events = {event(2)};
  request.hold = OperationId("OP_1");
  request.held_events = {event(3)};
  ASSERT_TRUE(write(std::move(request)));
  ASSERT_TRUE(std::filesystem::exists(crashed));
  options.at_point = {};
  Store after = MUST(Store::open(crashed, options, {Mono(1s), kStoreStart}));
  const bool has_record = MUST(after.find_dismissal(OperationId("OP_1"))).has_value();
  const auto kept = MUST(after.list_events({.app = AppId("app"), .limit = 10})).events;
  EXPECT_EQ(ids(kept).size() == 3, has_record);
  EXPECT_THAT(ids(kept), ElementsAre("EV_1"));
}

}  // namespace
}  // namespace atrium::store
