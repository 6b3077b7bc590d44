#include "node/client_address.h"

#include <gtest/gtest.h>

namespace atrium::node {
namespace {

const std::vector<IpPrefix> kProxies{*IpPrefix::parse("127.0.0.1"), *IpPrefix::parse("10.0.0.0/8")};

std::string seen_from(const char* peer, std::vector<std::string> forwarded,
                      std::span<const IpPrefix> trusted = kProxies) {
  HttpRequest request;
  request.peer.ip = *IpAddress::parse(peer);
  for (std::string& value : forwarded)
    request.headers.emplace_back("X-Forwarded-FOR", std::move(value));
  return client_address(request, trusted).text();
}

TEST(ClientAddress, is_the_peers_own_without_a_trusted_proxy) {
  EXPECT_EQ(seen_from("192.0.2.1", {}), "192.0.2.1");
  EXPECT_EQ(seen_from("192.0.2.1", {"203.0.113.9"}), "192.0.2.1") << "anybody can send that header";
  EXPECT_EQ(seen_from("127.0.0.1", {"203.0.113.9"}, {}), "127.0.0.1");
  EXPECT_EQ(seen_from("::ffff:192.0.2.1", {}), "192.0.2.1");
}

TEST(ClientAddress, is_the_rightmost_hop_that_is_not_trusted) {
  EXPECT_EQ(seen_from("127.0.0.1", {"203.0.113.9"}), "203.0.113.9");
  EXPECT_EQ(seen_from("127.0.0.1", {"198.51.100.1, 203.0.113.9 , 10.1.2.3"}), "203.0.113.9");
  EXPECT_EQ(seen_from("127.0.0.1", {"198.51.100.1", "203.0.113.9,10.1.2.3"}), "203.0.113.9");
  EXPECT_EQ(seen_from("127.0.0.1", {"10.9.9.9, 10.1.2.3"}), "10.9.9.9") << "all trusted: the first";
  EXPECT_EQ(seen_from("127.0.0.1", {}), "127.0.0.1");
}

TEST(ClientAddress, is_what_the_proxy_said_of_the_connection_whatever_the_headers_say) {
  HttpRequest request;
  request.peer.ip = *IpAddress::parse("10.9.9.9");  // a client within the ranges of the proxies
  request.headers.emplace_back("X-Forwarded-For", "203.0.113.9");
  EXPECT_EQ(client_address(request, kProxies).text(), "203.0.113.9");
  request.is_proxied = true;
  EXPECT_EQ(client_address(request, kProxies).text(), "10.9.9.9");
  request.peer.ip = *IpAddress::parse("::ffff:192.0.2.1");
  EXPECT_EQ(client_address(request, kProxies).text(), "192.0.2.1");
}

TEST(ClientAddress, reads_the_forms_that_proxies_write_and_stops_at_others) {
  EXPECT_EQ(seen_from("127.0.0.1", {"203.0.113.9:4711"}), "203.0.113.9");
  EXPECT_EQ(seen_from("127.0.0.1", {"[2001:db8::1]:4711"}), "2001:db8::1");
  EXPECT_EQ(seen_from("127.0.0.1", {"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(seen_from("127.0.0.1", {"203.0.113.9, unknown, 10.1.2.3"}), "10.1.2.3");
  EXPECT_EQ(seen_from("127.0.0.1", {"203.0.113.9,,10.1.2.3"}), "10.1.2.3");
  EXPECT_EQ(seen_from("127.0.0.1", {""}), "127.0.0.1");
  EXPECT_EQ(seen_from("127.0.0.1", {"["}), "127.0.0.1");
}

}  // namespace
}  // namespace atrium::node
