#include "node/overflow_sender.h"

#include <gtest/gtest.h>

#include <vector>

namespace atrium::node {
namespace {

// A ring of which the test says how many values it takes.
class SmallRing final : public Sender<int> {
 public:
  bool try_send(int& value) override {
    if (room == 0) return false;
    --room;
    taken.push_back(value);
    return true;
  }
  size_t room = 0;
  std::vector<int> taken;
};

TEST(OverflowSender, keeps_the_order_when_the_ring_is_full_for_a_while) {
  SmallRing ring;
  ring.room = 1;
  OverflowSender<int> sender(ring, 10);
  EXPECT_TRUE(sender.send(1));
  EXPECT_TRUE(sender.send(2));
  EXPECT_TRUE(sender.send(3));
  ring.room = 1;
  EXPECT_TRUE(sender.send(4));  // 2 goes; 4 waits behind 3
  ring.room = 9;
  EXPECT_TRUE(sender.flush());
  EXPECT_EQ(ring.taken, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_TRUE(sender.is_empty());
}

TEST(OverflowSender, says_so_when_its_bound_is_met) {
  SmallRing ring;
  OverflowSender<int> sender(ring, 2);
  EXPECT_TRUE(sender.send(1));
  EXPECT_TRUE(sender.send(2));
  EXPECT_FALSE(sender.send(3));
  ring.room = 9;
  EXPECT_TRUE(sender.flush());
  EXPECT_EQ(ring.taken, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace atrium::node
