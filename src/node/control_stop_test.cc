// The process's end: who is waited for, who is told what, and when the loop may stop.
#include <optional>

#include "base/limits.h"
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

// SignalResponse.leave{can_reconnect, reason SERVER_SHUTDOWN, action RECONNECT}.
const std::string kReconnectElsewhere("\x42\x06\x08\x01\x10\x03\x18\x02");

class StopTest : public ControlTest {
 protected:
  explicit StopTest(std::optional<Duration> deadline = 30s, bool is_dev = true)
      : ControlTest(config(deadline, is_dev)) {}
  static Config config(std::optional<Duration> deadline, bool is_dev) {
    Config out;
    out.dev = is_dev;
    out.drain_deadline = deadline;
    return out;
  }
  void stop_signal() { control->on_stop_signal(now); }
  void leave(ConnectionId connection) {
    control->on_websocket_message(connection, std::string_view("\x42\x00", 2), true, now);
  }
  // The last moment of sockets that are closed: they are gone from the server, too.
  void closes_reach_everybody() {
    for (const auto& [connection, seen] : http.seen)
      if (seen.close_code) control->on_websocket_closed_out(connection, true, now);
    http.open_connections = 0;
    control->on_wake(now);
  }
  ConnectionId operate(const std::string& method, const std::string& path) {
    const ConnectionId id = connection();
    HttpRequest request;
    request.listener = Listener::Operator;
    request.method = method;
    request.target = path;
    control->on_request(id, request, now);
    return id;
  }
  ConnectionId resume(const std::string& user, const std::string& room, const std::string& sid) {
    return upgrade(jwt(user, room), base64url(as_bytes(field(2, "\x38\x01" + field(9, sid)))));
  }
  std::string sid_of(ConnectionId connection) {
    const std::string& join = http.seen[connection].messages.at(0);
    return join.substr(join.find("PA_"), std::string("PA_").size() + 17);
  }
};

TEST_F(StopTest, ends_when_the_last_user_has_left) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId bob = upgrade(jwt("bob", "room-2"));
  http.open_connections = 2;
  stop_signal();
  EXPECT_FALSE(control->is_finished());
  const ConnectionId late = upgrade(jwt("late", "room-1"));
  EXPECT_EQ(http.seen[late].responses.at(0).status, 503);
  const auto& headers = http.seen[late].responses[0].headers;
  EXPECT_TRUE(std::ranges::any_of(headers, [](auto& h) { return h.first == "Retry-After"; }));
  EXPECT_NE(body_of(dismiss("nobody")).find("success"), std::string::npos) << "rooms still obey";
  advance(20s);
  leave(alice);
  EXPECT_FALSE(control->is_finished()) << "bob is still there";
  http.open_connections = 0;
  leave(bob);
  EXPECT_TRUE(control->is_finished());
  EXPECT_EQ(http.seen[bob].close_code, std::nullopt) << "who left by himself is told nothing";
  EXPECT_GT(control->next_deadline(), now.mono);
}

TEST_F(StopTest, ends_at_once_when_nobody_is_in) {
  http.open_connections = 0;
  stop_signal();
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, what_was_written_has_a_moment_to_arrive) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  stop_signal();
  leave(alice);
  EXPECT_FALSE(control->is_finished()) << "a connection is open, and its answer perhaps on its way";
  advance(std::chrono::milliseconds(limits::kCloseDrainMs));
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, is_not_ready_meanwhile_and_cannot_be_taken_back) {
  upgrade(jwt("alice", "room-1"));
  stop_signal();
  auto& ready = get("/readyz", Listener::Operator);
  reports.values.push_back(ShardSnapshot{});
  control->on_wake(now);
  EXPECT_EQ(ready.responses.at(0).body, "not ready: draining\n");
  EXPECT_EQ(http.seen[operate("DELETE", "/drain")].responses.at(0).status, 409);
  EXPECT_EQ(http.seen[upgrade(jwt("bob", "room-1"))].responses.at(0).status, 503);
}

TEST_F(StopTest, a_user_whose_signalling_is_lost_may_come_back_until_the_deadline) {
  const ConnectionId first = upgrade(jwt("alice", "room-1"));
  stop_signal();
  control->on_closed(first, now);
  advance(5s);
  EXPECT_FALSE(control->is_finished()) << "present within the grace";
  const ConnectionId second = resume("alice", "room-1", sid_of(first));
  EXPECT_TRUE(http.seen[second].accepted);
  advance(25s);
  EXPECT_EQ(http.seen[second].last, kReconnectElsewhere);
  const ConnectionId third = resume("alice", "room-1", sid_of(first));
  EXPECT_EQ(http.seen[third].responses.at(0).status, 503) << "not back into what is ending";
}

TEST_F(StopTest, at_the_deadline_everybody_is_sent_elsewhere_and_then_it_ends) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId bob = upgrade(jwt("bob", "room-1"));
  stop_signal();
  advance(30s - 1ms);
  EXPECT_EQ(http.seen[alice].close_code, std::nullopt);
  const size_t said_before = http.seen[alice].messages.size();
  advance(1ms);
  for (const ConnectionId user : {alice, bob}) {
    EXPECT_EQ(http.seen[user].close_code, 1001);
    EXPECT_EQ(http.seen[user].last, kReconnectElsewhere);
  }
  EXPECT_EQ(http.seen[alice].messages.size(), said_before) << "nobody hears that others left";
  EXPECT_FALSE(control->is_finished()) << "not yet written";
  closes_reach_everybody();
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, a_client_that_takes_nothing_does_not_hold_it_up) {
  upgrade(jwt("alice", "room-1"));
  stop_signal();
  advance(30s);
  EXPECT_FALSE(control->is_finished());
  advance(std::chrono::milliseconds(limits::kCloseWriteMs));
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, a_second_signal_ends_it_at_once_and_answers_who_waits) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  stop_signal();
  EXPECT_EQ(body_of(caller), "");
  EXPECT_FALSE(control->is_finished());
  stop_signal();
  EXPECT_TRUE(control->is_finished());
  EXPECT_EQ(http.seen[caller].responses.at(0).status, 503);
  EXPECT_NE(http.seen[alice].last, kReconnectElsewhere);
}

TEST_F(StopTest, a_dismissal_that_was_begun_is_finished_and_answered) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  stop_signal();
  write_store(true);
  const auto cut = next_command<media::CutLife>(urgent);
  ASSERT_TRUE(cut.has_value());
  report(media::LifeCut{.life = cut->life, .at = now.mono, .wall_at = now.wall});
  EXPECT_EQ(http.seen[alice].close_code, 4011);
  control->on_websocket_closed_out(alice, true, now);
  const auto close = next_command<media::CloseLife>(commands);
  ASSERT_TRUE(close.has_value());
  http.open_connections = 0;
  report(media::LifeClosed{.life = close->life, .transports_closed = 0, .packets_after_cut = 0});
  EXPECT_FALSE(control->is_finished()) << "its caller waits for the record";
  write_store(true);
  EXPECT_NE(body_of(caller).find("success"), std::string::npos);
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, a_question_to_the_store_is_answered) {
  http.open_connections = 0;
  const ConnectionId caller =
      api("GetDismissal", "2026-12-01",
          std::string(R"({"AppId":")") + kApp + R"(","OperationId":"OP_0123456789ABCDEFG"})");
  stop_signal();
  EXPECT_FALSE(control->is_finished());
  for (const StoreRequest& request : to_store.values)
    if (const auto* find = std::get_if<FindDismissal>(&request))
      from_store.values.push_back(DismissalFound{find->waiter, true, std::nullopt});
  control->on_wake(now);
  EXPECT_NE(body_of(caller).find("NotExistOperation"), std::string::npos) << body_of(caller);
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, a_dismissal_whose_caller_hung_up_is_finished_too) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  control->on_closed(caller, now);
  http.open_connections = 0;
  stop_signal();
  const auto cut = next_command<media::CutLife>(urgent);
  ASSERT_TRUE(cut.has_value());
  report(media::LifeCut{.life = cut->life, .at = now.mono, .wall_at = now.wall});
  control->on_websocket_closed_out(alice, true, now);
  const auto close = next_command<media::CloseLife>(commands);
  ASSERT_TRUE(close.has_value());
  report(media::LifeClosed{.life = close->life, .transports_closed = 0, .packets_after_cut = 0});
  write_store(true);  // the fence's record
  EXPECT_FALSE(control->is_finished()) << "whether the final record is written is not known";
  write_store(true);
  EXPECT_TRUE(control->is_finished());
}

TEST_F(StopTest, who_is_being_dismissed_at_the_deadline_is_not_asked_to_reconnect) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  stop_signal();
  advance(30s - 1ms);
  const ConnectionId caller = dismiss("room-1");
  advance(1ms);
  EXPECT_EQ(http.seen[alice].close_code, std::nullopt) << "her room's end is on its way to her";
  advance(std::chrono::milliseconds(limits::kCloseWriteMs));
  EXPECT_TRUE(control->is_finished());
  EXPECT_EQ(http.seen[caller].responses.at(0).status, 503) << "the deadline is a deadline";
}

TEST_F(StopTest, what_does_not_fit_into_the_stores_ring_is_waited_for) {
  upgrade(jwt("alice", "room-1"));
  to_store.room = to_store.values.size();
  dismiss("room-1");
  stop_signal();
  stop_signal();
  EXPECT_FALSE(control->is_finished()) << "the record is not with the store";
  to_store.room += 1'000;
  advance(1ms);
  EXPECT_TRUE(control->is_finished());
  EXPECT_TRUE(std::ranges::any_of(to_store.values, [](const StoreRequest& request) {
    return std::holds_alternative<store::WriteRequest>(request);
  }));
}

TEST_F(StopTest, a_store_that_hangs_does_not_hold_it_up_for_ever) {
  upgrade(jwt("alice", "room-1"));
  to_store.room = to_store.values.size();
  dismiss("room-1");
  stop_signal();
  stop_signal();
  advance(std::chrono::milliseconds(limits::kCloseWriteMs));
  EXPECT_TRUE(control->is_finished());
}

class StopAtOnceTest : public StopTest {
 protected:
  StopAtOnceTest() : StopTest(std::nullopt, true) {}
};
TEST_F(StopAtOnceTest, is_what_a_development_server_does) {
  upgrade(jwt("alice", "room-1"));
  stop_signal();
  EXPECT_TRUE(control->is_finished());
}

class StopByDefaultTest : public StopTest {
 protected:
  StopByDefaultTest() : StopTest(std::nullopt, false) {}
};
TEST_F(StopByDefaultTest, waits_for_half_a_minute) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  stop_signal();
  advance(std::chrono::milliseconds(limits::kDrainDeadlineMs) - 1ms);
  EXPECT_EQ(http.seen[alice].close_code, std::nullopt);
  advance(1ms);
  EXPECT_EQ(http.seen[alice].close_code, 1001);
}

}  // namespace
}  // namespace atrium::node::testing
