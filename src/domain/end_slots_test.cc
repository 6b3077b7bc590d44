#include "domain/end_slots.h"

#include <gtest/gtest.h>

#include "domain/registry_fixture.h"

namespace atrium::domain {
namespace {

using namespace std::chrono_literals;

TEST(EndSlots, gives_each_moment_to_so_many_and_the_next_to_those_who_come_later) {
  EndSlots slots;
  const Mono now{1000s};
  for (uint32_t i = 0; i < EndSlots::kEndsPerSlot; ++i) EXPECT_EQ(slots.take(now), now);
  EXPECT_FALSE(slots.is_free(now));
  for (uint32_t i = 0; i < EndSlots::kEndsPerSlot; ++i)
    EXPECT_EQ(slots.take(now), now + EndSlots::kSlot);
  EXPECT_EQ(slots.take(now), now + 2 * EndSlots::kSlot);
  EXPECT_FALSE(slots.is_free(now + EndSlots::kSlot)) << "others were promised it";
  const Mono later = now + 3 * EndSlots::kSlot;
  EXPECT_TRUE(slots.is_free(later));
  EXPECT_EQ(slots.take(later), later);
}

TEST(EndSlots, who_has_one_waits_for_it_and_does_not_ask_again) {
  EndSlots slots;
  Mono now{1000s};
  for (uint32_t i = 0; i < EndSlots::kEndsPerSlot; ++i) slots.take(now);
  std::optional<Mono> reserved;
  EXPECT_EQ(wait_for_slot(slots, reserved, now), now + EndSlots::kSlot);
  EXPECT_EQ(wait_for_slot(slots, reserved, now + 1ms), now + EndSlots::kSlot);
  now += EndSlots::kSlot;
  EXPECT_EQ(wait_for_slot(slots, reserved, now), std::nullopt);
  EXPECT_EQ(reserved, std::nullopt);
}

// Many lives whose end is the same moment: by what, the test says.
class ManyEndsTest : public RegistryTest {
 protected:
  static constexpr uint32_t kLives = 3 * EndSlots::kEndsPerSlot + 5;

  static std::string room(uint32_t number) { return "many-" + std::to_string(number); }
  void fill() {
    for (uint32_t i = 0; i < kLives; ++i) enter(joiner("user" + std::to_string(i), room(i)));
  }
  void set_policy(uint32_t number, RoomPolicy policy) {
    SetRoomPolicy command;
    command.app = AppId(kApp);
    command.room = RoomId(room(number));
    command.policy = std::move(policy);
    stored(only<PersistPolicy>(apply(std::move(command))).operation);
  }
  // How many are cut at once, and how many moments it takes until all are.
  void expect_in_slots(Effects first) {
    size_t cut = count_of<CutRoom>(first);
    EXPECT_EQ(cut, EndSlots::kEndsPerSlot);
    int moments = 1;
    for (; cut < kLives && moments < 100; ++moments) {
      const size_t more = count_of<CutRoom>(after(EndSlots::kSlot));
      EXPECT_LE(more, EndSlots::kEndsPerSlot);
      cut += more;
    }
    EXPECT_EQ(cut, kLives);
    EXPECT_EQ(moments, 4);
  }
};

TEST_F(ManyEndsTest, lives_that_end_at_the_same_time_of_day_do_not_end_in_one_turn) {
  fill();
  for (uint32_t i = 0; i < kLives; ++i) {
    RoomPolicy policy;
    policy.end_at = now_.wall + 60s;
    set_policy(i, policy);
  }
  expect_in_slots(after(60s));
}

TEST_F(ManyEndsTest, lives_that_reach_their_longest_duration_together_do_not_either) {
  fill();
  for (uint32_t i = 0; i < kLives; ++i) {
    RoomPolicy policy;
    policy.max_duration = 60s;
    set_policy(i, policy);
  }
  expect_in_slots(after(60s));
}

TEST_F(ManyEndsTest, schedules_of_the_same_moment_do_not_either_and_one_may_still_be_called_off) {
  fill();
  std::vector<ScheduleId> schedules;
  for (uint32_t i = 0; i < kLives; ++i) {
    ScheduleDismissal command;
    command.app = AppId(kApp);
    command.room = RoomId(room(i));
    command.after = 60s;
    const PersistSchedules write = only<PersistSchedules>(apply(std::move(command)));
    schedules.push_back(write.put.at(0).id);
    stored(write.operation);
  }
  expect_in_slots(after(60s));
}

}  // namespace
}  // namespace atrium::domain
