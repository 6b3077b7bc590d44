#include "domain/bans.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace atrium::domain {
namespace {

const AppId kApp("app1"), kOther("app2");

BanRule rule(std::string id, BanTarget target, AppId app = kApp) {
  return {.id = BanId(std::move(id)),
          .app = std::move(app),
          .target = std::move(target),
          .operator_id = {},
          .reason = {},
          .created_at = {},
          .expires_at = Wall(100s)};
}
BanTarget room(const char* name) {
  return {.room = RoomId(name), .user = {}, .ip = {}};
}
BanTarget user(const char* name) {
  return {.room = {}, .user = UserId(name), .ip = {}};
}
BanTarget seat(const char* in, const char* who) {
  return {.room = RoomId(in), .user = UserId(who), .ip = {}};
}
BanTarget range(const char* text) {
  return {.room = {}, .user = {}, .ip = IpPrefix::parse(text)};
}

Joiner joiner(const char* in, const char* who, const char* from = nullptr) {
  Joiner out;
  out.app = kApp;
  out.room = RoomId(in);
  out.user = UserId(who);
  if (from != nullptr) out.address = IpAddress::parse(from);
  return out;
}

std::optional<ClientCode> code(const Bans& bans, const Joiner& who) {
  const auto match = bans.match(who);
  return match ? std::optional(match->code) : std::nullopt;
}

TEST(Bans, keep_out_whom_they_name_and_nobody_else) {
  Bans bans;
  ASSERT_TRUE(bans.put(rule("1", room("r1")), Mono(1s)));
  ASSERT_TRUE(bans.put(rule("2", user("eve")), Mono(1s)));
  ASSERT_TRUE(bans.put(rule("3", seat("r2", "bob")), Mono(1s)));
  EXPECT_EQ(code(bans, joiner("r1", "ann")), ClientCode::RoomForbidden);
  EXPECT_EQ(code(bans, joiner("r1", "eve")), ClientCode::RoomForbidden) << "the room answers first";
  EXPECT_EQ(code(bans, joiner("r2", "eve")), ClientCode::UserForbidden);
  EXPECT_EQ(code(bans, joiner("r2", "bob")), ClientCode::UserForbidden);
  EXPECT_EQ(code(bans, joiner("r3", "bob")), std::nullopt);
  EXPECT_EQ(code(bans, joiner("r2", "ann")), std::nullopt);
  Joiner elsewhere = joiner("r1", "eve");
  elsewhere.app = kOther;
  EXPECT_EQ(code(bans, elsewhere), std::nullopt);
  bans.check_invariants();
}

TEST(Bans, know_address_ranges_of_both_families) {
  Bans bans;
  bans.put(rule("1", range("192.0.2.0/24")), Mono(1s));
  bans.put(rule("2", range("198.51.100.7")), Mono(1s));
  bans.put(rule("3", range("2001:db8::/32")), Mono(1s));
  for (const char* from : {"192.0.2.200", "::ffff:192.0.2.200", "198.51.100.7", "2001:db8:1::9"})
    EXPECT_EQ(code(bans, joiner("r", "u", from)), ClientCode::UserForbidden) << from;
  for (const char* from : {"192.0.3.1", "198.51.100.8", "2001:db9::1", "::1"})
    EXPECT_EQ(code(bans, joiner("r", "u", from)), std::nullopt) << from;
  EXPECT_EQ(code(bans, joiner("r", "u")), std::nullopt) << "of an unknown address";
  EXPECT_FALSE(bans.match(kOther, *IpAddress::parse("192.0.2.1")).has_value());
  EXPECT_TRUE(bans.erase(kApp, BanId("1")));
  EXPECT_EQ(code(bans, joiner("r", "u", "192.0.2.200")), std::nullopt);
  bans.check_invariants();
}

TEST(Bans, are_erased_by_id_in_their_app_alone_and_when_they_run_out) {
  Bans bans;
  bans.put(rule("1", room("r1")), Mono(1s));
  bans.put(rule("2", room("r2")), Mono(2s));
  EXPECT_FALSE(bans.erase(kOther, BanId("1")));
  EXPECT_FALSE(bans.erase(kApp, BanId("3")));
  EXPECT_EQ(bans.next_expiry(), Mono(1s));
  bans.erase_expired(Mono(1s));
  EXPECT_EQ(bans.size(), 1u);
  EXPECT_EQ(code(bans, joiner("r1", "ann")), std::nullopt);
  EXPECT_EQ(code(bans, joiner("r2", "ann")), ClientCode::RoomForbidden);
  EXPECT_TRUE(bans.erase(kApp, BanId("2")));
  EXPECT_EQ(bans.next_expiry(), kNever);
  bans.check_invariants();
}

TEST(Bans, have_one_rule_for_a_target) {
  Bans bans;
  bans.put(rule("1", seat("r1", "bob")), Mono(1s));
  bans.put(rule("2", seat("r1", "bob")), Mono(5s));
  EXPECT_EQ(bans.size(), 1u);
  EXPECT_EQ(bans.find(kApp, seat("r1", "bob"))->id, BanId("2"));
  EXPECT_EQ(bans.next_expiry(), Mono(5s));
  EXPECT_FALSE(bans.contains(kApp, BanId("1")));
  bans.check_invariants();
}

}  // namespace
}  // namespace atrium::domain
