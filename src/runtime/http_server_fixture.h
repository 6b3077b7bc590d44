// A server on 127.0.0.1 whose thread is the handler's alone, and clients that speak to it over raw sockets; for tests.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/limits.h"
#include "runtime/clock.h"
#include "runtime/http_server.h"
#include "runtime/process.h"
#include "runtime/sockaddr.h"
#include "runtime/websocket_test_frames.h"

namespace atrium::runtime {

// A client that waits for nothing longer than five seconds.
class Client {
 public:
  explicit Client(const SocketAddress& server, int receive_buffer = 0) {
    const KernelAddress address = to_sockaddr(server, AddressForm::Plain);
    descriptor_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0)
      ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    EXPECT_EQ(::connect(descriptor_, address.get(), address.size), 0);
    const timeval patience{5, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Client() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Client(Client&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // What one read gives; empty at the end or when nothing came.
  std::string read_once() {
    std::string out(65'536, '\0');
    const ssize_t size = ::recv(descriptor_, out.data(), out.size(), 0);
    last_error_ = size < 0 ? errno : 0;
    out.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
    return out;
  }
  std::string read_until(std::string_view end) {
    std::string out;
    while (out.find(end) == out.npos) {
      const std::string more = read_once();
      if (more.empty()) break;
      out += more;
    }
    return out;
  }
  std::string read_exactly(size_t size) {
    std::string out;
    while (out.size() < size) {
      const std::string more = read_once();
      if (more.empty()) break;
      out += more;
    }
    return out;
  }
  std::string read_to_end() { return read_until(std::string(1, '\0') + "never sent"); }
  void shut_sending() { ::shutdown(descriptor_, SHUT_WR); }
  int descriptor() const { return descriptor_; }
  bool has_timed_out() const { return last_error_ == EAGAIN || last_error_ == EWOULDBLOCK; }
  bool was_reset() const { return last_error_ == ECONNRESET; }
  // The head of the 101; frames that came with it are kept for the caller.
  std::string upgrade(std::string_view target = "/rtc") {
    send("GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
    return read_until("\r\n\r\n");
  }

 private:
  int descriptor_ = -1;
  int last_error_ = 0;
};

// What each path does; every other path is answered with what came.
class Handler final : public node::ControlHandler {
 public:
  explicit Handler(node::HttpPort& port) : port_(port) {}

  std::optional<node::HttpResponse> on_head(const node::HttpRequest& head, bool has_come,
                                            Now) override {
    Inside inside(*this);
    if (head.target == "/early") return text(418, has_come ? "early, all" : "early");
    return std::nullopt;
  }
  node::HttpResponse on_fault(const node::HttpRequest&, node::HttpFault fault, Now) override {
    Inside inside(*this);
    return text(400, "fault " + std::to_string(static_cast<int>(fault)));
  }
  void on_request(ConnectionId connection, node::HttpRequest request, Now now) override {
    Inside inside(*this);
    if (request.is_websocket_upgrade) return on_upgrade(connection, request);
    if (request.target == "/slow") {
      slow_.push_back(connection);
      deadline_ = now.mono + 30ms;
      return;
    }
    if (request.target == "/call") on_call();
    if (request.target == "/peer")
      return port_.respond(connection, text(200, request.peer.text() + "|" +
                                                     (request.is_proxied ? "proxied" : "own")));
    if (request.target == "/drop") return port_.drop(connection);
    is_finished_ = request.target == "/last";
    auto answer = text(200, request.method + " " + request.target + " " + request.body);
    answer.close = request.target == "/bye";
    port_.respond(connection, answer);
  }
  void on_upgrade(ConnectionId connection, const node::HttpRequest& request) {
    if (request.target == "/refuse") {
      auto refusal = text(403, "no");
      refusal.headers.emplace_back("Access-Control-Allow-Origin", "*");
      return port_.respond(connection, refusal);
    }
    port_.accept_websocket(connection);
    if (request.target == "/goodbye") {
      port_.send(connection, shared("one"));
      port_.close_websocket(connection, shared("last"), 4011);
    }
    if (request.target == "/flood") {
      for (int i = 0; i < 30; ++i) port_.send(connection, shared(std::string(131'072, 'f')));
      port_.close_websocket(connection, shared("last"), 4011);
    }
    if (request.target == "/overflow")
      for (int i = 0; i < 40; ++i) port_.send(connection, shared(std::string(131'072, 'f')));
    if (request.target == "/twice") {
      port_.drop(connection);
      port_.close_websocket(connection, nullptr, 4000);
    }
  }
  void on_websocket_message(ConnectionId connection, std::string_view data, bool is_binary,
                            Now) override {
    Inside inside(*this);
    note(is_binary ? "binary" : "text");
    if (data == "close me") return port_.close_websocket(connection, shared("bye"), 4006);
    port_.send(connection, shared("echo " + std::string(data)));
  }
  void on_closed(ConnectionId, Now) override {
    Inside inside(*this);
    note("closed");
  }
  void on_websocket_closed_out(ConnectionId, bool written, Now) override {
    Inside inside(*this);
    note(written ? "written" : "not written");
  }
  void on_wake(Now) override { note("wake"); }
  void on_deadline(Now) override {
    Inside inside(*this);
    deadline_ = kNever;
    for (ConnectionId connection : std::exchange(slow_, {}))
      port_.respond(connection, text(200, "slow"));
  }
  Mono next_deadline() const override { return deadline_; }
  bool is_finished() const override { return is_finished_; }
  void on_loop_ended() { note("loop ended"); }

  // Test thread: waits for the word to have been noted `count` times; false after five seconds.
  bool wait_for(const std::string& word, int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(5), [&] { return notes_[word] >= count; });
  }
  int noted(const std::string& word) {
    std::lock_guard lock(mutex_);
    return notes_[word];
  }
  std::function<void()> on_call;
  bool has_nested() const { return has_nested_; }

 private:
  struct Inside {
    explicit Inside(Handler& h) : handler(h) {
      if (handler.depth_++ > 0) handler.has_nested_ = true;
    }
    ~Inside() { --handler.depth_; }
    Handler& handler;
  };
  static node::HttpResponse text(int status, std::string body) {
    return {.status = status,
            .headers = {{"Content-Type", "text/plain"}},
            .body = std::move(body),
            .close = false};
  }
  static std::shared_ptr<const std::string> shared(std::string value) {
    return std::make_shared<const std::string>(std::move(value));
  }
  void note(const std::string& word) {
    std::lock_guard lock(mutex_);
    ++notes_[word];
    changed_.notify_all();
  }

  node::HttpPort& port_;
  std::vector<ConnectionId> slow_;
  Mono deadline_ = kNever;
  int depth_ = 0;
  bool has_nested_ = false;
  bool is_finished_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> notes_;
};

class Running {
 public:
  explicit Running(HttpTimes times = {}, size_t connections_max = 0,
                   size_t unfinished_bytes_max = 0)
      : Running({.public_addresses = {},
                 .operator_addresses = {},
                 .connections_max = connections_max,
                 .times = times,
                 .unfinished_bytes_max = unfinished_bytes_max}) {}
  explicit Running(HttpServerOptions options)
      : server_(HttpServer::create(on_loopback(std::move(options))).value()), handler(*server_) {
    // The only way into the loop from outside is a wake, as in the daemon.
    server_->set_signal_callback([this](int) { server_->stop(); });
    handler.on_call = [this] {
      if (on_call) on_call(*server_);
    };
    thread_ = std::thread([this] {
      server_->run(handler);
      handler.on_loop_ended();
    });
  }
  ~Running() {
    ::kill(::getpid(), SIGTERM);
    thread_.join();
    EXPECT_FALSE(handler.has_nested());
  }
  SocketAddress address(node::Listener listener = node::Listener::Public) const {
    return server_->addresses(listener).at(0);
  }
  node::Waker& waker() { return server_->waker(); }
  // Only when the loop stands still.
  const HttpServer& server() const { return *server_; }

 private:
  static HttpServerOptions on_loopback(HttpServerOptions options) {
    options.public_addresses = options.operator_addresses = {{*IpAddress::parse("127.0.0.1"), 0}};
    return options;
  }
  std::unique_ptr<HttpServer> server_;

 public:
  Handler handler;
  std::function<void(HttpServer&)> on_call;  // on the control thread, for each request of /call

 private:
  std::thread thread_;
};

inline std::string body_of(const std::string& response) {
  const size_t end = response.find("\r\n\r\n");
  return end == response.npos ? "" : response.substr(end + 4);
}

inline const std::string kHost = " HTTP/1.1\r\nHost: x\r\n";

}  // namespace atrium::runtime
