#include "adapters/store/bulks.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

using domain::BulkDismissal;
using domain::BulkItemState;
using domain::DismissalState;

class BulksTest : public StoreFixture {
 protected:
  static BulkDismissal bulk(std::vector<domain::BulkItem> items) {
    return {.operation = OperationId("OP_bulk"),
            .app = AppId("app"),
            .operator_id = "AKLT",
            .request_id = "2026",
            .reason = "over",
            .accepted_at = kStoreStart,
            .per_second = 50,
            .items = std::move(items)};
  }
  static domain::BulkItem item(int number) {
    return {RoomId("room-" + std::to_string(number)), RoomSid("RM_" + std::to_string(number))};
  }
  bool dismiss(int number, DismissalState state, const char* operation, Duration after = {}) {
    PutDismissal put;
    put.record.operation = OperationId(operation);
    put.record.app = AppId("app");
    put.record.room = item(number).room;
    put.record.room_sid = item(number).room_sid;
    put.record.state = state;
    put.record.accepted_at = kStoreStart + after;
    return write(std::move(put));
  }
  std::optional<domain::BulkPage> find(size_t offset = 0, size_t limit = 100'000) {
    return MUST(store->find_bulk(OperationId("OP_bulk"), offset, limit));
  }
  BulkItemState state_of(size_t position) { return find(position, 1)->items.at(0).state; }
};

TEST_F(BulksTest, one_comes_back_as_it_was_with_its_rooms_in_order) {
  EXPECT_FALSE(find());
  ASSERT_TRUE(write(PutBulk{bulk({item(2), item(1), {RoomId("none"), {}}})}));
  restart();
  const auto page = find();
  ASSERT_TRUE(page);
  EXPECT_EQ(page->bulk, bulk({}));
  EXPECT_EQ(page->total, 3u);
  ASSERT_EQ(page->items.size(), 3u);
  EXPECT_EQ(page->items[0].item, item(2));
  EXPECT_EQ(page->items[1].item, item(1));
  EXPECT_EQ(page->items[2].state, BulkItemState::NotThere) << "it had no life";
}

TEST_F(BulksTest, what_became_of_a_room_is_told_by_the_dismissal_of_its_life) {
  ASSERT_TRUE(write(PutBulk{bulk({item(0), item(1), item(2), item(3)})}));
  ASSERT_TRUE(dismiss(1, DismissalState::Running, "OP_1"));
  ASSERT_TRUE(dismiss(2, DismissalState::Failed, "OP_2"));
  ASSERT_TRUE(dismiss(3, DismissalState::Failed, "OP_3"));
  ASSERT_TRUE(dismiss(3, DismissalState::Done, "OP_4", 1s));
  EXPECT_EQ(state_of(0), BulkItemState::Waiting);
  EXPECT_EQ(state_of(1), BulkItemState::Running);
  EXPECT_EQ(state_of(2), BulkItemState::Failed);
  EXPECT_EQ(state_of(3), BulkItemState::Dismissed) << "the latest of that life";
  EXPECT_EQ(find()->items[3].operation, OperationId("OP_4"));
  EXPECT_FALSE(find()->items[0].operation);
  restart();
  EXPECT_EQ(state_of(1), BulkItemState::Dismissed) << "no life survives its process";
}

TEST_F(BulksTest, the_dismissal_of_a_later_life_of_the_name_says_nothing) {
  ASSERT_TRUE(write(PutBulk{bulk({{item(1).room, RoomSid("RM_before")}})}));
  ASSERT_TRUE(dismiss(1, DismissalState::Done, "OP_1"));
  EXPECT_EQ(state_of(0), BulkItemState::Waiting);
}

TEST_F(BulksTest, its_end_changes_the_head_alone) {
  ASSERT_TRUE(write(PutBulk{bulk({item(1), item(2)})}));
  BulkDismissal end = bulk({});
  end.finished_at = kStoreStart + 5s;
  ASSERT_TRUE(write(PutBulk{end}));
  restart();
  EXPECT_EQ(find()->bulk, end);
  EXPECT_EQ(find()->total, 2u);
  EXPECT_EQ(find()->items.size(), 2u);
  EXPECT_EQ(state_of(0), BulkItemState::NotThere) << "its life ended before its turn came";
}

TEST_F(BulksTest, a_page_is_bounded_and_goes_on_from_its_offset) {
  std::vector<domain::BulkItem> items;
  for (int i = 0; i < limits::kBulkPageMax + 2; ++i) items.push_back(item(i));
  ASSERT_TRUE(write(PutBulk{bulk(std::move(items))}));
  EXPECT_EQ(std::ssize(find()->items), limits::kBulkPageMax);
  const auto rest = find(limits::kBulkPageMax);
  EXPECT_EQ(rest->total, limits::kBulkPageMax + 2);
  ASSERT_EQ(rest->items.size(), 2u);
  EXPECT_EQ(rest->items[0].item, item(limits::kBulkPageMax));
}

TEST_F(BulksTest, after_a_month_its_rooms_go_in_steps_and_then_it_itself) {
  std::vector<domain::BulkItem> items;
  for (int i = 0; i < limits::kPurgeRowsPerStep + 1; ++i) items.push_back(item(i));
  ASSERT_TRUE(write(PutBulk{bulk(std::move(items))}));
  const Duration keep = limits::kRecordKeepDays * kStoreDay;
  EXPECT_EQ(purge(keep).bulk_rows, 0u);
  EXPECT_EQ(purge(keep + 1us).bulk_rows, limits::kPurgeRowsPerStep + 2);
  EXPECT_FALSE(find());
}

}  // namespace
}  // namespace atrium::store
