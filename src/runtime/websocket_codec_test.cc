#include "runtime/websocket_codec.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "runtime/websocket_test_frames.h"

namespace atrium::runtime {
namespace {

using End = WebSocketCodec::End;

node::HttpRequest upgrade() {
  HttpRequestReader reader(node::Listener::Public, SocketAddress{});
  std::string bytes = "GET / HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n";
  EXPECT_EQ(reader.read(bytes), HttpRequestReader::Step::Head);
  return reader.take_request();
}

struct WebSocketCodecTest : testing::Test {
  void SetUp() override {
    ASSERT_TRUE(codec.accept(upgrade()));
    handshake = codec.take_output();
  }
  WebSocketLoop loop;
  WebSocketCodec codec{loop};
  std::string handshake;
};

TEST_F(WebSocketCodecTest, answers_the_handshake_of_rfc_6455_and_declines_compression) {
  EXPECT_TRUE(handshake.starts_with("HTTP/1.1 101 ")) << handshake;
  EXPECT_NE(handshake.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), handshake.npos)
      << "section 1.3's example";
  EXPECT_EQ(handshake.find("Sec-WebSocket-Extensions"), handshake.npos);
}

TEST_F(WebSocketCodecTest, reads_messages_in_order_and_tells_text_from_binary) {
  const auto messages =
      codec.feed(client_frame(2, "one") + client_frame(1, "two") + client_frame(2, ""));
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(messages[0].data, "one");
  EXPECT_TRUE(messages[0].is_binary);
  EXPECT_EQ(messages[1].data, "two");
  EXPECT_FALSE(messages[1].is_binary);
  EXPECT_EQ(messages[2].data, "");
}

TEST_F(WebSocketCodecTest, reads_a_message_that_comes_byte_by_byte_in_fragments_around_a_ping) {
  const std::string bytes = client_frame(2, "abc", Final::No) + client_frame(9, "hi") +
                            client_frame(0, "def", Final::No) + client_frame(0, "ghi");
  std::vector<WebSocketMessage> got;
  for (char c : bytes)
    for (auto& message : codec.feed({&c, 1})) got.push_back(std::move(message));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].data, "abcdefghi");
  EXPECT_EQ(codec.take_output(), std::string("\x8a\x02hi", 4))
      << "the pong carries the ping's bytes";
}

TEST_F(WebSocketCodecTest, gives_what_came_before_a_close_and_answers_it) {
  const auto messages =
      codec.feed(client_frame(2, "last") + client_frame(8, std::string("\x03\xe8", 2)));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(codec.end(), End::ClosedByPeer);
  EXPECT_EQ(codec.take_output(), std::string("\x88\x02\x03\xe8", 4));
  EXPECT_TRUE(codec.feed(client_frame(2, "after")).empty());
}

TEST_F(WebSocketCodecTest, ends_at_a_frame_without_a_mask) {
  codec.feed(std::string("\x82\x01x", 3));
  EXPECT_EQ(codec.end(), End::ProtocolError);
  EXPECT_EQ(codec.take_output(), std::string("\x88\x02\x03\xea", 4)) << "1002";
}

TEST_F(WebSocketCodecTest, ends_at_text_that_is_not_utf8) {
  codec.feed(client_frame(1, "\xc3\x28"));
  EXPECT_EQ(codec.end(), End::ProtocolError);
}

TEST_F(WebSocketCodecTest, ends_at_a_message_beyond_the_bound_before_it_is_there) {
  const auto max = static_cast<uint64_t>(limits::kSignalMessageBytesMax);
  std::string header = frame_header(FrameKind::Binary, max + 1);
  header[1] = static_cast<char>(header[1] | 0x80);
  codec.feed(header + "mask");
  EXPECT_EQ(codec.end(), End::MessageTooLong);
}

TEST_F(WebSocketCodecTest, reads_a_message_of_just_the_bound) {
  const std::string payload(static_cast<size_t>(limits::kSignalMessageBytesMax), 'p');
  const auto messages = codec.feed(client_frame(2, payload));
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].data, payload);
  ASSERT_EQ(codec.feed(client_frame(2, "small")).size(), 1u);
}

TEST(WebSocketCodec, refuses_a_handshake_with_a_bad_key) {
  WebSocketLoop loop;
  WebSocketCodec codec(loop);
  node::HttpRequest request = upgrade();
  std::erase_if(request.headers,
                [](const auto& header) { return header.first == "Sec-WebSocket-Key"; });
  EXPECT_FALSE(codec.accept(request));
  EXPECT_EQ(codec.end(), End::ProtocolError);
}

TEST(WebSocketCodec, one_codec_does_not_disturb_another_of_the_same_loop) {
  WebSocketLoop loop;
  auto first = std::make_unique<WebSocketCodec>(loop);
  WebSocketCodec second(loop);
  ASSERT_TRUE(first->accept(upgrade()));
  ASSERT_TRUE(second.accept(upgrade()));
  const std::string frame = client_frame(2, "hello");
  first->feed(std::string_view(frame).substr(0, 4));
  first.reset();
  EXPECT_EQ(second.feed(frame).size(), 1u);
}

}  // namespace
}  // namespace atrium::runtime
