// WebSocketClient: the client's side of RFC 6455 over plain TCP, for tests that talk to a server next door.
// Owner: main.  Writing blocks, reading does not.  Does not: TLS, extensions, fragments of its own, or check
// Sec-WebSocket-Accept (the server's own tests do).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/secret_source.h"
#include "base/socket_address.h"

namespace atrium::atriumpeer {

struct Frame {
  enum class Kind : uint8_t { Message, Close, End };  // End: the server's FIN or a reset
  Kind kind = Kind::Message;
  std::string message{};
  uint16_t code = 0;  // of Close; 1005 where the frame named none
};

// The server did not upgrade.
struct Refusal {
  int status = 0;
  std::string body;
};

class WebSocketClient {
 public:
  // Connects and upgrades, both blocking.  Unavailable: nobody listens there, or the answer was no HTTP.
  static Result<std::variant<std::unique_ptr<WebSocketClient>, Refusal>> open(
      const SocketAddress& server, std::string_view target, SecretSource& secrets);
  ~WebSocketClient();
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  // One masked binary message.  false: the connection is gone.
  bool send(std::string_view message);
  bool send_close(uint16_t code);
  // What arrived so far.  Pings are answered here.
  std::vector<Frame> receive();
  int descriptor() const { return descriptor_; }
  bool has_ended() const { return has_ended_; }

 private:
  WebSocketClient(int descriptor, SecretSource& secrets)
      : descriptor_(descriptor), secrets_(secrets) {}
  bool send_frame(uint8_t opcode, std::string_view payload);
  void take_frames(std::vector<Frame>& out);

  const int descriptor_;
  SecretSource& secrets_;
  std::string received_;   // not yet parsed
  std::string fragments_;  // of a message that is not complete
  bool has_ended_ = false;
};

}  // namespace atrium::atriumpeer
