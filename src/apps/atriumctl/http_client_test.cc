#include "apps/atriumctl/http_client.h"

#include <gtest/gtest.h>

namespace atrium::atriumctl {
namespace {

TEST(EndpointText, is_a_url_of_http_or_https) {
  const auto plain = parse_endpoint("http://127.0.0.1:7880");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->host, "127.0.0.1");
  EXPECT_EQ(plain->port, "7880");
  EXPECT_EQ(plain->authority(), "127.0.0.1:7880");
  EXPECT_EQ(parse_endpoint("http://rtc.example/")->authority(), "rtc.example");
  EXPECT_EQ(parse_endpoint("http://[::1]:7880")->host, "::1");
  EXPECT_EQ(parse_endpoint("http://[::1]:7880")->authority(), "[::1]:7880");
  EXPECT_EQ(parse_endpoint("http://[2001:db8::1]")->authority(), "[2001:db8::1]");
  EXPECT_FALSE(plain->is_tls);
  const auto tls = parse_endpoint("https://rtc.example/");
  ASSERT_TRUE(tls.has_value());
  EXPECT_TRUE(tls->is_tls);
  EXPECT_EQ(tls->port, "443");
  EXPECT_EQ(tls->authority(), "rtc.example");
  EXPECT_EQ(parse_endpoint("https://rtc.example:80")->authority(), "rtc.example:80");
}

TEST(EndpointText, of_any_other_form_is_refused) {
  for (const char* url : {"", "127.0.0.1:7880", "http://", "http://:80", "http://h:", "http://h:x",
                          "http://h:123456", "http://h/path", "http://u@h", "ftp://h", "http://h?x",
                          "http://[::1", "https://", "https://h/path"})
    EXPECT_FALSE(parse_endpoint(url).has_value()) << url;
}

std::string body_of(std::string_view text, bool at_end) {
  const auto reply = parse_reply(text, at_end);
  if (!reply) return "malformed";
  return *reply ? (*reply)->body : "more";
}

TEST(Reply, ends_where_its_length_says) {
  const std::string text =
      "HTTP/1.1 404 Not Found\r\nContent-Type: a\r\ncontent-length: 5\r\n\r\nhello";
  const auto reply = parse_reply(text, false);
  ASSERT_TRUE(reply.has_value() && reply->has_value());
  EXPECT_EQ((*reply)->status, 404);
  EXPECT_EQ((*reply)->body, "hello");
  EXPECT_EQ((*reply)->header("CONTENT-TYPE"), "a");
}

TEST(Reply, waits_for_more_at_every_truncation_and_is_broken_when_none_comes) {
  for (const std::string text :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n"}) {
    EXPECT_EQ(body_of(text, false), "hello");
    for (size_t length = 0; length < text.size(); ++length) {
      EXPECT_EQ(body_of(std::string_view(text).substr(0, length), false), "more") << length;
      EXPECT_EQ(body_of(std::string_view(text).substr(0, length), true), "malformed") << length;
    }
  }
}

TEST(Reply, without_a_length_ends_with_the_connection) {
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\n\r\nhello", false), "more");
  EXPECT_EQ(body_of("HTTP/1.1 200 OK\r\n\r\nhello", true), "hello");
}

TEST(Reply, that_is_not_http_is_refused) {
  for (const char* text :
       {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"})
    EXPECT_EQ(body_of(text, false), "malformed") << text;
}

TEST(Reply, that_announces_too_much_is_refused) {
  const auto reply = parse_reply("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", false);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().kind, ErrorKind::LimitExceeded);
}

TEST(RequestText, carries_headers_length_and_body) {
  const openapi::Request request{
      .method = "POST", .target = "/?a=b", .headers = {{"Host", "h"}}, .body = "{}"};
  EXPECT_EQ(request_text(request),
            "POST /?a=b HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
}

}  // namespace
}  // namespace atrium::atriumctl
