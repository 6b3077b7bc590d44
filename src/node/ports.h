// The seams of the node: interfaces that the real world (runtime) or the simulated one (sim) implements or calls.
// Virtual functions live here and nowhere else (STYLE).  Includes base alone, so that runtime may see it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/socket_address.h"
#include "base/time.h"

namespace atrium::node {

// --- HTTP and WebSocket: control thread
// ----------------------------------------------------------------------------------------
enum class Listener : uint8_t { Public, Operator };  // 7880, 7889

struct HttpRequest {
  Listener listener = Listener::Public;
  std::string method;                                        // as sent: "POST"
  std::string target;                                        // request-target as sent, with query
  std::vector<std::pair<std::string, std::string>> headers;  // names as sent, in order
  std::string body;
  SocketAddress peer;
  bool is_proxied =
      false;  // `peer` is what a trusted proxy said of the connection (PROXY protocol)
  bool is_websocket_upgrade = false;
  std::optional<Mono> arrived = std::nullopt;  // when its last byte was read
  // Case-insensitive; empty when absent, the first when repeated.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // Content-Length is the server's
  std::string body;
  bool close = false;
};

// How a head was refused by the server itself, before any handler: which limit was met.
enum class HttpFault : uint8_t {
  Malformed,
  RequestLineTooLong,
  HeadersTooLong,
  HeadTimeout,
  BodyTimeout,
  BodyTooLong,
  UnsupportedTransferEncoding,
  Overloaded  // unfinished requests of all connections together hold too many bytes
};

// Called by the server.  All calls on the control thread; none re-enters.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  // The head is complete, the body not yet read.  nullopt: go on and read at most kHttpBodyBytesMax; a response:
  // answer at once.  `has_come`: there is no body, or all of it is here, and on_request() would be next.
  virtual std::optional<HttpResponse> on_head(const HttpRequest& head, bool has_come, Now now) = 0;
  // The shape of an answer to a fault; the server closes after it.
  virtual HttpResponse on_fault(const HttpRequest& head, HttpFault fault, Now now) = 0;
  // Complete request, or complete upgrade head.  Answered later by HttpPort::respond, or for upgrades
  // accept_websocket.
  virtual void on_request(ConnectionId connection, HttpRequest request, Now now) = 0;
  virtual void on_websocket_message(ConnectionId connection, std::string_view data, bool is_binary,
                                    Now now) = 0;
  // Gone for whatever reason; not called after close_websocket has been answered by on_websocket_closed_out.
  virtual void on_closed(ConnectionId connection, Now now) = 0;
  // The last message and close frame given to close_websocket are with the kernel (written = true), or never will be.
  virtual void on_websocket_closed_out(ConnectionId connection, bool written, Now now) = 0;
};

// Implemented by the server.  Ids that are gone are ignored.
class HttpPort {
 public:
  virtual ~HttpPort() = default;
  virtual void respond(ConnectionId connection, HttpResponse response) = 0;
  virtual void accept_websocket(ConnectionId connection) = 0;
  // Queues a binary message; shared between recipients.  Beyond kSignalQueueBytesMax the connection is cut.
  virtual void send(ConnectionId connection, std::shared_ptr<const std::string> message) = 0;
  // Queued messages, then `last` (may be null) and the close frame in one write; then half-close, read away until
  // FIN or
  // kCloseDrainMs, then reset.
  virtual void close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                               uint16_t code) = 0;
  // At once, without a word.
  virtual void drop(ConnectionId connection) = 0;
  virtual size_t connection_count() const = 0;
};

// --- media shard: its own thread
// -------------------------------------------------------------------------------------------------
struct ShardDatagram {
  FiveTuple path;
  ByteSpan bytes;
};
struct ShardSendRun {
  FiveTuple path;
  std::span<const ByteView> datagrams;
};

// Called by the udp loop of one shard.
class ShardHandler {
 public:
  virtual ~ShardHandler() = default;
  virtual void on_datagrams(std::span<ShardDatagram> batch, Now now) = 0;
  virtual void on_wake(
      Now now) = 0;  // commands may be waiting in the rings; looked at between turns
  virtual void on_deadline(Now now) = 0;
  virtual Mono next_deadline() const = 0;
  // What is to be sent, a piece at a time: called again, until it yields nothing, when the piece before was sent.  A
  // cut that comes in between takes back what is left of its life.
  virtual std::span<const ShardSendRun> drain(Now now) = 0;
  virtual bool has_more_to_send() const = 0;
};

// --- helper threads: store, sctp
// ----------------------------------------------------------------------------------------------------
class WorkerHandler {
 public:
  virtual ~WorkerHandler() = default;
  virtual void on_wake(Now now) = 0;
  virtual void on_deadline(Now now) = 0;
  virtual Mono next_deadline() const = 0;
};

// --- outgoing HTTP: the web thread
// --------------------------------------------------------------------------------------------------
// A POST to an address that a customer gave.
struct WebRequest {
  uint64_t id = 0;  // of the sender's choice; comes back in the reply
  std::string url;  // http or https, without a user's name; at most kWebhookUrlBytesMax
  std::vector<std::pair<std::string, std::string>> headers;  // without line breaks
  std::string body;
};
// Which addresses may be connected to, asked with the one that a name really led to; IPv4-mapped ones are shown as
// IPv4.  Called on the web thread; holds what it needs by value.
using WebRule = std::function<bool(const IpAddress&)>;
// In order: a request that was sent behind a rule goes out under that rule or a later one, never under an earlier.
using WebOrder = std::variant<WebRequest, WebRule>;

// One for each WebRequest, in the order of their ends, except those that a stop cuts short.
struct WebReply {
  uint64_t id = 0;
  int status = 0;  // of a complete answer; 0: there was none
  std::string
      why;  // for operators, without anything of the request but its host; empty when status is 2xx
};

// --- control thread: everything that is not HTTP
// ----------------------------------------------------------------------------------------
class ControlHandler : public HttpHandler {
 public:
  virtual void on_wake(Now now) = 0;  // rings from shards and store may hold something
  virtual void on_deadline(Now now) = 0;
  virtual Mono next_deadline() const = 0;
  // Asked at the end of each turn of the loop; true: what was answered is written, and the loop ends.
  virtual bool is_finished() const { return false; }
};

// Where a test may stop the process (atriumd --dev --fault stop_at=…).  Production gives a port that does nothing.
class FaultPort {
 public:
  virtual ~FaultPort() = default;
  virtual void at_point(std::string_view point) = 0;
};

// The disk that the store lies on, and the file of no content on it that is given up when it is full.  Store thread.
class DiskPort {
 public:
  virtual ~DiskPort() = default;
  virtual std::optional<uint64_t>
  free_bytes() = 0;                      // for this process; none: the kernel does not say
  virtual uint64_t reserve_bytes() = 0;  // held by the reserve
  virtual bool allocate_reserve(uint64_t bytes) = 0;  // really; false: then it holds nothing
  virtual void release_reserve() = 0;
};

// Wakes another thread's loop; callable from any thread.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() = 0;
};

// One direction of a bounded ring between two threads, as either end sees it.
template <typename T>
class Sender {
 public:
  virtual ~Sender() = default;
  virtual bool try_send(T& value) = 0;  // moves from value on success; wakes the other side
};
template <typename T>
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual bool try_receive(T& out) = 0;
};

}  // namespace atrium::node
