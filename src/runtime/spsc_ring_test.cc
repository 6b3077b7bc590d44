#include "runtime/spsc_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace atrium::runtime {
namespace {

struct CountingWaker final : node::Waker {
  void wake() override { ++wakes; }
  int wakes = 0;
};

TEST(SpscRing, keeps_order_and_refuses_when_full) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.try_push(i));
  int extra = 4;
  EXPECT_FALSE(ring.try_push(extra));
  int out = -1;
  EXPECT_TRUE(ring.try_pop(out));
  EXPECT_EQ(out, 0);
  EXPECT_TRUE(ring.try_push(extra));
  for (int want = 1; want <= 4; ++want) {
    ASSERT_TRUE(ring.try_pop(out));
    EXPECT_EQ(out, want);
  }
  EXPECT_FALSE(ring.try_pop(out));
}

TEST(SpscRing, leaves_the_value_with_the_sender_when_it_refuses) {
  SpscRing<std::unique_ptr<int>> ring(1);
  auto first = std::make_unique<int>(1), second = std::make_unique<int>(2);
  EXPECT_TRUE(ring.try_push(first));
  EXPECT_FALSE(ring.try_push(second));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(SpscRing, destroys_what_nobody_took) {
  auto shared = std::make_shared<int>(7);
  {
    SpscRing<std::shared_ptr<int>> ring(8);
    auto copy = shared;
    EXPECT_TRUE(ring.try_push(copy));
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(SpscRing, rounds_its_capacity_up_to_a_power_of_two) {
  EXPECT_EQ(SpscRing<int>(1).capacity(), 1u);
  EXPECT_EQ(SpscRing<int>(5).capacity(), 8u);
}

TEST(RingChannel, wakes_the_receiver_for_each_value_sent_and_not_when_full) {
  CountingWaker waker;
  RingChannel<int> channel(2, waker);
  int value = 5;
  EXPECT_TRUE(channel.sender.try_send(value));
  EXPECT_TRUE(channel.sender.try_send(value));
  EXPECT_FALSE(channel.sender.try_send(value));
  EXPECT_EQ(waker.wakes, 2);
  int out = 0;
  EXPECT_TRUE(channel.receiver.try_receive(out));
  EXPECT_EQ(out, 5);
}

TEST(SpscRing, carries_every_value_once_and_in_order_between_two_threads) {
  constexpr int kValues = 200'000;
  SpscRing<std::unique_ptr<int>> ring(64);
  std::thread sender([&] {
    for (int i = 0; i < kValues; ++i) {
      auto value = std::make_unique<int>(i);
      while (!ring.try_push(value)) std::this_thread::yield();
    }
  });
  int mismatches = 0;
  for (int want = 0; want < kValues;) {
    std::unique_ptr<int> value;
    if (!ring.try_pop(value)) {
      std::this_thread::yield();
      continue;
    }
    if (*value != want++) ++mismatches;
  }
  sender.join();
  EXPECT_EQ(mismatches, 0);
  EXPECT_EQ(ring.approximate_size(), 0u);
}

}  // namespace
}  // namespace atrium::runtime
