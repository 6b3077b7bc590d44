// DismissRooms: which lives are meant is settled at once, each has its turn at a steady pace, and no other life is ever
// touched.
#include "base/limits.h"
#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

class BulkTest : public RegistryTest {
 protected:
  static BulkFilter everything() { return {}; }
  static BulkFilter listed(const std::vector<std::string>& names) {
    BulkFilter filter;
    filter.rooms.emplace();
    for (const std::string& name : names) filter.rooms->emplace_back(name);
    return filter;
  }
  Effects dismiss_all(BulkFilter filter, uint32_t per_second = 50) {
    return apply(DismissRooms{.waiter = WaiterId{++waiter_},
                              .app = AppId(kApp),
                              .filter = std::move(filter),
                              .per_second = per_second,
                              .origin = {"AK1", "request-9", "closing time"}});
  }
  // Accepted and stored: the first step has been taken.
  Effects started(BulkFilter filter, uint32_t per_second = 50) {
    const Effects asked = dismiss_all(std::move(filter), per_second);
    operation_ = only<PersistBulk>(asked).bulk.operation;
    return stored(operation_);
  }
  void open_rooms(int count, const std::string& prefix = "room-") {
    for (int i = 0; i < count; ++i) enter(joiner("ann", prefix + std::to_string(i)));
  }
  // Brings the dismissal of a life to its end.
  Effects end(const PersistDismissal& begun) {
    cut(begun.record.room_sid);
    after(2s);
    stored(begun.record.operation);
    closed(begun.record.room_sid);
    return stored(begun.record.operation);
  }
  static std::vector<std::string> names(const std::vector<BulkItem>& items) {
    std::vector<std::string> out;
    for (const BulkItem& item : items) out.push_back(item.room.value);
    return out;
  }
  std::vector<std::string> found(const BulkFilter& filter, size_t limit = 100) {
    return names(registry_.find_lives(AppId(kApp), filter, now_.wall, limit));
  }
  using Names = std::vector<std::string>;

  uint64_t waiter_ = 100;
  OperationId operation_;
};

TEST_F(BulkTest, nothing_begins_before_the_list_is_stored_and_the_caller_is_answered_then) {
  open_rooms(2);
  const Effects asked = dismiss_all(everything());
  const BulkDismissal written = only<PersistBulk>(asked).bulk;
  EXPECT_EQ(asked.size(), 1u) << effects_text(asked);
  EXPECT_EQ(written.items.size(), 2u);
  EXPECT_EQ(written.reason, "closing time");
  EXPECT_EQ(written.accepted_at, now_.wall);
  EXPECT_FALSE(written.finished_at);
  const Effects begun = stored(written.operation);
  const ActionReply reply = only<ActionReply>(begun);
  EXPECT_EQ(reply.outcome, ActionOutcome::Done);
  EXPECT_EQ(reply.operation, written.operation);
  ASSERT_TRUE(reply.bulk);
  EXPECT_EQ(reply.bulk->items, written.items);
  EXPECT_EQ(count_of<CutRoom>(begun), 2u);
  for (const PersistDismissal& write : all_of<PersistDismissal>(begun)) {
    EXPECT_EQ(write.record.operator_id, "AK1");
    EXPECT_EQ(write.record.request_id, "request-9");
    EXPECT_EQ(write.record.reason, "closing time");
    EXPECT_NE(write.record.operation, written.operation) << "each has its own";
  }
}

TEST_F(BulkTest, is_finished_when_the_last_dismissal_is_over) {
  open_rooms(2);
  const auto begun = all_of<PersistDismissal>(started(everything()));
  ASSERT_EQ(begun.size(), 2u);
  EXPECT_EQ(count_of<PersistBulk>(end(begun[1])), 0u);
  const BulkDismissal last = only<PersistBulk>(end(begun[0])).bulk;
  EXPECT_EQ(last.operation, operation_);
  EXPECT_EQ(last.finished_at, now_.wall);
  EXPECT_TRUE(last.items.empty()) << "they are stored already";
  EXPECT_TRUE(stored(operation_).empty());
}

TEST_F(BulkTest, a_list_that_cannot_be_stored_is_not_begun) {
  open_rooms(1);
  const Effects asked = dismiss_all(everything());
  const Effects refused = stored(only<PersistBulk>(asked).bulk.operation, false);
  EXPECT_EQ(only<ActionReply>(refused).outcome, ActionOutcome::RecordFailed);
  EXPECT_TRUE(after(10s).empty());
  EXPECT_TRUE(room("room-0"));
}

TEST_F(BulkTest, a_life_that_began_after_acceptance_is_not_touched) {
  open_rooms(1);
  const Effects asked = dismiss_all(everything());
  dismiss("room-0");
  const Person successor = knock(joiner("bob", "room-0"));
  const Effects begun = stored(only<PersistBulk>(asked).bulk.operation);
  EXPECT_EQ(count_of<CutRoom>(begun), 0u);
  EXPECT_EQ(room("room-0")->sid, successor.room_sid);
  enter(joiner("eve", "another"));
  after(10s);
  EXPECT_TRUE(room("another")) << "it was not there when the list was taken";
}

TEST_F(BulkTest, a_successor_that_comes_while_its_predecessor_waits_for_its_turn_is_not_touched) {
  open_rooms(3);
  EXPECT_EQ(count_of<CutRoom>(started(everything(), 1)), 1u);
  dismiss("room-2");
  const Person successor = enter(joiner("bob", "room-2"));
  EXPECT_EQ(count_of<CutRoom>(after(1s)), 1u);
  EXPECT_EQ(count_of<CutRoom>(after(10s)), 0u);
  ASSERT_TRUE(room("room-2"));
  EXPECT_EQ(room("room-2")->sid, successor.room_sid);
}

TEST_F(BulkTest, a_life_that_somebody_else_dismisses_is_left_to_that_operation_and_waited_for) {
  open_rooms(1);
  const Effects asked = dismiss_all(everything());
  const PersistDismissal others = only<PersistDismissal>(dismiss("room-0"));
  const Effects begun = stored(only<PersistBulk>(asked).bulk.operation);
  EXPECT_EQ(count_of<PersistDismissal>(begun), 0u);
  EXPECT_EQ(count_of<PersistBulk>(begun), 0u) << "it is not over yet";
  EXPECT_EQ(count_of<PersistBulk>(end(others)), 1u);
}

TEST_F(BulkTest, begins_no_more_than_its_pace_allows) {
  open_rooms(30);
  size_t begun = count_of<CutRoom>(started(everything(), 20));
  EXPECT_EQ(begun, 2u);
  for (int i = 1; i < 10; ++i) begun += count_of<CutRoom>(after(100ms));
  EXPECT_EQ(begun, 20u) << "in the first second";
  EXPECT_EQ(count_of<CutRoom>(after(99ms)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1ms)), 2u);
}

TEST_F(BulkTest, pace_below_the_steps_of_a_second_is_kept_too) {
  open_rooms(5);
  EXPECT_EQ(count_of<CutRoom>(started(everything(), 2)), 1u);
  EXPECT_EQ(count_of<CutRoom>(after(499ms)), 0u);
  EXPECT_EQ(count_of<CutRoom>(after(1ms)), 1u);
}

TEST_F(BulkTest, a_pace_that_steps_do_not_divide_is_not_exceeded) {
  open_rooms(30);
  size_t begun = count_of<CutRoom>(started(everything(), 15));
  for (int i = 1; i < 100; ++i) begun += count_of<CutRoom>(after(10ms));
  EXPECT_LE(begun, 16u);
  EXPECT_GE(begun, 14u);
}

TEST_F(BulkTest, late_steps_are_not_made_up_for) {
  open_rooms(30);
  started(everything(), 10);
  EXPECT_EQ(count_of<CutRoom>(after(10s)), 1u);
}

TEST_F(BulkTest, lives_that_are_over_do_not_hold_up_the_others) {
  open_rooms(10);
  const Effects asked = dismiss_all(everything(), 1);
  for (int i = 0; i < 9; ++i) dismiss("room-" + std::to_string(i));
  const Effects begun = stored(only<PersistBulk>(asked).bulk.operation);
  EXPECT_EQ(only<PersistDismissal>(begun).record.room, RoomId("room-9"));
}

TEST_F(BulkTest, names_without_a_life_are_items_without_a_session) {
  open_rooms(1);
  const Effects asked = dismiss_all(listed({"nowhere", "room-0", "nowhere"}));
  const std::vector<BulkItem> items = only<PersistBulk>(asked).bulk.items;
  ASSERT_EQ(items.size(), 2u) << "each name once";
  EXPECT_EQ(items[0], (BulkItem{RoomId("nowhere"), RoomSid()}));
  EXPECT_EQ(items[1], (BulkItem{RoomId("room-0"), room("room-0")->sid}));
}

TEST_F(BulkTest, nobody_there_is_finished_as_soon_as_it_is_stored) {
  const Effects begun = started(listed({"nowhere"}));
  EXPECT_EQ(only<ActionReply>(begun).outcome, ActionOutcome::Done);
  EXPECT_EQ(only<PersistBulk>(begun).bulk.finished_at, now_.wall);
  EXPECT_EQ(only<ActionReply>(started(everything())).outcome, ActionOutcome::Done);
}

TEST_F(BulkTest, filters_must_all_hold) {
  open_rooms(1, "a-old-");
  open_rooms(1, "b-old-");
  after(60s);
  open_rooms(1, "a-new-");
  enter(joiner("bob", "a-old-0"));
  EXPECT_EQ(found(everything()), (Names{"a-new-0", "a-old-0", "b-old-0"}));
  EXPECT_EQ(found({.prefix = "a-"}), (Names{"a-new-0", "a-old-0"}));
  EXPECT_EQ(found({.older_than = 60s}), (Names{"a-old-0", "b-old-0"}));
  EXPECT_EQ(found({.older_than = 60s + 1us}), Names{});
  EXPECT_EQ(found({.users_at_most = 1}), (Names{"a-new-0", "b-old-0"}));
  EXPECT_EQ(found({.users_at_most = 0}), Names{});
  EXPECT_EQ(found({.prefix = "a-", .older_than = 60s}), Names{"a-old-0"});
  EXPECT_EQ(found({.prefix = "a-", .older_than = 60s, .users_at_most = 1}), Names{});
  BulkFilter both = listed({"b-old-0", "a-old-0", "a-new-0", "a-nowhere"});
  both.prefix = "a-";
  both.older_than = 60s;
  EXPECT_EQ(found(both), (Names{"a-old-0", "a-nowhere"}));
  EXPECT_EQ(found(everything(), 2), (Names{"a-new-0", "a-old-0"}));
}

TEST_F(BulkTest, invisible_users_count) {
  enter(hidden_joiner("ghost"));
  EXPECT_EQ(found({.users_at_most = 0}), Names{});
  EXPECT_EQ(found({.users_at_most = 1}), Names{kRoom});
}

TEST_F(BulkTest, rooms_of_other_apps_are_not_meant) {
  Joiner other = joiner("ann", "room-0");
  other.app = AppId("app2");
  enter(other);
  open_rooms(1);
  EXPECT_EQ(only<PersistBulk>(dismiss_all(everything())).bulk.items.size(), 1u);
}

TEST_F(BulkTest, more_rooms_than_its_limit_are_refused_and_none_is_touched) {
  for (int i = 0; i <= limits::kBulkRoomsMax; ++i)
    registry_.apply(Join{new_connection(), joiner("ann", "r" + std::to_string(i))}, now_);
  const Effects refused = dismiss_all(everything());
  EXPECT_EQ(only<ActionReply>(refused).outcome, ActionOutcome::TooMany);
  EXPECT_EQ(refused.size(), 1u);
  BulkFilter fewer = everything();
  fewer.prefix = "r1";
  EXPECT_EQ(count_of<PersistBulk>(dismiss_all(fewer)), 1u);
}

TEST_F(BulkTest, no_more_than_its_limit_run_at_once) {
  open_rooms(1);
  for (int i = 0; i < limits::kBulkRunningMax; ++i) dismiss_all(everything());
  EXPECT_EQ(only<ActionReply>(dismiss_all(everything())).outcome, ActionOutcome::TooMany);
}

TEST_F(BulkTest, two_of_them_meet_in_one_life_without_harm) {
  open_rooms(1);
  const Effects first = dismiss_all(everything()), second = dismiss_all(everything());
  const Effects begun = stored(only<PersistBulk>(first).bulk.operation);
  EXPECT_EQ(count_of<CutRoom>(stored(only<PersistBulk>(second).bulk.operation)), 0u);
  EXPECT_EQ(count_of<PersistBulk>(end(only<PersistDismissal>(begun))), 2u);
}

TEST_F(BulkTest, an_answer_that_comes_late_still_begins_the_run) {
  open_rooms(1);
  const Effects asked = dismiss_all(everything());
  EXPECT_EQ(only<ActionReply>(after(limits::kActionFinishMs * 1ms)).outcome,
            ActionOutcome::Unfinished);
  const Effects begun = stored(only<PersistBulk>(asked).bulk.operation);
  EXPECT_EQ(count_of<ActionReply>(begun), 0u);
  EXPECT_EQ(count_of<CutRoom>(begun), 1u);
}

}  // namespace
}  // namespace atrium::domain
