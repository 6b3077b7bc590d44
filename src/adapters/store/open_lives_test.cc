#include "adapters/store/open_lives.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::Event;
using domain::EventKind;
using testing::ElementsAre;

class OpenLivesTest : public StoreFixture {
 protected:
  // The events that the next process began with.
  std::vector<Event> endings(Duration after = {}) {
    const int64_t before = last_cursor();
    restart(after);
    std::vector<Event> out;
    for (auto& one : list({.after_cursor = before}).events) out.push_back(std::move(one.event));
    return out;
  }
  int64_t last_cursor() {
    const auto page = list();
    return page.events.empty() ? 0 : page.events.back().cursor;
  }
  static std::vector<std::string> words(const std::vector<Event>& events) {
    std::vector<std::string> out;
    for (const Event& one : events)
      out.push_back(one.kind == EventKind::RoomEnded ? "end of " + one.room_sid.value
                                                     : "leave of " + one.participant.value);
    return out;
  }
};

TEST_F(OpenLivesTest, what_is_open_is_ended_visits_first_and_in_the_order_of_their_beginning) {
  ASSERT_TRUE(write({event(1, "b", EventKind::RoomStarted), event(2, "a", EventKind::RoomStarted),
                     joined(3, "a"), joined(4, "b"), joined(5, "b")}));
  EXPECT_THAT(words(endings()), ElementsAre("leave of PA_4", "leave of PA_5", "end of RM_b",
                                            "leave of PA_3", "end of RM_a"));
  EXPECT_TRUE(endings().empty()) << "once";
}

TEST_F(OpenLivesTest, what_has_ended_is_not_ended_again) {
  Event left = joined(3);
  left.id = EventId("EV_left");
  left.kind = EventKind::UserLeft;
  ASSERT_TRUE(write({event(1, "room", EventKind::RoomStarted), joined(2), joined(3), left}));
  ASSERT_TRUE(write({event(5, "over", EventKind::RoomStarted), joined(6, "over"),
                     event(7, "over", EventKind::RoomEnded)}));
  EXPECT_THAT(words(endings()), ElementsAre("leave of PA_2", "end of RM_room"));
}

TEST_F(OpenLivesTest, no_end_is_earlier_than_its_beginning_nor_later_than_the_last_word) {
  Event hidden = joined(5'000);
  hidden.hidden = true;
  hidden.with = {.kind = domain::DeviceKind::Web, .model = "m", .sdk = "s", .network = "n"};
  ASSERT_TRUE(write({event(1'000, "room", EventKind::RoomStarted), hidden}));
  const auto ends = endings(std::chrono::hours(1));
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].at, kStoreStart + 5s) << "an hour later nobody knows how long it went on";
  EXPECT_EQ(ends[0].stayed, 0s);
  EXPECT_EQ(ends[0].user, hidden.user);
  EXPECT_TRUE(ends[0].hidden);
  EXPECT_EQ(ends[0].with, hidden.with);
  EXPECT_EQ(ends[0].reason.why, domain::LeaveReason::ServerShutdown);
  EXPECT_EQ(ends[1].at, kStoreStart + 5s);
  EXPECT_EQ(ends[1].reason, ends[0].reason);
}

TEST_F(OpenLivesTest, a_clock_that_was_set_back_ends_nothing_before_it_began) {
  ASSERT_TRUE(write({event(5'000, "room", EventKind::RoomStarted), joined(6'000)}));
  const auto ends = endings(1s);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].at, kStoreStart + 6s);
  EXPECT_EQ(ends[1].at, kStoreStart + 6s) << "nor a life before who was in it";
}

TEST_F(OpenLivesTest, ends_are_numbered_after_what_was_written_of_the_name) {
  ASSERT_TRUE(write({event(1, "room", EventKind::RoomStarted), joined(2)}));
  restart();
  EXPECT_THAT(sequences(list().events), ElementsAre(1, 2, 3, 4));
}

TEST_F(OpenLivesTest, the_id_of_an_end_is_made_of_what_it_ends) {
  ASSERT_TRUE(write({event(1, "room", EventKind::RoomStarted)}));
  const EventId first = endings().at(0).id;
  EXPECT_EQ(first.value.size(), std::string("EV_").size() + 17);
  Event next = event(9, "room", EventKind::RoomStarted);
  next.room_sid = RoomSid("RM_2");
  ASSERT_TRUE(write({next}));
  EXPECT_NE(endings().at(0).id, first);
}

}  // namespace
}  // namespace atrium::store
