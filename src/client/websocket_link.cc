#include "client/websocket_link.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/crypto.h"

namespace atrium::client {
namespace {

constexpr size_t kHeadBytesMax = 65'536;
constexpr size_t kMessageBytesMax = 4u << 20;
constexpr size_t kKeptBytesMax = 8'192;  // by an idle connection, of which there are thousands
constexpr uint8_t kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr uint8_t kFinal = 0x80, kMasked = 0x80;
constexpr uint16_t kNoCode = 1005;

struct Header {
  uint8_t flags = 0;
  size_t header_bytes = 0, payload_bytes = 0;
};
// RFC 6455 section 5.2, as a server sends it: unmasked.
std::optional<Header> read_header(std::string_view data) {
  ByteReader reader(as_bytes(data));
  const auto flags = reader.u8();
  const auto length = reader.u8();
  if (!flags || !length) return std::nullopt;
  size_t payload = *length & 0x7f;
  if (payload == 126) {
    const auto extended = reader.u16();
    if (!extended) return std::nullopt;
    payload = *extended;
  } else if (payload == 127) {
    const auto extended = reader.u64();
    if (!extended) return std::nullopt;
    payload = *extended;
  }
  return Header{*flags, reader.position(), payload};
}

size_t content_length(std::string_view head) {
  size_t length = 0;
  const size_t at = head.find("Content-Length: ");
  if (at != head.npos) std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
  return std::min(length, kHeadBytesMax);
}

}  // namespace

WebSocketLink::WebSocketLink(const WebSocketDial& dial, SecretSource& secrets) : secrets_(secrets) {
  std::array<uint8_t, 16> key;
  secrets.fill(key);
  output_ = "GET " + dial.target + " HTTP/1.1\r\nHost: " + dial.host +
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  if (!dial.subprotocol.empty()) output_ += "Sec-WebSocket-Protocol: " + dial.subprotocol + "\r\n";
  output_ += "Sec-WebSocket-Key: " + base64(key) + "\r\n\r\n";
}

void WebSocketLink::on_bytes(std::string_view bytes) {
  if (has_ended_) return;
  received_.append(bytes);
  if (!is_open_) read_answer();
  if (is_open_) read_frames();
  if (received_.size() > kMessageBytesMax) on_end();
}

void WebSocketLink::on_end() {
  if (std::exchange(has_ended_, true)) return;
  frames_.push_back({.kind = WebSocketFrame::Kind::End});
}

void WebSocketLink::read_answer() {
  const size_t end = received_.find("\r\n\r\n");
  if (end == received_.npos) {
    if (received_.size() > kHeadBytesMax) on_end();
    return;
  }
  int status = 0;
  if (!received_.starts_with("HTTP/1.1 ") || end < 12) return on_end();
  std::from_chars(received_.data() + 9, received_.data() + 12, status);
  if (status == 101) {
    is_open_ = true;
    received_.erase(0, end + 4);
    frames_.push_back({.kind = WebSocketFrame::Kind::Open});
    return;
  }
  if (received_.size() < end + 4 + content_length(std::string_view(received_).substr(0, end + 2)))
    return;
  frames_.push_back({.kind = WebSocketFrame::Kind::Refused,
                     .message = received_.substr(end + 4),
                     .code = static_cast<uint16_t>(status)});
  on_end();
}

void WebSocketLink::read_frames() {
  size_t used = 0;
  while (!has_ended_) {
    const std::string_view rest = std::string_view(received_).substr(used);
    const auto header = read_header(rest);
    if (!header || rest.size() - header->header_bytes < header->payload_bytes) break;
    on_frame(header->flags, rest.substr(header->header_bytes, header->payload_bytes));
    used += header->header_bytes + header->payload_bytes;
  }
  received_.erase(0, used);
  if (received_.empty() && received_.capacity() > kKeptBytesMax) received_ = std::string();
}

void WebSocketLink::on_frame(uint8_t flags, std::string_view payload) {
  const uint8_t opcode = flags & 0x0f;
  if (opcode == kPing) {
    send_frame(kPong, payload);
  } else if (opcode == kClose) {
    const auto code = ByteReader(as_bytes(payload)).u16();
    frames_.push_back({.kind = WebSocketFrame::Kind::Close, .code = code.value_or(kNoCode)});
  } else if (opcode == kText || opcode == kBinary || opcode == kContinuation) {
    fragments_ += payload;
    if ((flags & kFinal) == 0) return;
    frames_.push_back({.message = std::exchange(fragments_, {})});
  }
}

std::vector<WebSocketFrame> WebSocketLink::take_frames() {
  return std::exchange(frames_, {});
}

std::string WebSocketLink::take_output() {
  return std::exchange(output_, {});
}

bool WebSocketLink::send_close(uint16_t code) {
  const std::array<char, 2> payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return send_frame(kClose, {payload.data(), payload.size()});
}

bool WebSocketLink::send_frame(uint8_t opcode, std::string_view payload) {
  if (has_ended_) return false;
  std::array<uint8_t, 14> head;
  ByteWriter writer(head);
  writer.u8(static_cast<uint8_t>(kFinal | opcode));
  if (payload.size() < 126) {
    writer.u8(static_cast<uint8_t>(kMasked | payload.size()));
  } else if (payload.size() < 65'536) {
    writer.u8(kMasked | 126), writer.u16(static_cast<uint16_t>(payload.size()));
  } else {
    writer.u8(kMasked | 127), writer.u64(payload.size());
  }
  std::array<uint8_t, 4> mask;
  secrets_.fill(mask);
  writer.bytes(mask);
  output_ += as_text(writer.written());
  for (size_t i = 0; i < payload.size(); ++i)
    output_.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  return true;
}

}  // namespace atrium::client
