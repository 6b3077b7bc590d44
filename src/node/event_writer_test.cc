// Events on their way to the store: in their order, soon, and never unbounded.
#include "node/event_writer.h"

#include <gtest/gtest.h>

#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

using namespace std::chrono_literals;

class EventWriterTest : public ::testing::Test {
 protected:
  static domain::Event event(int number, const char* app = "app") {
    domain::Event out;
    out.id = EventId("EV_" + std::to_string(number));
    out.app = AppId(app);
    return out;
  }
  std::vector<std::string> written() {
    std::vector<std::string> out;
    StoreRequest request;
    while (ring_.try_receive(request)) {
      const auto& events = std::get<store::WriteRequest>(request).events;
      EXPECT_LE(events.size(), static_cast<size_t>(limits::kEventBatchMax));
      for (const domain::Event& one : events) out.push_back(one.id.value);
    }
    return out;
  }
  using Ids = std::vector<std::string>;

  Mono now_{1000s};
  TightRing<StoreRequest> ring_;
  OverflowSender<StoreRequest> to_store_{ring_, 2};
  EventWriter writer_{to_store_, 3'000};
};

TEST_F(EventWriterTest, what_clients_cause_is_sent_within_the_promised_time) {
  writer_.note(event(1));
  writer_.flush(now_);
  EXPECT_EQ(written(), Ids{"EV_1"});
  writer_.note(event(2));
  writer_.flush(now_ + 1ms);
  EXPECT_EQ(written(), Ids{});
  EXPECT_LE(writer_.next_deadline(), now_ + 100ms) << "committed within 100 ms";
  writer_.flush(writer_.next_deadline());
  EXPECT_EQ(written(), Ids{"EV_2"});
  EXPECT_EQ(writer_.next_deadline(), kNever);
}

TEST_F(EventWriterTest, what_a_call_causes_goes_behind_all_that_waits) {
  writer_.note(event(1));
  writer_.note(event(2));
  store::WriteRequest write;
  writer_.take_along(write, {event(3)});
  ASSERT_EQ(write.events.size(), 3u);
  EXPECT_EQ(write.events[0].id, EventId("EV_1"));
  EXPECT_EQ(write.events[2].id, EventId("EV_3"));
  writer_.flush_early(now_);
  EXPECT_EQ(written(), Ids{}) << "none goes twice";
}

TEST_F(EventWriterTest, a_store_that_is_behind_loses_nothing_up_to_the_bound_and_counts_beyond) {
  ring_.room = 0;
  for (int i = 0; i < 8'000; ++i) {
    writer_.note(event(i));
    if (i % 500 == 0) writer_.flush_early(now_);
  }
  const EventCounters behind = writer_.counters();
  EXPECT_GT(behind.lost, 0u);
  EXPECT_LE(behind.waiting, 3'000u);
  ring_.room = 1'000;
  to_store_.flush();
  writer_.flush_early(now_);
  const Ids all = written();
  EXPECT_EQ(all.size() + behind.lost, 8'000u);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], "EV_" + std::to_string(i));
}

TEST_F(EventWriterTest, says_whose_events_went_and_when_trouble_is_over) {
  writer_.note(event(1, "one"));
  writer_.note(event(2, "two"));
  writer_.flush_early(now_);
  EXPECT_EQ(writer_.take_apps(), (std::set{AppId("one"), AppId("two")}));
  EXPECT_TRUE(writer_.take_apps().empty());
  EXPECT_FALSE(writer_.on_written({.events = 2, .ok = true})) << "there was no trouble";
  EXPECT_FALSE(writer_.on_written({.events = 1, .ok = false, .why = "full"}));
  EXPECT_TRUE(writer_.on_written({.events = 1, .ok = true}));
  EXPECT_EQ(writer_.counters().written, 3u);
}

}  // namespace
}  // namespace atrium::node::testing
