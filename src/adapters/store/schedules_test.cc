#include "adapters/store/schedules.h"

#include <gmock/gmock.h>

#include "adapters/store/store_fixture.h"

namespace atrium::store {
namespace {

using domain::RoomPolicy;
using domain::Schedule;
using testing::ElementsAre;
using testing::IsEmpty;

class ScheduleTableTest : public StoreFixture {
 protected:
  static Schedule schedule(const char* id) {
    return {.id = ScheduleId(id),
            .app = AppId("app"),
            .room = RoomId("room"),
            .room_sid = RoomSid("RM_1"),
            .reason = std::string("end\0of it", 9),
            .operator_id = "AKLT",
            .request_id = "2026",
            .follows_wall = true,
            .due_at = kStoreStart + 60s,
            .created_at = kStoreStart,
            .forbidden = 600s,
            .refuses_joins = true,
            .warn_before = {30s, 10s, 1ms}};
  }
  static RoomPolicy policy(const char* room) {
    return {.app = AppId("app"),
            .room = RoomId(room),
            .end_at = kStoreStart + 60s,
            .max_duration = 3600s,
            .idle = 300s,
            .without_host = 60s,
            .hosts = {UserId("ann"), UserId("b,o\"b")},
            .warn_before = {30s},
            .reason = "over",
            .operator_id = "AKLT",
            .updated_at = kStoreStart};
  }
  bool put(std::vector<Schedule> schedules, std::vector<ScheduleId> drop = {}) {
    return write(PutSchedules{OperationId("OP_1"), std::move(schedules), std::move(drop)});
  }
  bool put(const char* room, std::optional<RoomPolicy> policy) {
    return write(PutPolicy{OperationId("OP_1"), AppId("app"), RoomId(room), std::move(policy)});
  }
};

TEST_F(ScheduleTableTest, schedules_come_back_as_they_were) {
  Schedule bare = schedule("SD_2");
  bare.follows_wall = bare.refuses_joins = false;
  bare.forbidden.reset();
  bare.warn_before.clear();
  ASSERT_TRUE(put({bare, schedule("SD_1")}));
  restart();
  EXPECT_THAT(MUST(store->load_schedules()), ElementsAre(schedule("SD_1"), bare));
}

TEST_F(ScheduleTableTest, one_is_replaced_by_its_id_and_dropped_by_it) {
  ASSERT_TRUE(put({schedule("SD_1"), schedule("SD_2")}));
  Schedule moved = schedule("SD_2");
  moved.due_at += 60s;
  moved.room_sid = RoomSid("RM_2");
  ASSERT_TRUE(put({moved}, {ScheduleId("SD_1"), ScheduleId("SD_unknown")}));
  restart();
  EXPECT_THAT(MUST(store->load_schedules()), ElementsAre(moved));
}

TEST_F(ScheduleTableTest, one_that_is_put_and_dropped_at_once_is_gone) {
  ASSERT_TRUE(put({schedule("SD_1")}, {ScheduleId("SD_1")}));
  EXPECT_THAT(MUST(store->load_schedules()), IsEmpty());
}

TEST_F(ScheduleTableTest, policies_come_back_as_they_were) {
  const RoomPolicy bare{.app = AppId("app"), .room = RoomId("bare"), .updated_at = kStoreStart};
  ASSERT_TRUE(put("room", policy("room")));
  ASSERT_TRUE(put("bare", bare));
  restart();
  EXPECT_THAT(MUST(store->load_policies()), ElementsAre(bare, policy("room")));
}

TEST_F(ScheduleTableTest, a_policy_is_replaced_whole_and_dropped_by_its_name) {
  ASSERT_TRUE(put("room", policy("room")));
  ASSERT_TRUE(put("other", policy("other")));
  RoomPolicy changed = policy("room");
  changed.idle.reset();
  changed.hosts.clear();
  ASSERT_TRUE(put("room", changed));
  ASSERT_TRUE(put("other", std::nullopt));
  restart();
  EXPECT_THAT(MUST(store->load_policies()), ElementsAre(changed));
}

// Nothing expires by itself: a schedule that came due while nobody ran is still to be carried out or dropped.
TEST_F(ScheduleTableTest, a_purge_leaves_them_alone) {
  ASSERT_TRUE(put({schedule("SD_1")}));
  ASSERT_TRUE(put("room", policy("room")));
  purge(365 * kStoreDay);
  EXPECT_EQ(MUST(store->load_schedules()).size(), 1u);
  EXPECT_EQ(MUST(store->load_policies()).size(), 1u);
}

}  // namespace
}  // namespace atrium::store
