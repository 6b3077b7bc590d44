#include "node/sctp_worker.h"

#include <gtest/gtest.h>

#include "node/tight_ring_testing.h"

namespace atrium::node {
namespace {

using namespace std::chrono_literals;
using media::DropReason;
using testing::TightRing;

class SctpWorkerTest : public ::testing::Test {
 protected:
  void command(media::SctpCommand what) { commands_.values.push_back(std::move(what)); }
  uint64_t told(DropReason reason) const {
    uint64_t count = 0;
    for (const media::SctpEvent& event : events_.values)
      if (const auto* dropped = std::get_if<media::SctpDropped>(&event))
        if (dropped->reason == reason) count += dropped->count;
    return count;
  }

  const Now now_{Mono(1000s), wall_from_unix_s(1'795'386'900)};
  TightRing<media::SctpCommand> commands_;
  TightRing<media::SctpEvent> events_;
  SctpWorker worker_{{{commands_, events_}}};
};

TEST_F(SctpWorkerTest, what_sctp_drops_is_told_to_a_shard_once) {
  for (int n = 0; n < 3; ++n)
    command(media::SctpSend{TransportId{9}, media::DataLabel::Reliable, Bytes(3, 1)});
  worker_.on_wake(now_);
  EXPECT_EQ(told(DropReason::SctpUnknownTransport), 3u);
  worker_.on_wake(now_);
  EXPECT_EQ(told(DropReason::SctpUnknownTransport), 3u);
}

TEST_F(SctpWorkerTest, packets_that_find_the_ring_full_are_counted_and_told_when_there_is_room) {
  events_.room = 0;
  for (uint64_t n = 1; n <= 3; ++n) command(media::SctpOpen{TransportId{n}, true});
  worker_.on_wake(now_);  // three INITs: the first waits
  EXPECT_TRUE(events_.values.empty());
  events_.room = 1'000;
  worker_.on_wake(now_);
  EXPECT_EQ(told(DropReason::SctpRingFull), 2u);
}

}  // namespace
}  // namespace atrium::node
