#include "node/disk_guard.h"

#include <gtest/gtest.h>

namespace atrium::node {
namespace {

constexpr DiskGuardOptions kOptions{.reserve = 10, .history_free_min = 200, .join_free_min = 100};

TEST(DiskGuard, history_stops_first_and_then_joins) {
  DiskGuard guard(kOptions);
  EXPECT_FALSE(guard.on_look(200, 10));
  EXPECT_EQ(guard.state(), DiskState::Well);
  EXPECT_FALSE(guard.on_look(199, 10));
  EXPECT_EQ(guard.state(), DiskState::HistoryStopped);
  EXPECT_FALSE(guard.on_look(100, 10));
  EXPECT_EQ(guard.state(), DiskState::HistoryStopped);
  EXPECT_FALSE(guard.on_look(99, 10));
  EXPECT_EQ(guard.state(), DiskState::JoinsRefused);
}

TEST(DiskGuard, all_is_well_again_when_space_is_back) {
  DiskGuard guard(kOptions);
  guard.on_look(0, 10);
  EXPECT_EQ(guard.state(), DiskState::JoinsRefused);
  guard.on_look(150, 10);
  EXPECT_EQ(guard.state(), DiskState::HistoryStopped);
  guard.on_look(200, 10);
  EXPECT_EQ(guard.state(), DiskState::Well);
}

TEST(DiskGuard, the_reserve_is_given_up_once_and_only_while_there_is_one) {
  DiskGuard guard(kOptions);
  guard.on_look(0, 10);
  EXPECT_TRUE(guard.on_disk_full(10));
  EXPECT_EQ(guard.state(), DiskState::ReserveGone);
  EXPECT_FALSE(guard.on_look(10, 0));
  EXPECT_EQ(guard.state(), DiskState::ReserveGone);
  EXPECT_FALSE(guard.on_disk_full(0));
}

TEST(DiskGuard, the_reserve_is_taken_back_as_soon_as_joins_have_room_beside_it) {
  DiskGuard guard(kOptions);
  guard.on_disk_full(10);
  EXPECT_FALSE(guard.on_look(109, 0));
  EXPECT_EQ(guard.state(), DiskState::ReserveGone);
  EXPECT_TRUE(guard.on_look(110, 0));
  EXPECT_EQ(guard.state(), DiskState::ReserveGone) << "until it is allocated";
  EXPECT_FALSE(guard.on_look(100, 10));
  EXPECT_EQ(guard.state(), DiskState::HistoryStopped);
}

TEST(DiskGuard, the_reserve_is_not_taken_out_of_less_than_itself) {
  DiskGuard guard({.reserve = 10, .history_free_min = 0, .join_free_min = 0});
  EXPECT_FALSE(guard.on_look(9, 0));
  EXPECT_TRUE(guard.on_look(10, 0));
}

TEST(DiskGuard, without_a_reserve_a_full_disk_is_remembered_until_there_is_room) {
  DiskGuard guard({.reserve = 0, .history_free_min = 200, .join_free_min = 100});
  EXPECT_FALSE(guard.on_disk_full(0));
  guard.on_look(50, 0);
  EXPECT_EQ(guard.state(), DiskState::ReserveGone);
  guard.on_look(100, 0);
  EXPECT_EQ(guard.state(), DiskState::HistoryStopped);
}

TEST(DiskGuard, a_full_disk_that_gave_back_no_room_still_holds_the_reserve_s_state) {
  DiskGuard guard(kOptions);
  guard.on_disk_full(10);
  guard.on_look(99, 10);  // the release failed
  EXPECT_EQ(guard.state(), DiskState::ReserveGone);
}

}  // namespace
}  // namespace atrium::node
