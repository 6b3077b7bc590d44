// ConnectionHost: what all connections of the HTTP server share, and the end of each turn of its loop.
// Owner: HttpServer.  Thread: control.
// Does not: accept, or know HTTP.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "node/ports.h"
#include "runtime/http_server.h"
#include "runtime/stream_socket.h"
#include "runtime/websocket_codec.h"

namespace atrium::runtime {

class HttpConnection;

class ConnectionHost {
 public:
  ConnectionHost();
  ~ConnectionHost();  // resets every connection; nobody is told
  ConnectionHost(const ConnectionHost&) = delete;
  ConnectionHost& operator=(const ConnectionHost&) = delete;

  // on_closed, or on_websocket_closed_out; told at the end of the turn.
  struct Report {
    ConnectionId connection;
    bool is_closed_out = false;
    bool written = false;
  };

  // First of all.  Unavailable: the kernel has no descriptor.
  Result<void> open();
  HttpConnection* find(ConnectionId id);
  // Null: its socket cannot be watched, and is closed.
  HttpConnection* add(std::unique_ptr<HttpConnection> connection);
  void remove(HttpConnection& connection);  // its memory lives until the turn's end
  size_t size() const { return connections_.size(); }

  void set_deadline(HttpConnection& connection, Mono at);
  // It waits for bytes that are known to be there: its turn comes after what is ready now.
  void look_again(ConnectionId id);
  void mark_dirty(ConnectionId id) { dirty_.push_back(id); }
  void report(Report report) { reports_.push_back(report); }
  // The handler wants on_websocket_closed_out for what it would have been told as on_closed.
  void turn_into_closed_out(ConnectionId id);
  // IMF-fixdate of this second; valid until the next call.
  std::string_view date(Wall wall);

  // From now on its connections are told what their sockets do.
  void await_sockets();
  // The end of every turn: what was asked for is written, what happened is told, the timer is set.
  void settle();
  // The same after everything else that is ready now.
  void settle_soon();

  // shared
  boost::asio::io_context context{1};
  node::ControlHandler* handler = nullptr;  // set by run()
  HttpTimes times;
  HttpServerCounters counters;
  size_t unfinished_bytes = 0;            // of requests on their way
  size_t unfinished_bytes_max = 0;        // set by HttpServer
  std::shared_ptr<const TlsContext> tls;  // of the next handshake; null: no TLS
  WebSocketLoop websocket_loop;
  std::array<char, 65'536> scratch;  // every read lands here first: idle connections hold no buffer
  std::string plain;                 // what one read said, decrypted

 private:
  void take_events();
  void deliver(Report report);
  void arm_timer();
  void on_timer();

  // owned
  boost::asio::steady_timer timer_{context};
  std::optional<StreamSockets> sockets_;  // from open() on
  boost::asio::posix::stream_descriptor sockets_ready_{context};
  std::unordered_map<ConnectionId, std::unique_ptr<HttpConnection>> connections_;
  std::vector<std::unique_ptr<HttpConnection>> graveyard_;
  std::set<std::pair<Mono, ConnectionId>> deadlines_;  // when to look at whose; each at most once
  std::vector<ConnectionId> dirty_;                    // have something to write
  std::vector<Report> reports_;
  std::vector<ConnectionId> to_look_at_;
  // derived
  bool is_settle_due_ = false;
  Mono armed_ = kNever;
  int64_t date_second_ = -1;
  std::string date_;
};

}  // namespace atrium::runtime
