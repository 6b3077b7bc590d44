// HttpRequestReader: bytes of one connection in, requests out, one after the other.  RFC 9112; Beast's parser inside.
// Owner: the connection.  Thread: control.  Pure: no socket, no clock, so that it can be fuzzed.
// Does not: write, keep time, or decide which request is allowed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "node/ports.h"

namespace atrium::runtime {

class HttpRequestReader {
 public:
  enum class Step : uint8_t {
    NeedMore,  // `buffer` holds no further complete piece
    Head,      // once per request: the head is complete, request() has everything but the body
    Complete,  // request() is complete; its bytes are gone from `buffer`, what is left belongs to the next one
    Fault,  // fault() tells; the connection cannot go on
  };

  HttpRequestReader(node::Listener listener, SocketAddress peer);
  ~HttpRequestReader();
  HttpRequestReader(const HttpRequestReader&) = delete;
  HttpRequestReader& operator=(const HttpRequestReader&) = delete;

  // What a trusted proxy said of the connection, for all its requests.
  void set_client(SocketAddress client);
  // Takes what it can from the front of `buffer`.  Call again after Head; after Complete begin with next_request().
  Step read(std::string& buffer);
  void next_request();

  const node::HttpRequest& request() const;
  node::HttpRequest take_request();
  node::HttpFault fault() const;
  // After Head:
  bool has_body() const;  // something is still to be read
  // Nothing is, or `buffer` holds all of it; false of chunks, whose end is not looked for.
  bool has_come(std::string_view buffer) const;
  bool is_body_too_long()
      const;  // by its Content-Length; chunked bodies are measured while they come
  bool wants_keep_alive() const;  // RFC 9112 section 9.3
  bool expects_continue() const;  // RFC 9110 section 10.1.1

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct ResponseFraming {
  std::string_view date;  // IMF-fixdate, RFC 9110 section 5.6.7
  bool keep_alive = true;
};
// Status line and headers up to the empty line.  Content-Length, Connection, Date are ours; headers with a line break
// or other control character in them are left out.
std::string response_head(const node::HttpResponse& response, const ResponseFraming& framing);

// RFC 6455 section 5.2, unmasked as servers must: the bytes before the payload.
enum class FrameKind : uint8_t { Text = 0x1, Binary = 0x2, Close = 0x8, Ping = 0x9, Pong = 0xa };
std::string frame_header(FrameKind kind, size_t payload_size);
std::string close_frame(uint16_t code);
std::string ping_frame();

}  // namespace atrium::runtime
