// HttpConnection: one accepted socket, from its first byte to its last: a proxy's header, then TLS, then HTTP, each
// where the listener has it.
// Owner: ConnectionHost.  Thread: control.  RFC 9112, RFC 6455.
// Does not: call the handler while the handler runs: what has to be told waits in the host until the turn's end.
#pragma once

#include <memory>
#include <string>

#include "node/ports.h"
#include "runtime/connection_host.h"
#include "runtime/http_codec.h"
#include "runtime/outgoing_queue.h"
#include "runtime/tls_session.h"
#include "runtime/websocket_codec.h"

namespace atrium::runtime {

// Where a connection came in, and what it has to say before HTTP.
struct Entrance {
  node::Listener listener = node::Listener::Public;
  SocketAddress peer;
  bool has_proxy_header = false;
  bool has_tls = false;
};

class HttpConnection {
 public:
  HttpConnection(ConnectionHost& host, ConnectionId id, StreamSocket socket,
                 const Entrance& entrance);

  // The host's calls.
  void start(Now now);
  void on_event(const StreamSockets::Event& event, Now now);
  void read_if_awaited(Now now);
  void on_deadline(Now now);
  void flush(Now now);
  void reset();  // RST at once; nobody is told

  // The port's verbs.
  void respond(node::HttpResponse response, Now now);
  void accept_websocket(Now now);
  void send(std::shared_ptr<const std::string> message);
  void close_websocket(const std::shared_ptr<const std::string>& last, uint16_t code, Now now);
  void drop() { end(Farewell::Reset); }

  ConnectionId id() const { return id_; }
  const StreamSocket& socket() const { return socket_; }

 private:
  friend class ConnectionHost;  // deadline_ is its bookkeeping

  // ProxyHeader → TlsHandshake → Head, where the entrance has them.
  // Head → Body → Pending → Answering → Head …, or Pending → WebSocket → ClosingOut → Draining.
  enum class Phase : uint8_t {
    ProxyHeader,
    TlsHandshake,
    Head,
    Body,
    Pending,
    Answering,
    WebSocket,
    ClosingOut,
    Draining,
    Gone
  };
  enum class Farewell : uint8_t { Close, Reset };

  void await_read();
  void read(Now now);
  void on_bytes(std::string_view bytes, Now now);
  void on_proxy_bytes(std::string_view bytes, Now now);
  void on_tls_bytes(std::string_view bytes, Now now);
  void on_tls_failed(Now now);
  void on_plain_bytes(std::string_view bytes, Now now);
  void give_back_input();
  void begin_tls_or_http(Now now);
  void advance(Now now);
  void on_head(Now now);
  void hand_over(Now now);
  void answer(const node::HttpResponse& response, bool keep_alive, Now now);
  void answer_fault(node::HttpFault fault, Now now);
  void on_websocket_bytes(std::string_view bytes, Now now);
  void on_websocket_deadline(Now now);
  void on_end_of_input();
  void count_unfinished();
  void enqueue(std::string own, std::shared_ptr<const std::string> shared = nullptr);
  void mark_dirty();
  bool write_some();  // false: broken
  bool write_plain();
  bool write_encrypted();
  bool is_last_word() const;  // nothing will be written after what is queued
  bool is_all_written() const;
  void on_all_written(Now now);
  void begin_drain(Now now, Duration longest);
  void answer_without_tls(Now now);
  void report_closed();
  void report_closed_out(bool written);
  void report_end();
  void say_tls_goodbye();
  void end(Farewell farewell);

  // given
  ConnectionHost& host_;
  const ConnectionId id_;
  const bool has_tls_;
  // owned
  StreamSocket socket_;
  std::unique_ptr<TlsSession> tls_;  // from the first byte of the handshake on
  HttpRequestReader reader_;
  size_t unfinished_bytes_ = 0;  // what this connection adds to the host's sum
  std::unique_ptr<WebSocketCodec> codec_;
  std::string in_;  // read and not yet understood; at most a head and one read
  OutgoingQueue out_;
  // derived
  size_t drained_bytes_ = 0;
  Mono deadline_ = kNever;
  Mono looked_at_ = kNever;  // when the host looks at it next: no later than the deadline
  Mono last_heard_{};
  Phase phase_ = Phase::Head;
  bool is_readable_ = false;  // as far as known: not read to the end since the last event
  bool is_ending_ = false;    // its end is among what is to be read
  bool is_read_awaited_ = false;
  bool is_write_awaited_ = false;
  bool is_dirty_ = false;
  bool is_head_begun_ = false;
  bool is_named_ = false;     // on_request has told the handler of it
  bool is_reported_ = false;  // on_closed or on_websocket_closed_out is on its way
  bool has_fin_ = false;
  bool is_input_over_ = false;  // close_notify
  bool keep_alive_ = false;
  bool is_answer_to_head_ = false;
  bool is_reset_after_drain_ = false;
};

}  // namespace atrium::runtime
