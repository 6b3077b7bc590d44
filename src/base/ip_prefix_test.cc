#include "base/ip_prefix.h"

#include <gtest/gtest.h>

namespace atrium {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}
IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}

TEST(IpPrefix, is_read_from_what_operators_write) {
  EXPECT_EQ(prefix("192.0.2.1").text(), "192.0.2.1");
  EXPECT_EQ(prefix("192.0.2.77/24").text(), "192.0.2.0/24");
  EXPECT_EQ(prefix("0.0.0.0/0").text(), "0.0.0.0/0");
  EXPECT_EQ(prefix("2001:db8::1").text(), "2001:db8::1");
  EXPECT_EQ(prefix("2001:db8:ffff::/33").text(), "2001:db8:8000::/33");
  EXPECT_EQ(prefix("::ffff:192.0.2.1").text(), "192.0.2.1");
  EXPECT_EQ(prefix("::ffff:192.0.2.1/120").text(), "192.0.2.0/24");
  for (const char* wrong : {"", "/8", "192.0.2.1/33", "192.0.2.1/-1", "192.0.2.1/", "192.0.2.1/8x",
                            "192.0.2/24", "2001:db8::/129", "host"})
    EXPECT_FALSE(IpPrefix::parse(wrong).has_value()) << wrong;
}

TEST(IpPrefix, contains_its_addresses_and_no_others) {
  EXPECT_TRUE(prefix("192.0.2.0/24").contains(ip("192.0.2.255")));
  EXPECT_FALSE(prefix("192.0.2.0/24").contains(ip("192.0.3.0")));
  EXPECT_TRUE(prefix("192.0.2.0/24").contains(ip("::ffff:192.0.2.9")));
  EXPECT_TRUE(prefix("192.0.2.128/25").contains(ip("192.0.2.200")));
  EXPECT_FALSE(prefix("192.0.2.128/25").contains(ip("192.0.2.127")));
  EXPECT_TRUE(prefix("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  EXPECT_FALSE(prefix("2001:db8::/33").contains(ip("2001:db8:8000::1")));
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(ip("203.0.113.1")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(ip("2001:db8::1")));
}

}  // namespace
}  // namespace atrium
