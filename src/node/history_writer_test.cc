#include "node/history_writer.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "node/control_fixture.h"
#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

using domain::Event;
using domain::EventKind;

constexpr Mono kStart(std::chrono::seconds(1000));

Event an_event(EventKind kind = EventKind::UserJoined) {
  Event event;
  event.kind = kind;
  return event;
}

class HistoryWriterTest : public ::testing::Test {
 protected:
  // The facts of the request that went last; 0: none went.
  size_t sent() {
    if (ring.values.empty()) return 0;
    const StoreRequest request = ring.values.front();
    ring.values.pop_front();
    return std::get<store::PutHistory>(std::get<store::WriteRequest>(request)).facts.size();
  }

  TightRing<StoreRequest> ring;
  OverflowSender<StoreRequest> to_store{ring, 0};
  HistoryWriter writer{to_store, 5};
};

TEST_F(HistoryWriterTest, first_fact_goes_at_once_and_later_ones_together) {
  writer.note(an_event());
  writer.flush(kStart);
  EXPECT_EQ(sent(), 1u);
  writer.on_written({.facts = 1, .ok = true});
  EXPECT_EQ(writer.next_deadline(), kNever) << "nothing waits";
  writer.note(an_event());
  writer.note(an_event());
  writer.flush(kStart + 99ms);
  EXPECT_EQ(sent(), 0u);
  EXPECT_EQ(writer.next_deadline(), kStart + 100ms);
  writer.flush(kStart + 100ms);
  EXPECT_EQ(sent(), 2u);
  EXPECT_EQ(writer.counters().written, 1u);
}

TEST_F(HistoryWriterTest, one_request_is_under_way_whatever_is_asked) {
  writer.note(an_event());
  writer.flush(kStart);
  EXPECT_EQ(sent(), 1u);
  writer.note(an_event());
  writer.flush(kStart + 10s);
  writer.flush_early(kStart + 10s);
  EXPECT_EQ(sent(), 0u);
  EXPECT_EQ(writer.next_deadline(), kNever) << "the store's answer wakes the thread";
  writer.on_written({.facts = 1, .ok = true});
  writer.flush(kStart + 10s);
  EXPECT_EQ(sent(), 1u);
}

TEST_F(HistoryWriterTest, a_question_does_not_wait_for_the_time) {
  writer.note(an_event());
  writer.flush(kStart);
  writer.on_written({.facts = 1, .ok = true});
  EXPECT_EQ(sent(), 1u);
  writer.note(an_event());
  writer.flush_early(kStart + 1ms);
  EXPECT_EQ(sent(), 1u);
}

TEST_F(HistoryWriterTest, a_request_has_a_bound) {
  HistoryWriter wide(to_store);
  for (int64_t i = 0; i < limits::kHistoryBatchMax + 7; ++i) wide.note(an_event());
  wide.flush(kStart);
  EXPECT_EQ(sent(), size_t{limits::kHistoryBatchMax});
  EXPECT_EQ(wide.counters().waiting, 7u);
}

TEST_F(HistoryWriterTest, what_is_lost_is_counted_by_reason) {
  for (int i = 0; i < 7; ++i) writer.note(an_event());
  EXPECT_EQ(writer.counters().lost_to_full_queue, 2u);
  writer.flush(kStart);
  writer.on_written({.facts = 5, .ok = false, .why = "full"});
  EXPECT_EQ(writer.counters().lost_to_store, 5u);
  EXPECT_EQ(writer.counters().written, 0u);
  ring.room = 1;  // and it still holds the first request
  writer.note(an_event());
  writer.flush(kStart + 1s);
  EXPECT_EQ(writer.counters().lost_to_store, 6u) << "the way to the store is full";
  EXPECT_EQ(sent(), 5u);
  writer.note(an_event());
  writer.flush(kStart + 2s);
  EXPECT_EQ(sent(), 1u) << "and goes on when it is not";
}

TEST_F(HistoryWriterTest, paused_it_takes_nothing_and_goes_on_afterwards) {
  writer.note(an_event());
  writer.pause(true);
  writer.note(an_event());
  writer.flush(kStart);
  EXPECT_EQ(sent(), 0u);
  EXPECT_EQ(writer.counters().lost_to_pause, 2u);
  writer.pause(false);
  writer.note(an_event());
  writer.flush(kStart);
  EXPECT_EQ(sent(), 1u);
}

TEST_F(HistoryWriterTest, the_end_of_a_track_is_no_history) {
  writer.note(an_event(EventKind::TrackUnpublished));
  EXPECT_EQ(writer.counters().waiting, 0u);
}

// --- inside the control plane

class ControlHistoryTest : public ControlTest {
 protected:
  // The facts that the store was sent since the last call, and it wrote them.
  std::vector<Event> facts() {
    std::vector<Event> out;
    for (const StoreRequest& request : to_store.values)
      if (const auto* write = std::get_if<store::WriteRequest>(&request))
        if (const auto* put = std::get_if<store::PutHistory>(write))
          out.insert(out.end(), put->facts.begin(), put->facts.end());
    write_store(true);
    return out;
  }
  ConnectionId ask(const std::string& action, const std::string& more) {
    openapi::Request signed_request{
        "GET",
        "/?Action=" + action + "&Version=2023-11-01&AppId=" + kApp +
            "&StartTime=2026-11-22T00:00:00Z&EndTime=2026-11-23T00:00:00Z" + more,
        {{"Host", "atrium"}},
        "",
        {}};
    openapi::sign_request(signed_request, {"AKLTtest", "secret-key"}, now.wall);
    const ConnectionId id = connection();
    HttpRequest request{
        Listener::Public, "GET", signed_request.target, signed_request.headers, "", {}, false};
    control->on_request(id, std::move(request), now);
    return id;
  }
};

TEST_F(ControlHistoryTest, a_join_and_the_end_of_its_connection_become_facts) {
  // ClientInfo{sdk: JS, version: "2.9", device_model: "Mac", network: "wifi"} in JoinRequest.client_info.
  const std::string info =
      std::string("\x08\x01", 2) + field(2, "2.9") + field(6, "Mac") + field(10, "wifi");
  upgrade(jwt("alice", "room-1"), base64url(as_bytes(field(2, field(1, info)))));
  const auto first = facts();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].kind, EventKind::RoomStarted);
  EXPECT_EQ(first[1].kind, EventKind::UserJoined);
  EXPECT_EQ(first[1].with.kind, domain::DeviceKind::Web);
  EXPECT_EQ(first[1].with.sdk, "js 2.9");
  EXPECT_EQ(first[1].with.model, "Mac");
  EXPECT_EQ(first[1].with.network, "wifi");
  for (int i = 0; i < 20'000 && facts().empty(); ++i) advance(100ms);  // the join times out
  EXPECT_EQ(control->registry().counts().participants, 0u);
}

TEST_F(ControlHistoryTest, facts_go_before_the_question_that_follows_them) {
  upgrade(jwt("alice", "room-1"));
  facts();
  upgrade(jwt("bob", "room-1"));
  ask("ListRoomInfo", "");
  ASSERT_EQ(to_store.values.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<store::WriteRequest>(to_store.values[0]));
  EXPECT_TRUE(std::holds_alternative<FindLives>(to_store.values[1]));
}

TEST_F(ControlHistoryTest, questions_are_answered_from_the_store) {
  const ConnectionId rooms = ask("ListRoomInfo", "");
  const ConnectionId users = ask("ListUserInfo", "&RoomId=room-1");
  const auto lives = std::get<FindLives>(to_store.values.at(0));
  const auto visitors = std::get<FindVisitors>(to_store.values.at(1));
  EXPECT_EQ(visitors.query.room, RoomId("room-1"));
  from_store.values.push_back(
      LivesFound{lives.waiter,
                 domain::LivesPage{.total = 1,
                                   .lives = {{.room_sid = RoomSid("RM_1"), .room = RoomId("r")}}}});
  from_store.values.push_back(VisitorsFound{visitors.waiter, std::nullopt});
  control->on_wake(now);
  EXPECT_NE(body_of(rooms).find(R"("CallId":"RM_1")"), std::string::npos) << body_of(rooms);
  EXPECT_NE(body_of(users).find("InternalError"), std::string::npos) << body_of(users);
}

TEST_F(ControlHistoryTest, a_failing_history_write_is_counted_and_leaves_the_node_ready) {
  upgrade(jwt("alice", "room-1"));
  write_store(false);
  const auto& page = get("/metrics", Listener::Operator);
  advance(1s);
  ASSERT_FALSE(page.responses.empty());
  const std::string& text = page.responses.back().body;
  EXPECT_NE(text.find("atrium_history_facts_lost_total{reason=\"store_failed\"} 2"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace atrium::node::testing
