#include "runtime/http_codec.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace atrium::runtime {
namespace {

using Step = HttpRequestReader::Step;
using node::HttpFault;

HttpRequestReader reader() {
  return {node::Listener::Public, SocketAddress{}};
}

// The fault that `bytes` end in; nullopt when they do not.
std::optional<HttpFault> fault_of(std::string bytes) {
  HttpRequestReader r(node::Listener::Public, SocketAddress{});
  while (true) {
    const Step step = r.read(bytes);
    if (step == Step::Fault) return r.fault();
    if (step != Step::Head) return std::nullopt;
  }
}

const std::string kPost =
    "POST /?Action=X HTTP/1.1\r\nHost: a\r\nX-Name:  padded \r\nContent-Length: 5\r\n\r\nhello";

TEST(HttpRequestReader, gives_names_and_values_as_sent_and_the_body) {
  auto r = reader();
  std::string bytes = kPost + "GET";
  ASSERT_EQ(r.read(bytes), Step::Head);
  EXPECT_TRUE(r.has_body());
  ASSERT_EQ(r.read(bytes), Step::Complete);
  const node::HttpRequest request = r.take_request();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/?Action=X");
  ASSERT_EQ(request.headers.size(), 3u);
  EXPECT_EQ(request.headers[1], (std::pair<std::string, std::string>("X-Name", "padded")));
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(bytes, "GET") << "what follows belongs to the next request";
}

TEST(HttpRequestReader, waits_at_every_truncation_and_then_completes) {
  for (size_t cut = 0; cut < kPost.size(); ++cut) {
    auto r = reader();
    std::string bytes = kPost.substr(0, cut);
    Step step = r.read(bytes);
    if (step == Step::Head) step = r.read(bytes);
    ASSERT_EQ(step, Step::NeedMore) << cut;
    bytes += kPost.substr(cut);
    step = r.read(bytes);
    if (step == Step::Head) step = r.read(bytes);
    ASSERT_EQ(step, Step::Complete) << cut;
    ASSERT_EQ(r.request().body, "hello") << cut;
  }
}

TEST(HttpRequestReader, reads_byte_by_byte_with_chunks_and_a_trailer) {
  auto r = reader();
  const std::string all =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n";
  std::string bytes;
  Step last = Step::NeedMore;
  for (char c : all) {
    bytes.push_back(c);
    last = r.read(bytes);
    ASSERT_NE(last, Step::Fault);
  }
  EXPECT_EQ(last, Step::Complete);
  EXPECT_EQ(r.request().body, "abcde");
  EXPECT_EQ(r.request().headers.size(), 2u) << "trailer fields are not headers";
}

TEST(HttpRequestReader, refuses_what_could_be_read_in_two_ways) {
  // RFC 9112 section 6.3 and 11.2: request smuggling lives here.
  EXPECT_EQ(
      fault_of(
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
      HttpFault::Malformed);
  EXPECT_EQ(
      fault_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
      HttpFault::Malformed);
  EXPECT_EQ(fault_of("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n"),
            HttpFault::Malformed);
  EXPECT_EQ(fault_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
            HttpFault::UnsupportedTransferEncoding);
  EXPECT_EQ(fault_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
            HttpFault::UnsupportedTransferEncoding);
  EXPECT_EQ(fault_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            HttpFault::UnsupportedTransferEncoding);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), HttpFault::Malformed);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\n\r\n"), HttpFault::Malformed) << "no Host";
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), HttpFault::Malformed);
  EXPECT_EQ(fault_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), HttpFault::Malformed);
  EXPECT_EQ(fault_of("GET /\r\nHost: a\r\n\r\n"), HttpFault::Malformed);
  EXPECT_EQ(fault_of("\x16\x03\x01\x02\r\n\r\n"), HttpFault::Malformed) << "TLS on a plain port";
}

TEST(HttpRequestReader, bounds_the_line_the_headers_and_their_number) {
  const auto line_max = static_cast<size_t>(limits::kHttpRequestLineBytesMax);
  const auto head_max = static_cast<size_t>(limits::kHttpHeaderBytesMax);
  EXPECT_EQ(fault_of("GET /" + std::string(line_max, 'a')), HttpFault::RequestLineTooLong);
  EXPECT_EQ(fault_of("GET /" + std::string(line_max - 100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"),
            std::nullopt);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(head_max, 'a')),
            HttpFault::HeadersTooLong);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < limits::kHttpHeadersMax; ++i) many += "A: 1\r\n";
  EXPECT_EQ(fault_of(many + "\r\n"), HttpFault::HeadersTooLong);
}

// Long targets take another way than short ones, to the same end.
TEST(HttpRequestReader, long_target_is_read_as_a_short_one_is) {
  const std::string filling(2'000, 'a');
  for (const std::string& filler : {std::string(), filling}) {
    const std::string target = "/x?" + filler + "%20&b=\"<>";
    const std::string head = " HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    for (size_t split : {size_t{0}, size_t{3}, filler.size() + 10, filler.size() + 25}) {
      auto r = reader();
      std::string bytes = "GET " + target + head;
      std::string second = bytes.substr(split);
      bytes.resize(split);
      r.read(bytes);
      bytes += second;
      ASSERT_EQ(r.read(bytes), Step::Head) << split;
      EXPECT_EQ(r.request().target, target);
      EXPECT_EQ(r.request().method, "GET");
      ASSERT_EQ(r.request().headers.size(), 2u);
      EXPECT_EQ(r.request().headers[1].second, "c");
      std::string next = "POST /short HTTP/1.1\r\nHost: a\r\n\r\n";
      r.next_request();
      ASSERT_EQ(r.read(next), Step::Head);
      EXPECT_EQ(r.request().target, "/short");
    }
    for (const char* bad : {"\x01", "\x7f", "\t", " y"})
      EXPECT_EQ(fault_of("GET /" + filler + bad + head), HttpFault::Malformed) << int{bad[0]};
    EXPECT_EQ(fault_of("GET /" + filler + "\xc3\xa9" + head), std::nullopt);
    EXPECT_EQ(fault_of("GET http://a/" + filler + head), std::nullopt);
    EXPECT_EQ(fault_of("GET /" + filler + " HTTP/9.9\r\nHost: a\r\n\r\n"), HttpFault::Malformed);
    EXPECT_EQ(fault_of("GET  /" + filler + head), HttpFault::Malformed);
    EXPECT_EQ(fault_of("G\"T /" + filler + head), HttpFault::Malformed);
    EXPECT_EQ(fault_of("GET /" + filler + "\r\nHost: a\r\n\r\n"), HttpFault::Malformed);
  }
  // A long target counts in what the head may have.
  const auto rest = static_cast<size_t>(limits::kHttpHeaderBytesMax) - 40'000;
  const auto with = [&](size_t field) {
    return "GET /" + std::string(40'000, 'a') + " HTTP/1.1\r\nHost: a\r\nA: " +
           std::string(field, 'a') + "\r\n\r\n";
  };
  EXPECT_EQ(fault_of(with(rest + 100)), HttpFault::HeadersTooLong);
  EXPECT_EQ(fault_of(with(rest - 100)), std::nullopt);
}

TEST(HttpRequestReader, bounds_bodies_of_both_kinds) {
  const auto body_max = static_cast<size_t>(limits::kHttpBodyBytesMax);
  auto r = reader();
  std::string bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body_max + 1) + "\r\n\r\n";
  ASSERT_EQ(r.read(bytes), Step::Head);
  EXPECT_TRUE(r.is_body_too_long());
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(fault_of(chunked + "fffffff\r\n"), HttpFault::BodyTooLong);
  std::string half(body_max / 2 + 1, 'x');
  const std::string piece = "20001\r\n" + half + "\r\n";
  ASSERT_EQ(half.size(), 0x20001u);
  EXPECT_EQ(fault_of(chunked + piece + piece), HttpFault::BodyTooLong);
  EXPECT_EQ(fault_of(chunked + std::string(70'000, '0')), HttpFault::HeadersTooLong)
      << "an endless chunk size";
}

TEST(HttpRequestReader, tells_upgrades_from_requests) {
  const std::string fields =
      "Host: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
      "13\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  auto r = reader();
  std::string bytes = "GET /rtc HTTP/1.1\r\n" + fields + key;
  ASSERT_EQ(r.read(bytes), Step::Head);
  EXPECT_TRUE(r.request().is_websocket_upgrade);
  EXPECT_EQ(fault_of("GET /rtc HTTP/1.1\r\n" + fields + "\r\n"), HttpFault::Malformed) << "no key";
  auto plain = reader();
  bytes = "POST /rtc HTTP/1.1\r\n" + fields + key;
  ASSERT_EQ(plain.read(bytes), Step::Head);
  EXPECT_FALSE(plain.request().is_websocket_upgrade);
}

TEST(HttpRequestReader, knows_how_long_the_connection_lives) {
  const auto keeps = [](std::string bytes) {
    HttpRequestReader r(node::Listener::Public, SocketAddress{});
    EXPECT_EQ(r.read(bytes), Step::Head);
    return r.wants_keep_alive();
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"))
      << "empty lines before a request are forgiven";
}

TEST(ResponseHead, leaves_out_headers_that_would_split_the_answer) {
  node::HttpResponse response{.status = 403,
                              .headers = {{"A", "1"}, {"B", "x\r\nSet-Cookie: y"}},
                              .body = "no",
                              .close = true};
  EXPECT_EQ(response_head(response, {.date = "D", .keep_alive = false}),
            "HTTP/1.1 403 Forbidden\r\nA: 1\r\nDate: D\r\nContent-Length: 2\r\nConnection: "
            "close\r\n\r\n");
  node::HttpResponse empty;
  empty.status = 204;
  EXPECT_EQ(response_head(empty, {.date = "D"}), "HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n");
}

TEST(Frames, have_the_three_lengths_of_rfc_6455) {
  EXPECT_EQ(frame_header(FrameKind::Binary, 125), std::string("\x82\x7d", 2));
  EXPECT_EQ(frame_header(FrameKind::Binary, 126), std::string("\x82\x7e\x00\x7e", 4));
  EXPECT_EQ(frame_header(FrameKind::Text, 65'536), std::string("\x81\x7f\0\0\0\0\0\x01\0\0", 10));
  EXPECT_EQ(close_frame(4011), std::string("\x88\x02\x0f\xab", 4));
  EXPECT_EQ(ping_frame(), std::string("\x89\0", 2));
}

}  // namespace
}  // namespace atrium::runtime
