// WebSocketClient: client/websocket_link.h over plain TCP, for tests that talk to a server next door.
// Owner: main.  Writing blocks, reading does not.  Does not: TLS.
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
#include "client/websocket_link.h"

namespace atrium::atriumpeer {

using Frame = client::WebSocketFrame;

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
  bool send(std::string_view message) { return link_.send_binary(message) && flush(); }
  bool send_close(uint16_t code) { return link_.send_close(code) && flush(); }
  // What arrived so far.
  std::vector<Frame> receive();
  int descriptor() const { return descriptor_; }
  bool has_ended() const { return link_.has_ended(); }

 private:
  WebSocketClient(int descriptor, const client::WebSocketDial& dial, SecretSource& secrets)
      : descriptor_(descriptor), link_(dial, secrets) {}
  bool flush();
  void read(int flags);

  const int descriptor_;
  client::WebSocketLink link_;
  std::vector<Frame> early_;  // came with the answer to the upgrade
};

}  // namespace atrium::atriumpeer
