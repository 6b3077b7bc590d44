#include "websocket_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "base/crypto.h"
#include "runtime/sockaddr.h"

namespace atrium::atriumpeer {
namespace {

constexpr size_t kHeadBytesMax = 65'536;
constexpr size_t kMessageBytesMax = 4u << 20;
constexpr uint8_t kContinuation = 0, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;
constexpr uint8_t kFinal = 0x80, kMasked = 0x80;
constexpr uint16_t kNoCode = 1005;

bool write_all(int descriptor, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(descriptor, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

int connect_to(const SocketAddress& server) {
  const int descriptor =
      ::socket(server.ip.is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const auto address = runtime::to_sockaddr(server, runtime::AddressForm::Plain);
  if (::connect(descriptor, address.get(), address.size) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

// Reads up to and with the blank line; nullopt when the connection ends before.
std::optional<std::string> read_head(int descriptor, std::string& behind) {
  std::string received;
  std::array<char, 4096> chunk;
  while (received.size() < kHeadBytesMax) {
    const size_t end = received.find("\r\n\r\n");
    if (end != std::string::npos) {
      behind = received.substr(end + 4);
      return received.substr(0, end + 4);
    }
    const ssize_t count = ::recv(descriptor, chunk.data(), chunk.size(), 0);
    if (count <= 0) return std::nullopt;
    received.append(chunk.data(), static_cast<size_t>(count));
  }
  return std::nullopt;
}

std::string read_body(int descriptor, const std::string& head, std::string behind) {
  size_t length = 0;
  const size_t at = head.find("Content-Length: ");
  if (at != std::string::npos)
    std::from_chars(head.data() + at + 16, head.data() + head.size(), length);
  std::array<char, 4096> chunk;
  while (behind.size() < std::min(length, kHeadBytesMax)) {
    const ssize_t count = ::recv(descriptor, chunk.data(), chunk.size(), 0);
    if (count <= 0) break;
    behind.append(chunk.data(), static_cast<size_t>(count));
  }
  return behind;
}

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

}  // namespace

Result<std::variant<std::unique_ptr<WebSocketClient>, Refusal>> WebSocketClient::open(
    const SocketAddress& server, std::string_view target, SecretSource& secrets) {
  const int descriptor = connect_to(server);
  if (descriptor < 0) return fail(ErrorKind::Unavailable, "nobody listens there");
  std::unique_ptr<WebSocketClient> client(new WebSocketClient(descriptor, secrets));
  std::array<uint8_t, 16> key;
  secrets.fill(key);
  const std::string head =
      "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + server.text() +
      "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: " +
      base64(key) + "\r\n\r\n";
  if (!write_all(descriptor, head)) return fail(ErrorKind::Unavailable, "the server hung up");
  const auto answer = read_head(descriptor, client->received_);
  if (!answer || answer->size() < 12 || !answer->starts_with("HTTP/1.1 "))
    return fail(ErrorKind::Unavailable, "the answer is no HTTP");
  int status = 0;
  std::from_chars(answer->data() + 9, answer->data() + 12, status);
  if (status == 101) return client;
  return Refusal{status, read_body(descriptor, *answer, client->received_)};
}

WebSocketClient::~WebSocketClient() {
  ::close(descriptor_);
}

bool WebSocketClient::send(std::string_view message) {
  return send_frame(kBinary, message);
}

bool WebSocketClient::send_close(uint16_t code) {
  const std::array<char, 2> payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return send_frame(kClose, {payload.data(), payload.size()});
}

bool WebSocketClient::send_frame(uint8_t opcode, std::string_view payload) {
  if (has_ended_) return false;
  Bytes head(14);
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
  std::string frame(as_text(writer.written()));
  for (size_t i = 0; i < payload.size(); ++i)
    frame.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  return write_all(descriptor_, frame);
}

std::vector<Frame> WebSocketClient::receive() {
  std::vector<Frame> out;
  std::array<char, 65'536> chunk;
  while (!has_ended_) {
    const ssize_t count = ::recv(descriptor_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (count <= 0) has_ended_ = true;
    if (count > 0) received_.append(chunk.data(), static_cast<size_t>(count));
    if (received_.size() > kMessageBytesMax) has_ended_ = true;
  }
  take_frames(out);
  if (has_ended_) out.push_back({.kind = Frame::Kind::End});
  return out;
}

void WebSocketClient::take_frames(std::vector<Frame>& out) {
  while (const auto header = read_header(received_)) {
    if (received_.size() - header->header_bytes < header->payload_bytes) return;
    const std::string payload = received_.substr(header->header_bytes, header->payload_bytes);
    received_.erase(0, header->header_bytes + header->payload_bytes);
    const uint8_t opcode = header->flags & 0x0f;
    if (opcode == kPing) {
      send_frame(kPong, payload);
    } else if (opcode == kClose) {
      const auto code = ByteReader(as_bytes(payload)).u16();
      out.push_back({.kind = Frame::Kind::Close, .code = code.value_or(kNoCode)});
    } else if (opcode == kBinary || opcode == kContinuation) {
      fragments_ += payload;
      if ((header->flags & kFinal) != 0)
        out.push_back({.kind = Frame::Kind::Message, .message = std::move(fragments_)});
      if ((header->flags & kFinal) != 0) fragments_.clear();
    }
  }
}

}  // namespace atrium::atriumpeer
