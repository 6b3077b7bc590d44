// What WebClient is tested against: listeners that answer by script, names that lead where the test says, and a client
// with its two rings.
#pragma once

#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/event_waker.h"
#include "runtime/sockaddr.h"
#include "runtime/spsc_ring.h"
#include "runtime/web_client.h"

namespace atrium::runtime {

// One connection as its script sees it.  Reads end when the client or the Peer ends.
class PeerConnection {
 public:
  explicit PeerConnection(int descriptor) : descriptor_(descriptor) {}
  // Head and body of the next request; empty at the end.
  std::string read_request() {
    std::string out;
    size_t wanted = std::string::npos;
    while (out.size() < wanted) {
      char bytes[4'096];
      const ssize_t size = ::recv(descriptor_, bytes, sizeof bytes, 0);
      if (size <= 0) return "";
      out.append(bytes, static_cast<size_t>(size));
      const size_t head = out.find("\r\n\r\n");
      const size_t length = out.find("Content-Length: ");
      if (head != out.npos) wanted = head + 4 + std::stoul(out.substr(length + 16));
    }
    return out;
  }
  // False when nobody takes it any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Whether the client ends the connection within that time.
  bool ends_within(int ms) {
    pollfd waiting{descriptor_, POLLIN, 0};
    char byte = 0;
    return ::poll(&waiting, 1, ms) == 1 && ::recv(descriptor_, &byte, 1, 0) <= 0;
  }

 private:
  int descriptor_;
};

// Listens; each connection is served by `script` on a thread of its own and closed when that returns.
class Peer {
 public:
  using Script = std::function<void(PeerConnection&)>;
  explicit Peer(Script script, const std::string& address = "127.0.0.1")
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    KernelAddress to = to_sockaddr({*IpAddress::parse(address), 0}, AddressForm::Plain);
    EXPECT_EQ(::bind(listener_, to.get(), to.size), 0);
    EXPECT_EQ(::listen(listener_, 256), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&to.storage), &to.size), 0);
    port_ = from_sockaddr(to.get())->port;
    thread_ = std::thread([this] { accept_all(); });
  }
  ~Peer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    for (const int descriptor : descriptors_) ::shutdown(descriptor, SHUT_RDWR);
    for (std::thread& server : servers_) server.join();
    for (const int descriptor : descriptors_) ::close(descriptor);
    ::close(listener_);
  }
  Peer(const Peer&) = delete;

  uint16_t port() const { return port_; }
  std::string url(const std::string& host = "127.0.0.1", const std::string& path = "/hook") const {
    return "http://" + host + ":" + std::to_string(port_) + path;
  }
  int accepted() {
    std::lock_guard lock(mutex_);
    return static_cast<int>(descriptors_.size());
  }

 private:
  void accept_all() {
    while (true) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (descriptor < 0) return;
      std::lock_guard lock(mutex_);
      descriptors_.push_back(descriptor);
      servers_.emplace_back([this, descriptor] {
        PeerConnection connection(descriptor);
        script_(connection);
        ::shutdown(descriptor, SHUT_RDWR);
      });
    }
  }

  Script script_;
  int listener_;
  uint16_t port_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<int> descriptors_;
  std::list<std::thread> servers_;
};

inline std::string answer_of(int status, const std::string& fields = "",
                             const std::string& body = "") {
  return "HTTP/1.1 " + std::to_string(status) + " Word\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Answers every request the same way, for as long as the client keeps the connection.
inline Peer::Script always(std::string answer) {
  return [answer = std::move(answer)](PeerConnection& connection) {
    while (!connection.read_request().empty())
      if (!connection.send(answer)) return;
  };
}

// A point that threads wait at until it is opened.
class Gate {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  // Test thread; false after ten seconds.
  bool wait_for(int arrivals) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return waiting_ >= arrivals; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = false;
  int waiting_ = 0;  // that ever came
};

inline bool any_address(const IpAddress&) {
  return true;
}
inline node::WebRule all_but(const std::string& address) {
  return
      [refused = *IpAddress::parse(address)](const IpAddress& asked) { return asked != refused; };
}

// A client, and the test's ends of its rings.
class Web {
 public:
  explicit Web(WebClientOptions options = {.rule = any_address}, size_t replies_max = 1'024)
      : client(WebClient::create(std::move(options)).value()),
        orders(1'024, client->waker()),
        replies(replies_max, waker_) {}
  ~Web() { client->stop(); }
  Web& start() {
    client->start(orders.receiver, replies.sender);
    return *this;
  }
  void post(node::WebRequest request) { send(std::move(request)); }
  void post(const std::string& url) {
    post({.id = ++last_id_, .url = url, .headers = {}, .body = "{}"});
  }
  void set_rule(node::WebRule rule) { send(std::move(rule)); }
  node::WebReply reply() {
    node::WebReply out;
    while (!replies.receiver.try_receive(out)) {
      pollfd waiting{waker_.descriptor(), POLLIN, 0};
      if (::poll(&waiting, 1, 10'000) != 1) return {0, 0, "no reply came"};
      waker_.acknowledge();
    }
    return out;
  }
  node::WebReply ask(const std::string& url) {
    post(url);
    return reply();
  }

 private:
  void send(node::WebOrder order) { EXPECT_TRUE(orders.sender.try_send(order)); }

  EventWaker waker_;
  uint64_t last_id_ = 0;

 public:
  std::unique_ptr<WebClient> client;
  RingChannel<node::WebOrder> orders;
  RingChannel<node::WebReply> replies;
};

}  // namespace atrium::runtime
