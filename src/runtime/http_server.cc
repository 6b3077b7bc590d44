#include "runtime/http_server.h"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>
#include <exception>
#include <utility>

#include "base/limits.h"
#include "runtime/clock.h"
#include "runtime/event_waker.h"
#include "runtime/http_connection.h"
#include "runtime/sockaddr.h"

namespace atrium::runtime {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr int kBacklog = 1'024;
constexpr auto kAcceptPause =
    std::chrono::milliseconds(100);  // when no descriptor is left, spinning would not make one
constexpr std::string_view kHouseFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nAccess-Control-Allow-Origin: *\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n";

SocketAddress from_endpoint(const tcp::endpoint& endpoint) {
  return from_sockaddr(endpoint.data()).value_or(SocketAddress{});
}

tcp::endpoint to_endpoint(const SocketAddress& address) {
  const KernelAddress kernel = to_sockaddr(address, AddressForm::Plain);
  tcp::endpoint out;
  out.resize(kernel.size);
  std::memcpy(out.data(), kernel.get(), kernel.size);
  return out;
}

struct Door {
  Door(asio::io_context& context, node::Listener which)
      : listener(which), acceptor(context), pause(context) {}
  node::Listener listener;
  tcp::acceptor acceptor;
  asio::steady_timer pause;
};

}  // namespace

struct HttpServer::State final : ConnectionHost {
  State() : wake_descriptor(context), signals(context) {}

  Result<void> open(node::Listener listener, const SocketAddress& address);
  Result<void> open_wake();
  void accept_next(Door& door);
  void on_accepted(Door& door, tcp::socket socket);
  void await_wake();
  void await_signal();
  Entrance entrance(node::Listener listener, const SocketAddress& peer) const;
  template <typename F>
  void with(ConnectionId id, F&& verb) {
    if (HttpConnection* connection = find(id)) verb(*connection);
  }

  // given
  size_t connections_max = 0;
  bool has_proxy_headers = false;
  std::vector<IpPrefix> trusted_proxies;
  std::function<void(int)> on_signal;
  // owned
  std::vector<std::unique_ptr<Door>> doors;
  EventWaker waker;
  asio::posix::stream_descriptor wake_descriptor;
  asio::signal_set signals;
  // derived
  uint64_t last_id = 0;
};

// --- making ------------------------------------------------------------------------------------------

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::create(HttpServerOptions options) {
  try {
    auto state = std::make_unique<State>();
    state->connections_max = options.connections_max > 0
                                 ? options.connections_max
                                 : static_cast<size_t>(limits::kHttpConnectionsMax);
    state->times = options.times;
    state->unfinished_bytes_max = options.unfinished_bytes_max > 0
                                      ? options.unfinished_bytes_max
                                      : static_cast<size_t>(limits::kHttpUnfinishedBytesMax);
    state->tls = std::move(options.tls);
    state->has_proxy_headers = options.has_proxy_headers;
    state->trusted_proxies = std::move(options.trusted_proxies);
    for (const auto& address : options.public_addresses)
      TRY(state->open(node::Listener::Public, address));
    for (const auto& address : options.operator_addresses)
      TRY(state->open(node::Listener::Operator, address));
    TRY(state->open_wake());
    TRY(state->ConnectionHost::open());
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
  } catch (const std::exception&) {
    // Asio's constructors throw when the kernel has no epoll or descriptor for them.
    return fail(ErrorKind::Unavailable, "the event loop cannot be made");
  }
}

Result<void> HttpServer::State::open(node::Listener listener, const SocketAddress& address) {
  auto door = std::make_unique<Door>(context, listener);
  const tcp::endpoint endpoint = to_endpoint(address);
  error_code ec;
  door->acceptor.open(endpoint.protocol(), ec);
  if (ec) return fail(ErrorKind::Unavailable, "socket(TCP)");
  door->acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (address.ip.is_v6) door->acceptor.set_option(asio::ip::v6_only(false), ec);
  door->acceptor.bind(endpoint, ec);
  if (ec == asio::error::address_in_use) return fail(ErrorKind::Unavailable, "TCP port is in use");
  if (ec) return fail(ErrorKind::Unavailable, "bind(TCP)");
  door->acceptor.listen(kBacklog, ec);
  if (ec) return fail(ErrorKind::Unavailable, "listen");
  doors.push_back(std::move(door));
  return {};
}

Result<void> HttpServer::State::open_wake() {
  error_code ec;
  wake_descriptor.assign(::dup(waker.descriptor()), ec);  // Asio closes what it is given
  if (ec) return fail(ErrorKind::Unavailable, "eventfd");
  return {};
}

// --- the loop ------------------------------------------------------------------------------------------

void HttpServer::run(node::ControlHandler& handler) {
  State& s = *state_;
  s.handler = &handler;
  s.context.restart();
  s.await_wake();
  s.await_sockets();
  s.await_signal();
  for (auto& door : s.doors) s.accept_next(*door);
  asio::post(s.context, [&s] {
    s.handler->on_wake(read_clock());
    s.settle();
  });
  s.context.run();
}

void HttpServer::stop() {
  state_->context.stop();
}

void HttpServer::State::await_wake() {
  wake_descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code ec) {
    if (ec) return;
    waker.acknowledge();
    await_wake();
    handler->on_wake(read_clock());
    settle_soon();
  });
}

void HttpServer::State::await_signal() {
  if (!on_signal) return;
  signals.async_wait([this](error_code ec, int number) {
    if (ec) return;
    await_signal();
    on_signal(number);
    settle();
  });
}

// --- new connections -------------------------------------------------------------------------------------

void HttpServer::State::accept_next(Door& door) {
  door.acceptor.async_accept([this, &door](error_code ec, tcp::socket socket) {
    if (ec == asio::error::operation_aborted || !door.acceptor.is_open()) return;
    if (!ec) {
      on_accepted(door, std::move(socket));
      accept_next(door);
      return settle_soon();
    }
    if (ec == asio::error::connection_aborted) return accept_next(door);
    ++counters.accept_failures;
    door.pause.expires_after(kAcceptPause);
    door.pause.async_wait([this, &door](error_code aborted) {
      if (!aborted && door.acceptor.is_open()) accept_next(door);
    });
  });
}

void HttpServer::State::on_accepted(Door& door, tcp::socket socket) {
  error_code ec;
  socket.non_blocking(true, ec);
  if (ec) return;
  const size_t reserve = door.listener == node::Listener::Operator
                             ? 0
                             : std::min<size_t>(limits::kHttpOperatorReserve, connections_max / 2);
  if (size() >= connections_max - reserve) {
    ++counters.refused_full;
    // Without a handshake a TLS client could not read it.
    if (door.listener == node::Listener::Operator || !tls)
      socket.write_some(asio::buffer(kHouseFull), ec);
    socket.shutdown(tcp::socket::shutdown_send, ec);
    return;
  }
  const tcp::endpoint peer = socket.remote_endpoint(ec);
  if (ec) return;  // gone already
  socket.set_option(tcp::no_delay(true), ec);
  ++counters.accepted;
  const ConnectionId id{++last_id};
  const int descriptor = socket.release(ec);
  if (ec) return;
  HttpConnection* added = add(std::make_unique<HttpConnection>(
      *this, id, StreamSocket(descriptor), entrance(door.listener, from_endpoint(peer))));
  if (added != nullptr) added->start(read_clock());
}

Entrance HttpServer::State::entrance(node::Listener listener, const SocketAddress& peer) const {
  Entrance out{.listener = listener, .peer = peer};
  if (listener == node::Listener::Operator) return out;
  out.has_tls = tls != nullptr;
  out.has_proxy_header =
      has_proxy_headers && std::ranges::any_of(trusted_proxies, [&](const IpPrefix& range) {
        return range.contains(peer.ip);
      });
  return out;
}

Result<void> HttpServer::use_tls(std::shared_ptr<const TlsContext> tls) {
  if (!tls || !state_->tls)
    return fail(ErrorKind::Unsupported, "TLS cannot be turned on or off while the server runs");
  state_->tls = std::move(tls);
  return {};
}

std::optional<int64_t> HttpServer::tls_expires_unix_s() const {
  if (!state_->tls) return std::nullopt;
  return state_->tls->expires_unix_s();
}

void HttpServer::trust_proxies(std::vector<IpPrefix> ranges) {
  state_->trusted_proxies = std::move(ranges);
}

void HttpServer::stop_listening(node::Listener listener) {
  for (auto& door : state_->doors) {
    error_code ec;
    if (door->listener == listener) door->acceptor.close(ec);
  }
}

// --- queries and the port's verbs ------------------------------------------------------------------------

std::vector<SocketAddress> HttpServer::addresses(node::Listener listener) const {
  std::vector<SocketAddress> out;
  for (const auto& door : state_->doors) {
    error_code ec;
    if (door->listener == listener) out.push_back(from_endpoint(door->acceptor.local_endpoint(ec)));
  }
  return out;
}

node::Waker& HttpServer::waker() {
  return state_->waker;
}
HttpServerCounters HttpServer::counters() const {
  return state_->counters;
}
size_t HttpServer::connection_count() const {
  return state_->size();
}

void HttpServer::set_signal_callback(std::function<void(int)> callback) {
  state_->on_signal = std::move(callback);
  error_code ec;
  state_->signals.add(SIGTERM, ec);
  state_->signals.add(SIGINT, ec);
  state_->signals.add(SIGHUP, ec);
}

void HttpServer::respond(ConnectionId connection, node::HttpResponse response) {
  state_->with(connection,
               [&](HttpConnection& c) { c.respond(std::move(response), read_clock()); });
}

void HttpServer::accept_websocket(ConnectionId connection) {
  state_->with(connection, [](HttpConnection& c) { c.accept_websocket(read_clock()); });
}

void HttpServer::send(ConnectionId connection, std::shared_ptr<const std::string> message) {
  state_->with(connection, [&](HttpConnection& c) { c.send(std::move(message)); });
}

void HttpServer::close_websocket(ConnectionId connection, std::shared_ptr<const std::string> last,
                                 uint16_t code) {
  // Gone, but its on_closed not yet told: the handler hears on_websocket_closed_out instead.
  state_->turn_into_closed_out(connection);
  state_->with(connection, [&](HttpConnection& c) { c.close_websocket(last, code, read_clock()); });
}

void HttpServer::drop(ConnectionId connection) {
  state_->with(connection, [](HttpConnection& c) { c.drop(); });
}

}  // namespace atrium::runtime
