// WebSocketCodec: the reading half of RFC 6455 for one server-side connection, as bytes in, messages and bytes out.
// Beast's websocket::stream works inside over memory instead of a socket: it unmasks, joins fragments, checks UTF-8,
// answers pings and close frames.  Owner: the connection.  Thread: control.
// Does not: write messages (servers' frames are unmasked: see frame_header), compress, or keep time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node/ports.h"

namespace atrium::runtime {

// What all codecs of a thread share: the queue their steps run in.  Must outlive them.
class WebSocketLoop {
 public:
  WebSocketLoop();
  ~WebSocketLoop();
  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

struct WebSocketMessage {
  std::string data;
  bool is_binary = true;
};

class WebSocketCodec {
 public:
  explicit WebSocketCodec(WebSocketLoop& loop);
  ~WebSocketCodec();
  WebSocketCodec(const WebSocketCodec&) = delete;
  WebSocketCodec& operator=(const WebSocketCodec&) = delete;

  enum class End : uint8_t { None, ClosedByPeer, ProtocolError, MessageTooLong };

  // Once, first.  The bytes of the 101 are in take_output(); false: it is a refusal, and nothing else follows.
  bool accept(const node::HttpRequest& upgrade);
  // Messages completed by these bytes, in order.  After the end nothing is read any more.
  std::vector<WebSocketMessage> feed(std::string_view bytes);
  // What Beast wants written: handshake, pongs, the answer to a close frame.  Whole frames only.
  std::string take_output();
  End end() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
