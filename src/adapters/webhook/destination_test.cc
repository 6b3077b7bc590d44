#include "adapters/webhook/destination.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"

namespace atrium::webhook {
namespace {

std::string error_of(std::string_view url) {
  const auto parsed = parse_destination(url);
  return parsed ? "" : parsed.error();
}

TEST(ParseDestination, takes_a_plain_url_apart) {
  const auto parsed = parse_destination("https://Hooks.Example.com/rtc/callback?tenant=7");
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  EXPECT_TRUE(parsed->is_tls);
  EXPECT_EQ(parsed->host, "hooks.example.com");
  EXPECT_EQ(parsed->port, 443);
  EXPECT_EQ(parsed->target, "/rtc/callback?tenant=7");
  EXPECT_EQ(parsed->host_header, "hooks.example.com");
}

TEST(ParseDestination, fills_in_what_a_short_url_leaves_out) {
  const auto parsed = parse_destination("http://example.com");
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  EXPECT_FALSE(parsed->is_tls);
  EXPECT_EQ(parsed->port, 80);
  EXPECT_EQ(parsed->target, "/");
}

TEST(ParseDestination, keeps_a_port_and_names_it_to_the_other_side) {
  const auto parsed = parse_destination("HTTP://example.com:8080?x");
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  EXPECT_EQ(parsed->port, 8080);
  EXPECT_EQ(parsed->target, "/?x");
  EXPECT_EQ(parsed->host_header, "example.com:8080");
}

TEST(ParseDestination, takes_addresses_of_both_families) {
  const auto v4 = parse_destination("http://192.0.2.7:81/a");
  ASSERT_TRUE(v4.has_value()) << v4.error();
  EXPECT_EQ(v4->host, "192.0.2.7");
  const auto v6 = parse_destination("https://[2001:DB8::1]:8443/a");
  ASSERT_TRUE(v6.has_value()) << v6.error();
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->host_header, "[2001:db8::1]:8443");
}

TEST(ParseDestination, keeps_percent_escapes_as_they_are) {
  const auto parsed = parse_destination("https://example.com/a%2Fb%20c?d=%26");
  ASSERT_TRUE(parsed.has_value()) << parsed.error();
  EXPECT_EQ(parsed->target, "/a%2Fb%20c?d=%26");
}

struct BadUrl {
  const char* url;
  const char* says;  // part of the error
};
class BadUrls : public testing::TestWithParam<BadUrl> {};
TEST_P(BadUrls, are_refused_and_the_error_names_what_is_wrong) {
  EXPECT_NE(error_of(GetParam().url).find(GetParam().says), std::string::npos)
      << GetParam().url << ": " << error_of(GetParam().url);
}
INSTANTIATE_TEST_SUITE_P(
    Table, BadUrls,
    testing::Values(
        BadUrl{"", "empty"}, BadUrl{"example.com/callback", "absolute"},
        BadUrl{"/callback", "absolute"}, BadUrl{"ftp://example.com/", "http://"},
        BadUrl{"file:///etc/passwd", "http://"}, BadUrl{"https:/callback", "no host"},
        BadUrl{"https:///callback", "no host"}, BadUrl{"https://:443/", "no host"},
        BadUrl{"https://ann:secret@example.com/", "user"},
        BadUrl{"https://ann@example.com/", "user"}, BadUrl{"https://example.com/#top", "fragment"},
        BadUrl{"https://example.com:0/", "port"}, BadUrl{"https://example.com:65536/", "port"},
        BadUrl{"https://example.com:443a/", "port"}, BadUrl{"https://exa mple.com/", "absolute"},
        BadUrl{"https://example.com/a b", "absolute"},
        BadUrl{"https://example.com/\r\nX: y", "absolute"},
        BadUrl{"https://example.com/%zz", "absolute"},
        BadUrl{"https://ex%61mple.com/", "domain name"},
        BadUrl{"https://-example.com/", "domain name"},
        BadUrl{"https://example..com/", "domain name"}, BadUrl{"https://127.1/", "domain name"},
        BadUrl{"https://2130706433/", "domain name"}, BadUrl{"https://0x7f000001/", "domain name"},
        BadUrl{"https://0177.0.0.1/", "domain name"},
        BadUrl{"https://[v1.fe80::a]/", "domain name or an address"},
        BadUrl{"https://[fe80::1%25eth0]/", ""}, BadUrl{"https://[::1/", "absolute"}));

TEST(ParseDestination, refuses_a_zone_of_an_address) {
  EXPECT_FALSE(parse_destination("https://[fe80::1%25eth0]/").has_value());
}

TEST(ParseDestination, bounds_the_length) {
  std::string url = "https://example.com/";
  url.append(static_cast<size_t>(limits::kWebhookUrlBytesMax) - url.size(), 'a');
  EXPECT_TRUE(parse_destination(url).has_value());
  EXPECT_NE(error_of(url + "a").find("2048"), std::string::npos);
}

TEST(ParseDestination, does_not_repeat_the_url_in_its_errors) {
  EXPECT_EQ(error_of("https://ann:hunter2@example.com/").find("hunter2"), std::string::npos);
}

TEST(ParseDestination, meets_every_prefix_of_a_url_without_harm) {
  const std::string_view url = "https://[2001:db8::1]:8443/a/b%20c?d=e%26f";
  for (size_t length = 0; length < url.size(); ++length) {
    const auto parsed = parse_destination(url.substr(0, length));
    if (parsed) {
      EXPECT_EQ(parsed->host, "2001:db8::1");
    } else {
      EXPECT_FALSE(parsed.error().empty());
    }
  }
}

std::vector<IpPrefix> ranges(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> out;
  for (const char* text : texts) out.push_back(IpPrefix::parse(text).value());
  return out;
}
bool may(const char* address, std::initializer_list<const char*> allowed = {}) {
  return may_connect(IpAddress::parse(address).value(), ranges(allowed));
}

class Refused : public testing::TestWithParam<const char*> {};
TEST_P(Refused, addresses_are_not_called_unless_allowed) {
  EXPECT_FALSE(may(GetParam()));
  EXPECT_TRUE(may(GetParam(), {"203.0.113.99", GetParam()}));
}
INSTANTIATE_TEST_SUITE_P(
    Ipv4, Refused,
    testing::Values("0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.0",
                    "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
                    "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255",
                    "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.1",
                    "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
                    "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0",
                    "239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255"));
INSTANTIATE_TEST_SUITE_P(Ipv6, Refused,
                         testing::Values("::", "::1", "::2", "fc00::1", "fdff:ffff::1",
                                         "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
                                         "feff::1", "ff02::1", "ff0e::1", "100::1", "2001:2::1",
                                         "2001:10::1", "2001:2f::1", "2001:db8::1", "3fff::1",
                                         "5f00::1", "64:ff9b:1::1"));
INSTANTIATE_TEST_SUITE_P(
    Ipv4InIpv6, Refused,
    testing::Values("::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254",
                    "::ffff:0.0.0.0", "::ffff:255.255.255.255", "::127.0.0.1", "::192.168.1.1",
                    "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b::127.0.0.1",
                    "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
                    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1",
                    "2001:0:7f00:1::fefe:fefe",     // Teredo, its server 127.0.0.1
                    "2001:0:808:808::80ff:fffe",    // Teredo, its client 127.0.0.1
                    "2001:0:808:808::5601:5601"));  // Teredo, its client 169.254.169.254

class Public : public testing::TestWithParam<const char*> {};
TEST_P(Public, addresses_are_called) {
  EXPECT_TRUE(may(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Table, Public,
                         testing::Values("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
                                         "100.128.0.0", "126.255.255.255", "128.0.0.0",
                                         "169.253.255.255", "169.255.0.0", "172.15.255.255",
                                         "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255",
                                         "192.169.0.0", "198.17.255.255", "198.20.0.0",
                                         "223.255.255.255", "2600::1", "2001:4860:4860::8888",
                                         "2001:200::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
                                         "2002:101:101::1", "2001:0:808:808::f7f7:f7f7"));

TEST(MayConnect, an_allowed_range_of_ipv4_holds_for_the_mapped_form) {
  EXPECT_TRUE(may("10.1.2.3", {"10.0.0.0/8"}));
  EXPECT_TRUE(may("::ffff:10.1.2.3", {"10.0.0.0/8"}));
  EXPECT_TRUE(may("10.1.2.3", {"::ffff:10.0.0.0/104"}));
}

TEST(MayConnect, an_allowed_range_of_ipv4_opens_no_other_embedding) {
  EXPECT_FALSE(may("64:ff9b::10.1.2.3", {"10.0.0.0/8"}));
  EXPECT_FALSE(may("2002:a01:203::1", {"10.0.0.0/8"}));
  EXPECT_FALSE(may("::10.1.2.3", {"10.0.0.0/8"}));
}

TEST(MayConnect, an_allowed_range_opens_nothing_beside_it) {
  EXPECT_FALSE(may("10.1.3.3", {"10.1.2.0/24"}));
  EXPECT_FALSE(may("::1", {"127.0.0.0/8"}));
}

TEST(MayConnect, everything_is_open_to_who_allows_everything) {
  EXPECT_TRUE(may("127.0.0.1", {"0.0.0.0/0"}));
  EXPECT_FALSE(may("::1", {"0.0.0.0/0"}));
  EXPECT_TRUE(may("::1", {"0.0.0.0/0", "::/0"}));
}

}  // namespace
}  // namespace atrium::webhook
