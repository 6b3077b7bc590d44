// The HTTP server behind a proxy that speaks the PROXY protocol.
#include <gtest/gtest.h>

#include <atomic>

#include "runtime/http_server_fixture.h"
#include "runtime/proxy_header_test_bytes.h"

namespace atrium::runtime {
namespace {

HttpServerOptions behind(const char* proxies, HttpTimes times = {}) {
  HttpServerOptions options{.public_addresses = {}, .operator_addresses = {}, .times = times};
  options.has_proxy_headers = true;
  options.trusted_proxies = {*IpPrefix::parse(proxies)};
  return options;
}

// What the handler sees of a client whose proxy sends `header`; empty where the connection is closed.
std::string client_seen(Running& running, const std::string& header) {
  Client client(running.address());
  client.send(header + "GET /peer" + kHost + "\r\n");
  return body_of(client.read_until("|"));
}

uint64_t refused(Running& running, const std::string& header = {}) {
  std::atomic<uint64_t> count = 0;
  running.on_call = [&](HttpServer& server) { count = server.counters().proxy_headers_refused; };
  Client client(running.address());
  client.send(header + "GET /call" + kHost + "\r\n");
  client.read_until("/call ");
  return count;
}

TEST(ProxyServer, takes_the_clients_address_from_the_header) {
  Running running(behind("127.0.0.0/8"));
  EXPECT_EQ(client_seen(running, proxy_from("203.0.113.9", 4711)), "203.0.113.9:4711|proxied");
  EXPECT_EQ(client_seen(running, proxy_from("2001:db8::7", 1)), "[2001:db8::7]:1|proxied");
}

TEST(ProxyServer, keeps_the_sockets_own_where_the_header_names_nobody) {
  Running running(behind("127.0.0.0/8"));
  for (const std::string& header : {proxy_header(0x20, 0, ""), proxy_header(0x21, 0, "tlvs")}) {
    const std::string seen = client_seen(running, header);
    EXPECT_TRUE(seen.starts_with("127.0.0.1:") && seen.ends_with("|own")) << seen;
  }
}

TEST(ProxyServer, names_the_client_in_every_request_of_the_connection) {
  Running running(behind("127.0.0.0/8"));
  Client client(running.address());
  const std::string header = proxy_from("203.0.113.9", 4711);
  for (const char byte : header) client.send({&byte, 1});
  for (int i = 0; i < 2; ++i) {
    client.send("GET /peer" + kHost + "\r\n");
    EXPECT_EQ(body_of(client.read_until("proxied")), "203.0.113.9:4711|proxied");
  }
}

TEST(ProxyServer, closes_and_counts_what_has_no_good_header) {
  Running running(behind("127.0.0.0/8"));
  uint64_t expected = 0;
  for (const std::string& header :
       {std::string(), std::string("PROXY TCP4 203.0.113.9 127.0.0.1 4711 7880\r\n"),
        proxy_header(0x31, 0x11, std::string(12, 'x')), proxy_header(0x21, 0x11, "short"),
        proxy_from("1.2.3.4", 5, std::string(5'000, 'x'))}) {
    EXPECT_EQ(client_seen(running, header), "");
    EXPECT_EQ(refused(running, proxy_header(0x20, 0, "")), ++expected);
  }
  Client cut(running.address());
  cut.send(proxy_from("1.2.3.4", 5).substr(0, 20));
  cut.shut_sending();
  EXPECT_EQ(cut.read_to_end(), "");
  EXPECT_EQ(refused(running, proxy_header(0x20, 0, "")), ++expected) << "truncated";
  Client silent(running.address());
  silent.shut_sending();
  EXPECT_EQ(silent.read_to_end(), "");
  EXPECT_EQ(refused(running, proxy_header(0x20, 0, "")), expected) << "a probe is no fault";
}

TEST(ProxyServer, does_not_wait_for_a_slow_header) {
  HttpTimes times;
  times.proxy_header = 60ms;
  Running running(behind("127.0.0.0/8", times));
  Client slow(running.address());
  const Mono begun = read_clock().mono;
  slow.send("\r\n\r\n");
  EXPECT_EQ(slow.read_to_end(), "");
  EXPECT_LT(read_clock().mono - begun, 4s);
  EXPECT_EQ(refused(running, proxy_header(0x20, 0, "")), 1u);
}

TEST(ProxyServer, believes_nobody_but_the_trusted) {
  Running running(behind("192.0.2.0/24"));
  const std::string seen = client_seen(running, "");
  EXPECT_TRUE(seen.starts_with("127.0.0.1:") && seen.ends_with("|own")) << seen;
  Client client(running.address());
  client.send(proxy_from("203.0.113.9", 4711) + "GET /peer" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_to_end()), "fault 0") << "malformed HTTP";
  EXPECT_EQ(refused(running), 0u);
}

TEST(ProxyServer, believes_others_from_the_next_connection_on) {
  Running running(behind("192.0.2.0/24"));
  running.on_call = [](HttpServer& server) {
    server.trust_proxies({*IpPrefix::parse("127.0.0.1")});
  };
  Client client(running.address());
  client.send("GET /call" + kHost + "\r\n");
  client.read_until("/call ");
  EXPECT_EQ(client_seen(running, proxy_from("203.0.113.9", 4711)), "203.0.113.9:4711|proxied");
  client.send("GET /peer" + kHost + "\r\n");
  EXPECT_TRUE(body_of(client.read_until("|own")).ends_with("|own"));
}

TEST(ProxyServer, reads_no_header_unless_told_so_nor_from_the_operator) {
  HttpServerOptions options = behind("127.0.0.0/8");
  options.has_proxy_headers = false;
  Running running(std::move(options));
  EXPECT_TRUE(client_seen(running, "").ends_with("|own"));
  Running other(behind("127.0.0.0/8"));
  Client client(other.address(node::Listener::Operator));
  client.send("GET /peer" + kHost + "\r\n");
  EXPECT_TRUE(body_of(client.read_until("|own")).ends_with("|own"));
}

}  // namespace
}  // namespace atrium::runtime
