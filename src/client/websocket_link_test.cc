// The client's side of WebSocket, byte by byte as a server might send it.
#include "client/websocket_link.h"

#include <gtest/gtest.h>

#include "base/seeded_secret_source.h"

namespace atrium::client {
namespace {

using Kind = WebSocketFrame::Kind;

class WebSocketLinkTest : public ::testing::Test {
 protected:
  std::vector<WebSocketFrame> feed_by_bytes(std::string_view bytes) {
    std::vector<WebSocketFrame> out;
    for (const char byte : bytes) {
      link_.on_bytes({&byte, 1});
      for (WebSocketFrame& frame : link_.take_frames()) out.push_back(std::move(frame));
    }
    return out;
  }
  void open() {
    link_.take_output();
    link_.on_bytes("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    ASSERT_EQ(link_.take_frames().at(0).kind, Kind::Open);
  }
  static std::string unmask(std::string_view frame) {
    std::string out(frame.substr(6));
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(out[i] ^ frame[2 + i % 4]);
    return out;
  }

  SeededSecretSource secrets_{1};
  WebSocketLink link_{{"127.0.0.1:1", "/x", "janus-protocol"}, secrets_};
};

TEST_F(WebSocketLinkTest, handshake_names_target_host_and_subprotocol) {
  const std::string head = link_.take_output();
  EXPECT_TRUE(head.starts_with("GET /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"));
  EXPECT_NE(head.find("Sec-WebSocket-Protocol: janus-protocol\r\n"), head.npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST_F(WebSocketLinkTest, upgrade_and_a_message_in_fragments_arrive_byte_by_byte) {
  const auto frames = feed_by_bytes(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
      "\x02\x02he"
      "\x80\x03llo");
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].kind, Kind::Open);
  EXPECT_EQ(frames[1].kind, Kind::Message);
  EXPECT_EQ(frames[1].message, "hello");
}

TEST_F(WebSocketLinkTest, refusal_has_status_and_whole_body) {
  const auto frames = feed_by_bytes("HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\ndenied");
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].kind, Kind::Refused);
  EXPECT_EQ(frames[0].code, 401);
  EXPECT_EQ(frames[0].message, "denie");
  EXPECT_EQ(frames[1].kind, Kind::End);
}

TEST_F(WebSocketLinkTest, ping_is_answered_with_its_payload_masked) {
  open();
  link_.on_bytes("\x89\x02hi");
  const std::string pong = link_.take_output();
  EXPECT_EQ(static_cast<uint8_t>(pong[0]), 0x8a);
  EXPECT_EQ(static_cast<uint8_t>(pong[1]), 0x82);
  EXPECT_EQ(unmask(pong), "hi");
}

TEST_F(WebSocketLinkTest, close_tells_its_code_and_end_comes_once) {
  open();
  link_.on_bytes(std::string_view("\x88\x02\x0f\xa0", 4));
  link_.on_end();
  link_.on_end();
  const auto frames = link_.take_frames();
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].kind, Kind::Close);
  EXPECT_EQ(frames[0].code, 4000);
  EXPECT_EQ(frames[1].kind, Kind::End);
  EXPECT_FALSE(link_.send_text("too late"));
}

TEST_F(WebSocketLinkTest, what_is_no_http_ends_it) {
  const auto frames = feed_by_bytes("SSH-2.0-x\r\n\r\n");
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].kind, Kind::End);
}

}  // namespace
}  // namespace atrium::client
