// Records on their way to the store: none is lost, none goes twice, and there is a bound.
#include "node/audit_trail.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

using namespace std::chrono_literals;

class AuditTrailTest : public ::testing::Test {
 protected:
  static domain::AuditEntry entry(const std::string& request) {
    return {.action = "DismissRoom", .request_id = request};
  }
  std::vector<domain::AuditEntry> written() {
    std::vector<domain::AuditEntry> out;
    StoreRequest request;
    while (ring_.try_receive(request))
      for (auto& one : std::get<store::WriteRequest>(request).audit) out.push_back(std::move(one));
    return out;
  }
  static IpAddress from(const char* text) { return IpAddress::parse(text).value(); }

  Now now_{Mono(1000s), wall_from_unix_s(1'795'386'900)};
  TightRing<StoreRequest> ring_;
  OverflowSender<StoreRequest> to_store_{ring_, 4};
  AuditTrail trail_{to_store_, 5'000};
};

TEST_F(AuditTrailTest, records_of_one_moment_go_together_and_in_their_order) {
  trail_.note(entry("a"));
  trail_.flush(now_);
  trail_.note(entry("b"));
  trail_.note(entry("c"));
  trail_.flush(now_);
  EXPECT_EQ(written().size(), 1u) << "the next go when their time has come";
  ASSERT_NE(trail_.next_deadline(), kNever);
  now_.mono = trail_.next_deadline();
  trail_.flush(now_);
  const auto rest = written();
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].request_id, "b");
  EXPECT_EQ(rest[1].request_id, "c");
  EXPECT_EQ(trail_.next_deadline(), kNever);
}

TEST_F(AuditTrailTest, a_store_that_is_behind_is_waited_for_up_to_the_bound) {
  ring_.room = 1;
  size_t noted = 0;
  for (; !trail_.is_full(); ++noted) {
    trail_.note(entry(std::to_string(noted)));
    if (noted % 100 == 0) trail_.flush_early();
  }
  EXPECT_GE(noted, 5'000u);
  ring_.room = 1'000;
  std::vector<domain::AuditEntry> all;
  for (int turn = 0; turn < 100; ++turn) {
    to_store_.flush();
    trail_.flush_early();
    for (auto& one : written()) all.push_back(std::move(one));
  }
  ASSERT_EQ(all.size(), noted);
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].request_id, std::to_string(i));
  EXPECT_FALSE(trail_.is_full());
}

TEST_F(AuditTrailTest, strangers_are_counted_per_source_and_minute) {
  for (int i = 0; i < 3; ++i)
    trail_.count_unknown(from("192.0.2.1"), domain::AuditDoor::OpenApi, "InvalidAccessKey", now_);
  trail_.count_unknown(from("192.0.2.2"), domain::AuditDoor::Twirp, "unauthenticated", now_);
  trail_.flush(now_);
  EXPECT_TRUE(written().empty());
  now_.mono += 1min;
  EXPECT_LE(trail_.next_deadline(), now_.mono);
  trail_.flush(now_);
  const auto counted = written();
  ASSERT_EQ(counted.size(), 2u);
  EXPECT_EQ(counted[0].source, "192.0.2.1");
  EXPECT_EQ(counted[0].count, 3u);
  EXPECT_EQ(counted[1].count, 1u);
  EXPECT_EQ(counted[1].door, domain::AuditDoor::Twirp);
}

TEST_F(AuditTrailTest, a_flood_of_sources_has_one_row_more) {
  const auto some = static_cast<uint32_t>(limits::kAuditSourcesMax);
  for (uint32_t i = 0; i < some + 500; ++i) {
    const std::string address = "10." + std::to_string(i >> 16) + "." +
                                std::to_string((i >> 8) & 255) + "." + std::to_string(i & 255);
    trail_.count_unknown(from(address.c_str()), domain::AuditDoor::OpenApi, "SignatureDoesNotMatch",
                         now_);
  }
  ring_.room = 100'000;
  trail_.flush_all(now_);
  const auto counted = written();
  ASSERT_EQ(counted.size(), some + 1);
  const auto others = std::ranges::find(counted, "others", &domain::AuditEntry::source);
  ASSERT_NE(others, counted.end());
  EXPECT_EQ(others->count, 500u);
}

}  // namespace
}  // namespace atrium::node::testing
