// Changing calls through the control plane: effect, events, acceptance and key in one write; who is answered when.
#include <gmock/gmock.h>

#include "base/limits.h"
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AuditedCallsTest : public ControlTest {
 protected:
  ConnectionId dismiss_with(const std::string& key, const std::string& room = "room-1",
                            const std::string& more = {}) {
    return api("DismissRoom", "2020-12-01", of_room(room, more), key);
  }
  // Everything that a dismissal waits for, as often as it takes.
  void finish_dismissals() {
    write_store(true);
    if (const auto cut = next_command<media::CutLife>(urgent))
      report(media::LifeCut{.life = cut->life, .at = now.mono, .wall_at = now.wall});
    for (int i = 0; i < 30; ++i) advance(100ms);
    if (const auto close = next_command<media::CloseLife>(commands))
      report(
          media::LifeClosed{.life = close->life, .transports_closed = 0, .packets_after_cut = 0});
    write_store(true);
    write_store(true);
  }
  bool is_answered(ConnectionId caller) { return !http.seen[caller].responses.empty(); }
  int status_of(ConnectionId caller) { return http.seen[caller].responses.back().status; }
  bool is_replayed(ConnectionId caller) {
    const auto& headers = http.seen[caller].responses.back().headers;
    return std::ranges::any_of(headers, [](const auto& header) {
      return header.first == "Idempotency-Replayed" && header.second == "true";
    });
  }
  // Operations whose record went to the store.
  std::set<OperationId> operations() const {
    std::set<OperationId> out;
    for (const store::WriteRequest& write : writes)
      if (const auto* put = std::get_if<store::PutDismissal>(&write.what))
        out.insert(put->record.operation);
    return out;
  }
  std::vector<domain::AuditEntry> audited(domain::AuditPhase phase) const {
    std::vector<domain::AuditEntry> out;
    std::ranges::copy_if(written_audit, std::back_inserter(out),
                         [phase](const domain::AuditEntry& one) { return one.phase == phase; });
    return out;
  }
};

TEST_F(AuditedCallsTest, effect_events_acceptance_and_key_are_one_write) {
  upgrade(jwt("alice", "room-1"));
  write_store(true);
  writes.clear();
  dismiss_with("k1");
  write_store(true);
  const auto fence = std::ranges::find_if(writes, [](const store::WriteRequest& write) {
    return std::holds_alternative<store::PutDismissal>(write.what);
  });
  ASSERT_NE(fence, writes.end());
  EXPECT_EQ(fence->held_events.size(), 2u) << "alice's leave and the room's end";
  ASSERT_EQ(fence->audit.size(), 1u);
  EXPECT_EQ(fence->audit[0].phase, domain::AuditPhase::Accepted);
  ASSERT_EQ(fence->calls.size(), 1u);
  EXPECT_EQ(fence->calls[0].key.key, "k1");
  const OperationId operation = std::get<store::PutDismissal>(fence->what).record.operation;
  EXPECT_EQ(fence->calls[0].operation, operation);
  EXPECT_EQ(fence->audit[0].operation, operation);
}

TEST_F(AuditedCallsTest, who_repeats_a_running_call_waits_for_it_and_nothing_is_done_twice) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId first = dismiss_with("k1");
  upgrade(jwt("bob", "room-2"));
  std::vector<ConnectionId> others;
  for (int i = 0; i < 10; ++i) others.push_back(dismiss_with("k1"));
  write_store(true);
  EXPECT_FALSE(is_answered(first));
  for (const ConnectionId other : others) EXPECT_FALSE(is_answered(other));
  finish_dismissals();
  ASSERT_TRUE(is_answered(first));
  EXPECT_EQ(status_of(first), 200);
  EXPECT_FALSE(is_replayed(first));
  for (const ConnectionId other : others) {
    ASSERT_TRUE(is_answered(other));
    EXPECT_EQ(status_of(other), 200);
    EXPECT_TRUE(is_replayed(other));
  }
  EXPECT_EQ(operations().size(), 1u);
}

TEST_F(AuditedCallsTest, a_repeat_spares_the_next_life_of_the_name) {
  upgrade(jwt("alice", "room-1"));
  dismiss_with("k1");
  finish_dismissals();
  const ConnectionId again = upgrade(jwt("carol", "room-1"));
  ASSERT_TRUE(http.seen[again].accepted);
  const ConnectionId repeated = dismiss_with("k1");
  write_store(true);
  ASSERT_TRUE(is_answered(repeated));
  EXPECT_TRUE(is_replayed(repeated));
  EXPECT_EQ(control->registry().counts().participants, 1u) << "carol stays";
  EXPECT_EQ(operations().size(), 1u);
}

TEST_F(AuditedCallsTest, the_same_key_for_another_body_is_refused) {
  upgrade(jwt("alice", "room-1"));
  dismiss_with("k1");
  finish_dismissals();
  const ConnectionId other = dismiss_with("k1", "room-2");
  ASSERT_TRUE(is_answered(other));
  EXPECT_EQ(status_of(other), 400);
  EXPECT_THAT(body_of(other), HasSubstr("InvalidParameter.IdempotencyKeyReuse"));
}

TEST_F(AuditedCallsTest, a_refusal_before_the_effect_is_not_kept) {
  const ConnectionId refused =
      api("ScheduleDismissal", "2026-12-01", of_room("room-1", R"(,"AfterSeconds":60)"), "k1");
  ASSERT_TRUE(is_answered(refused));
  EXPECT_THAT(body_of(refused), HasSubstr("NoSuchRoom"));
  upgrade(jwt("alice", "room-1"));
  api("ScheduleDismissal", "2026-12-01", of_room("room-1", R"(,"AfterSeconds":60)"), "k1");
  write_store(true);
  EXPECT_EQ(control->registry().counts().rooms, 1u);
  const auto scheduled = std::ranges::any_of(writes, [](const store::WriteRequest& write) {
    return std::holds_alternative<store::PutSchedules>(write.what) && !write.calls.empty();
  });
  EXPECT_TRUE(scheduled) << "the second call was done as if there had been no first";
}

TEST_F(AuditedCallsTest, a_key_that_cannot_be_stored_is_said_and_not_kept) {
  // An unknown room: nothing is written but the key itself.
  const ConnectionId first = dismiss_with("k1");
  EXPECT_FALSE(is_answered(first)) << "before the key is durable nobody hears";
  write_store(false);
  ASSERT_TRUE(is_answered(first));
  EXPECT_EQ(status_of(first), 500);
  const ConnectionId second = dismiss_with("k1");
  write_store(true);
  ASSERT_TRUE(is_answered(second));
  EXPECT_EQ(status_of(second), 200);
  EXPECT_FALSE(is_replayed(second));
  const ConnectionId third = dismiss_with("k1");
  ASSERT_TRUE(is_answered(third));
  EXPECT_TRUE(is_replayed(third));
}

TEST_F(AuditedCallsTest, every_entry_of_a_call_has_the_hash_of_its_body) {
  const std::string change = of_room("room-1"), refused = R"({"AppId":"a7e100000000000000000001"})";
  upgrade(jwt("alice", "room-1"));
  dismiss_with("k1");
  finish_dismissals();
  api("DismissRoom", "2020-12-01", refused);
  advance(1s);
  write_store(true);
  ASSERT_EQ(written_audit.size(), 3u);
  EXPECT_EQ(written_audit[0].body_hash, sha256(as_bytes(change)));
  EXPECT_EQ(written_audit[1].body_hash, sha256(as_bytes(change)));
  EXPECT_EQ(written_audit[2].body_hash, sha256(as_bytes(refused)));
}

TEST_F(AuditedCallsTest, a_change_is_audited_before_and_after_and_a_read_and_a_refusal_once) {
  upgrade(jwt("alice", "room-1"));
  const ConnectionId caller =
      api("DismissRoom", "2026-12-01", of_room("room-1", R"(,"Reason":"end of the lesson")"));
  finish_dismissals();
  ASSERT_TRUE(is_answered(caller));
  advance(1s);
  write_store(true);
  const auto accepted = audited(domain::AuditPhase::Accepted);
  const auto finished = audited(domain::AuditPhase::Finished);
  ASSERT_EQ(accepted.size(), 1u);
  ASSERT_EQ(finished.size(), 1u);
  EXPECT_EQ(accepted[0].operation, *operations().begin());
  EXPECT_EQ(finished[0].operation, accepted[0].operation);
  EXPECT_EQ(finished[0].status, 200);
  EXPECT_EQ(finished[0].access_key, "AKLTtest");
  EXPECT_EQ(accepted[0].reason.text, "end of the lesson");
  EXPECT_EQ(accepted[0].reason.number, -1011);
  // The same object as in the events.
  const auto end =
      std::ranges::find(written_events, domain::EventKind::RoomEnded, &domain::Event::kind);
  ASSERT_NE(end, written_events.end());
  EXPECT_EQ(end->reason, accepted[0].reason);

  written_audit.clear();
  api("ListRooms", "2026-12-01", R"({"AppId":"a7e100000000000000000001"})");
  api("DismissRoom", "2020-12-01", R"({"AppId":"a7e100000000000000000001"})");
  advance(1s);
  write_store(true);
  ASSERT_EQ(written_audit.size(), 2u);
  EXPECT_EQ(written_audit[0].phase, domain::AuditPhase::Read);
  EXPECT_EQ(written_audit[1].phase, domain::AuditPhase::Refused);
  EXPECT_EQ(written_audit[1].status, 400);
  EXPECT_EQ(written_audit[1].outcome, "InvalidParameter");
}

TEST_F(AuditedCallsTest, a_change_that_found_nothing_to_change_is_audited_once) {
  dismiss("nobody-is-here");
  advance(1s);
  write_store(true);
  ASSERT_EQ(written_audit.size(), 1u);
  EXPECT_EQ(written_audit[0].phase, domain::AuditPhase::Finished);
  EXPECT_EQ(written_audit[0].status, 200);
  EXPECT_TRUE(written_audit[0].operation.empty());
}

TEST_F(AuditedCallsTest, callers_that_are_not_known_are_counted_by_the_minute) {
  const auto knock = [this] {
    HttpRequest request{Listener::Public,
                        "POST",
                        "/?Action=DismissRoom&Version=2020-12-01",
                        {{"Host", "atrium"}},
                        of_room("room-1"),
                        {},
                        false};
    control->on_request(connection(), std::move(request), now);
  };
  for (int i = 0; i < 25; ++i) knock();
  write_store(true);
  EXPECT_TRUE(written_audit.empty());
  advance(61s);
  write_store(true);
  ASSERT_EQ(written_audit.size(), 1u);
  EXPECT_EQ(written_audit[0].phase, domain::AuditPhase::Counted);
  EXPECT_EQ(written_audit[0].count, 25u);
  EXPECT_TRUE(written_audit[0].access_key.empty());
}

TEST_F(AuditedCallsTest, a_dry_run_is_audited_as_such_and_writes_nothing_else) {
  upgrade(jwt("alice", "room-1"));
  write_store(true);
  writes.clear();
  const ConnectionId caller =
      api("DismissRoom", "2026-12-01", of_room("room-1", R"(,"DryRun":true)"));
  ASSERT_TRUE(is_answered(caller));
  EXPECT_EQ(status_of(caller), 200);
  advance(1s);
  write_store(true);
  ASSERT_EQ(audited(domain::AuditPhase::Read).size(), 1u);
  EXPECT_TRUE(audited(domain::AuditPhase::Read)[0].is_dry_run);
  for (const store::WriteRequest& write : writes) {
    EXPECT_TRUE(write.events.empty() && write.held_events.empty() && write.calls.empty());
    EXPECT_FALSE(std::holds_alternative<store::PutDismissal>(write.what));
  }
  EXPECT_EQ(control->registry().counts().participants, 1u);
}

}  // namespace
}  // namespace atrium::node::testing
