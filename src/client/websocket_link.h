// WebSocketLink: the client's side of RFC 6455 on one connection: bytes in, frames out, and the other way.
// Owner: whoever has the socket (atriumpeer, atriumload).  One thread.  Pings are answered here.
// Does not: open sockets, TLS, extensions, fragments of its own, or check Sec-WebSocket-Accept (the server's own tests
// do).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret_source.h"

namespace atrium::client {

struct WebSocketFrame {
  // Open: upgraded.  Refused: it was not, `code` is the HTTP status and `message` the body.  End: FIN, a reset or
  // bytes that are no WebSocket; nothing follows.
  enum class Kind : uint8_t { Open, Refused, Message, Close, End };
  Kind kind = Kind::Message;
  std::string message{};
  uint16_t code = 0;  // of Close; 1005 where the frame named none
};

struct WebSocketDial {
  std::string host;           // as in Host
  std::string target;         // request-target
  std::string subprotocol{};  // empty: none is asked for
};

class WebSocketLink {
 public:
  // The handshake is in take_output() at once.  `secrets` outlives the link.
  WebSocketLink(const WebSocketDial& dial, SecretSource& secrets);

  void on_bytes(std::string_view bytes);
  void on_end();  // the connection's other side is gone
  std::vector<WebSocketFrame> take_frames();

  // One masked message.  false: the connection is gone.
  bool send_text(std::string_view message) { return send_frame(1, message); }
  bool send_binary(std::string_view message) { return send_frame(2, message); }
  bool send_close(uint16_t code);
  std::string take_output();
  bool has_ended() const { return has_ended_; }

 private:
  bool send_frame(uint8_t opcode, std::string_view payload);
  void read_answer();
  void read_frames();
  void on_frame(uint8_t flags, std::string_view payload);

  SecretSource& secrets_;
  std::string received_;   // not yet parsed
  std::string fragments_;  // of a message that is not complete
  std::string output_;
  std::vector<WebSocketFrame> frames_;
  bool is_open_ = false, has_ended_ = false;
};

}  // namespace atrium::client
