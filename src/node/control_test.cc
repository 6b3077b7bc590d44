#include "node/control.h"

#include <algorithm>

#include "base/limits.h"
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

TEST_F(ControlTest, a_join_is_upgraded_and_hears_join_first) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  EXPECT_TRUE(http.seen[alice].accepted);
  ASSERT_GE(http.seen[alice].messages.size(), 1u);
  EXPECT_EQ(http.seen[alice].messages[0][0], '\x0a');  // SignalResponse.join is field 1
  EXPECT_EQ(control->registry().counts().participants, 1u);
}

TEST_F(ControlTest, a_bad_token_is_refused_at_the_upgrade_and_never_with_404) {
  const ConnectionId stranger = upgrade("nonsense");
  ASSERT_EQ(http.seen[stranger].responses.size(), 1u);
  EXPECT_EQ(http.seen[stranger].responses[0].status, 401);
  EXPECT_NE(body_of(stranger).find("-1000"), std::string::npos);
  EXPECT_FALSE(http.seen[stranger].accepted);
}

TEST_F(ControlTest, a_dismissal_answers_only_after_cut_leave_close_and_both_records) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  const auto cut = next_command<media::CutLife>(urgent);
  ASSERT_TRUE(cut.has_value()) << "the cut takes the reserved lane";
  write_store(true);
  EXPECT_EQ(body_of(caller), "");
  report(media::LifeCut{.life = cut->life, .at = now.mono, .wall_at = now.wall});
  EXPECT_EQ(http.seen[alice].close_code, 4011);  // no data channel: nothing to wait for
  EXPECT_NE(http.seen[alice].last, "");
  EXPECT_EQ(body_of(caller), "");
  control->on_websocket_closed_out(alice, true, now);
  const auto close = next_command<media::CloseLife>(commands);
  ASSERT_TRUE(close.has_value());
  report(media::LifeClosed{.life = close->life, .transports_closed = 0, .packets_after_cut = 0});
  EXPECT_EQ(body_of(caller), "") << "the final record is not durable yet";
  write_store(true);
  EXPECT_NE(body_of(caller).find(R"("Result":{"message":"success"})"), std::string::npos)
      << body_of(caller);
  EXPECT_EQ(control->registry().counts().rooms, 0u);
}

TEST_F(ControlTest, an_acknowledged_notice_has_a_moment_before_the_leave) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"), join_request_with_offer());
  const auto open = next_command<media::OpenTransport>(commands);
  ASSERT_TRUE(open.has_value());
  report(media::TransportUp{.transport = open->transport, .remote = {}});
  report(media::ReliableChannel{.transport = open->transport, .open = true});
  dismiss("room-1");
  report(media::LifeCut{.life = open->life, .at = now.mono, .wall_at = now.wall});
  report(media::NoticeDone{.transport = open->transport});
  EXPECT_EQ(http.seen[alice].close_code, std::nullopt)
      << "its page may not have read the notice yet";
  advance(Duration(std::chrono::milliseconds(limits::kNoticeSettleMs)));
  EXPECT_EQ(http.seen[alice].close_code, 4011);
}

TEST_F(ControlTest, a_dismissal_whose_record_cannot_be_written_is_an_internal_error) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  const auto cut = next_command<media::CutLife>(urgent);
  ASSERT_TRUE(cut.has_value());
  write_store(false);
  report(media::LifeCut{.life = cut->life, .at = now.mono, .wall_at = now.wall});
  for (int i = 0; i < 30; ++i) advance(100ms);
  if (const auto close = next_command<media::CloseLife>(commands))
    report(media::LifeClosed{.life = close->life, .transports_closed = 0, .packets_after_cut = 0});
  write_store(false);
  ASSERT_FALSE(http.seen[caller].responses.empty());
  EXPECT_EQ(http.seen[caller].responses.back().status, 500);
  EXPECT_NE(body_of(caller).find("InternalError"), std::string::npos);
}

TEST_F(ControlTest, without_a_confirmed_cut_the_answer_is_never_success) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId caller = dismiss("room-1");
  write_store(true);
  for (int i = 0; i < 60; ++i) advance(100ms);
  ASSERT_FALSE(http.seen[caller].responses.empty());
  EXPECT_EQ(http.seen[caller].responses.back().status, 500);
}

TEST_F(ControlTest, dismissing_an_unknown_room_is_success_at_once) {
  EXPECT_NE(body_of(dismiss("nobody")).find(R"("message":"success")"), std::string::npos);
}

TEST_F(ControlTest, a_refusal_at_the_upgrade_is_repeated_on_the_validate_path) {
  const std::string token = jwt("alice", "room-1");
  const ConnectionId alice = upgrade(token);
  control->on_closed(alice, now);  // reconnecting when the room is fenced: leaves a tombstone
  dismiss("room-1");
  const ConnectionId again = upgrade(token);
  ASSERT_EQ(http.seen[again].responses.size(), 1u);
  EXPECT_EQ(http.seen[again].responses[0].status, 403);
  EXPECT_NE(body_of(again).find("-1011"), std::string::npos);
  auto& validated = get("/rtc/v1/validate?access_token=" + token);
  ASSERT_EQ(validated.responses.size(), 1u);
  EXPECT_EQ(validated.responses[0].status, 403);
  advance(10s);
  EXPECT_EQ(get("/rtc/v1/validate?access_token=" + token).responses[0].status, 200);
}

TEST_F(ControlTest, draining_refuses_joins_with_503_and_is_not_ready) {
  const ConnectionId order = connection();
  HttpRequest drain;
  drain.listener = Listener::Operator;
  drain.method = "POST";
  drain.target = "/drain";
  control->on_request(order, drain, now);
  EXPECT_EQ(http.seen[order].responses[0].status, 200);
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  EXPECT_EQ(http.seen[alice].responses[0].status, 503);
  auto& ready = get("/readyz", Listener::Operator);
  reports.values.push_back(ShardSnapshot{});
  control->on_wake(now);
  EXPECT_EQ(ready.responses[0].status, 503);
  EXPECT_EQ(get("/livez", Listener::Operator).responses[0].status, 200);
}

// Of /readyz, once the shard answered.
struct Readiness {
  int status = 0;
  std::string body;
};
class ControlStoreHealthTest : public ControlTest {
 protected:
  Readiness readiness() {
    auto& ready = get("/readyz", Listener::Operator);
    reports.values.push_back(ShardSnapshot{});
    control->on_wake(now);
    return {ready.responses.at(0).status, ready.responses.at(0).body};
  }
  void tell(StoreHealth health) {
    from_store.values.push_back(health);
    control->on_wake(now);
  }
};

TEST_F(ControlStoreHealthTest, a_nearly_full_disk_refuses_joins_and_lets_calls_and_resumes_go_on) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  tell({.disk = DiskState::HistoryStopped});
  EXPECT_TRUE(http.seen[upgrade(jwt("bob", "room-1"))].accepted);
  EXPECT_EQ(readiness().status, 200);
  tell({.disk = DiskState::JoinsRefused});
  const ConnectionId carol = upgrade(jwt("carol", "room-1"));
  EXPECT_EQ(http.seen[carol].responses.at(0).status, 503);
  const auto& headers = http.seen[carol].responses.at(0).headers;
  EXPECT_TRUE(std::ranges::any_of(headers, [](const auto& h) { return h.first == "Retry-After"; }));
  const auto validate = "/rtc/v1/validate?access_token=" + jwt("carol", "room-1");
  EXPECT_EQ(get(validate).responses.at(0).status, 503);
  EXPECT_FALSE(http.seen[alice].dropped);
  EXPECT_EQ(readiness().status, 503);
  EXPECT_NE(readiness().body.find("nearly full"), std::string::npos);
  EXPECT_EQ(get("/livez", Listener::Operator).responses.at(0).status, 200);
  tell({.disk = DiskState::Well});
  EXPECT_TRUE(http.seen[upgrade(jwt("carol", "room-1"))].accepted);
  EXPECT_EQ(readiness().status, 200);
}

TEST_F(ControlStoreHealthTest, a_read_only_store_is_not_ready_until_it_was_opened_anew) {
  upgrade(jwt("alice", "room-1"));
  dismiss("room-1");
  write_store(false);
  EXPECT_EQ(readiness().status, 503);
  tell({.is_read_only = true, .failed_syncs = 1});
  EXPECT_NE(readiness().body.find("read-only"), std::string::npos);
  EXPECT_TRUE(http.seen[upgrade(jwt("bob", "room-2"))].accepted) << "calls go on";
  tell({.is_read_only = false, .failed_syncs = 1, .reopenings = 1});
  EXPECT_EQ(readiness().status, 200) << "without waiting for a write";
}

TEST_F(ControlTest, a_scrape_waits_for_the_shards_and_not_for_ever) {
  auto& page = get("/metrics", Listener::Operator);
  EXPECT_TRUE(page.responses.empty());
  ShardSnapshot snapshot;
  snapshot.counters.rtp_in = 42;
  reports.values.push_back(snapshot);
  control->on_wake(now);
  ASSERT_EQ(page.responses.size(), 1u);
  EXPECT_NE(page.responses[0].body.find("atrium_rtp_in_total 42"), std::string::npos);
  auto& stuck = get("/readyz", Listener::Operator);
  advance(2s);
  ASSERT_EQ(stuck.responses.size(), 1u);
  EXPECT_EQ(stuck.responses[0].status, 503);
}

TEST_F(ControlTest, garbage_on_a_websocket_ends_that_socket_alone) {
  const ConnectionId alice = upgrade(jwt("alice", "room-1"));
  const ConnectionId bob = upgrade(jwt("bob", "room-1"));
  control->on_websocket_message(alice, "\xff\xff\xff", true, now);
  EXPECT_TRUE(http.seen[alice].dropped);
  EXPECT_FALSE(http.seen[bob].dropped);
  EXPECT_EQ(control->registry().counts().participants, 2u)
      << "alice may come back within the grace";
}

TEST_F(ControlTest, files_and_the_root_have_their_own_answers) {
  EXPECT_EQ(get("/demo/").responses[0].body, "<p>demo</p>");
  EXPECT_EQ(get("/demo").responses[0].status, 308);
  EXPECT_EQ(get("/nothing").responses[0].status, 404);
  EXPECT_EQ(get("/rtc?access_token=x").responses[0].status, 404);
}

}  // namespace
}  // namespace atrium::node::testing
