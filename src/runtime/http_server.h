// HttpServer: the control thread's loop.  HTTP/1.1 (RFC 9112) and WebSocket (RFC 6455) listeners,
// wakes, deadline, signals.
// Owner: the app.  Thread: the one that calls run(); only waker().wake() may be called from another one.
// Handler calls never nest: whatever the handler asks of the port is done after it returned.
// TLS and the PROXY protocol are the public listeners' alone; the operator's stay plain.
// Does not: HTTP/2, compression, or know what a path means.
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/ip_prefix.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/socket_address.h"
#include "base/time.h"
#include "node/ports.h"
#include "runtime/tls_session.h"

namespace atrium::runtime {

// How long the server has patience; shorter in tests alone.
struct HttpTimes {
  static constexpr Duration of(int64_t ms) { return std::chrono::milliseconds(ms); }
  Duration head = of(limits::kHttpHeadMs);
  Duration body = of(limits::kHttpBodyMs);
  Duration idle = of(limits::kHttpIdleMs);
  Duration write = of(limits::kHttpWriteMs);
  Duration linger = of(limits::kHttpLingerMs);
  Duration ping = of(limits::kWebSocketPingMs);
  Duration silence = of(limits::kWebSocketSilenceMs);
  Duration close_write = of(limits::kCloseWriteMs);
  Duration close_drain = of(limits::kCloseDrainMs);
  Duration proxy_header = of(limits::kProxyHeaderMs);
  Duration tls_handshake = of(limits::kTlsHandshakeMs);
};

struct HttpServerOptions {
  std::vector<SocketAddress> public_addresses;  // port 0: the kernel chooses
  std::vector<SocketAddress> operator_addresses;
  size_t connections_max =
      0;  // 0: kHttpConnectionsMax.  The last kHttpOperatorReserve are the operator's
  HttpTimes times;
  // Bytes of requests that are still on their way, all connections together; 0: kHttpUnfinishedBytesMax.  The
  // connection whose bytes go beyond is answered with a fault.
  size_t unfinished_bytes_max = 0;
  std::shared_ptr<const TlsContext> tls = nullptr;  // null: the public listeners are plain
  // Whether a trusted proxy's connection begins with a PROXY header (it must, then) or never does.
  bool has_proxy_headers = false;
  std::vector<IpPrefix> trusted_proxies = {};
};

struct HttpServerCounters {
  uint64_t accepted = 0;
  uint64_t refused_full = 0;     // connections_max was met: 503 and closed
  uint64_t accept_failures = 0;  // mostly: no descriptors left
  uint64_t requests = 0;
  uint64_t faults = 0;                  // see node::HttpFault
  uint64_t websockets = 0;              // upgrades accepted, ever
  uint64_t websocket_queue_cuts = 0;    // kSignalQueueBytesMax
  uint64_t websocket_silence_cuts = 0;  // kWebSocketSilenceMs
  uint64_t websocket_protocol_errors = 0;
  uint64_t proxy_headers_refused = 0;  // missing, malformed or late
  uint64_t tls_handshakes = 0;         // completed
  uint64_t tls_failures = 0;  // handshakes that failed or took too long, records that broke
  uint64_t tls_missing = 0;   // plain HTTP where TLS is spoken
};

class HttpServer final : public node::HttpPort {
 public:
  // Binds and listens at once.  The error's literal tells which step failed.
  static Result<std::unique_ptr<HttpServer>> create(HttpServerOptions options);
  ~HttpServer() override;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The addresses really bound, in the order given.
  std::vector<SocketAddress> addresses(node::Listener listener) const;
  node::Waker& waker();  // → ControlHandler::on_wake; valid before run

  // Before run: SIGTERM and SIGINT are then calls on the control thread instead of the end of the process.
  void set_signal_callback(std::function<void(int)> callback);
  // Calls `handler` until stop().  on_wake comes once at the start.
  void run(node::ControlHandler& handler);
  void stop();  // control thread: run() returns after this turn; open connections are reset
  void stop_listening(
      node::Listener listener);  // control thread: no new connections; the rest goes on

  // Control thread.  Handshakes that begin from now on are made with it; connections that stand are not touched.
  // Refused where the server was made without TLS: a port does not change what it speaks.
  Result<void> use_tls(std::shared_ptr<const TlsContext> tls);
  std::optional<int64_t> tls_expires_unix_s() const;  // none without TLS
  void trust_proxies(std::vector<IpPrefix> ranges);   // control thread: for new connections

  HttpServerCounters counters() const;  // control thread

  // node::HttpPort.  on_closed comes once for every connection that on_request named, also after drop() and after the
  // client left, but not after close_websocket(), which is answered by on_websocket_closed_out alone, exactly once.
  void respond(ConnectionId connection, node::HttpResponse response) override;
  void accept_websocket(ConnectionId connection) override;
  void send(ConnectionId connection, std::shared_ptr<const std::string> message) override;
  void close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                       uint16_t code) override;
  void drop(ConnectionId connection) override;
  size_t connection_count() const override;  // with those that are only read away until their FIN

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
