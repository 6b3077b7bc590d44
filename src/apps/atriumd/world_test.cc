// The real threads together: control, two shards, store and sctp, with real sockets.  Its point is the thread
// sanitizer: every
// ring and waker of the daemon is crossed here.
#include "world.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "adapters/openapi/signer.h"
#include "base/crypto.h"
#include "runtime/clock.h"

namespace atrium::atriumd {
namespace {

class Connection {
 public:
  explicit Connection(const SocketAddress& to) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    ::inet_pton(AF_INET, to.ip.text().c_str(), &address.sin_addr);
    timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { ::close(fd_); }
  bool connected() const { return connected_; }
  void write(const std::string& text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Reads until `end` was seen or the peer closed.
  std::string read_until(const std::string& end) {
    char buffer[4096];
    while (seen_.find(end) == seen_.npos) {
      const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      seen_.append(buffer, static_cast<size_t>(got));
    }
    return seen_;
  }
  std::string read_all() { return read_until(std::string(1, '\0') + "never"); }

 private:
  int fd_ = -1;
  bool connected_ = false;
  std::string seen_;
};

class WorldTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::temp_directory_path() / ("atrium-world-" + std::to_string(::getpid()));
    const IpAddress loopback = IpAddress::parse("127.0.0.1").value();
    Settings settings;
    settings.dev = true;
    settings.data_dir = directory_.string();
    settings.http_listen = settings.operator_listen = {{loopback, 0}};
    settings.media_port = 0;
    settings.media_shards = 2;
    apply_dev_defaults(settings);
    auto world = World::create(settings, {});
    ASSERT_TRUE(world.has_value()) << world.error();
    world_ = std::move(*world);
    thread_ = std::thread([this] { world_->run(); });
  }
  void TearDown() override {
    ::kill(::getpid(), SIGTERM);
    thread_.join();
    world_.reset();
    std::filesystem::remove_all(directory_);
  }

  static std::string jwt(const std::string& user, const std::string& room) {
    const std::string body =
        base64url(as_bytes(R"({"alg":"HS256","typ":"JWT"})")) + "." +
        base64url(as_bytes(R"({"iss":"devkey","exp":4102444800,"sub":")" + user +
                           R"(","video":{"roomJoin":true,"room":")" + room + "\"}}"));
    return body + "." + base64url(hmac_sha256(as_bytes("secret"), as_bytes(body)));
  }
  std::unique_ptr<Connection> join(const std::string& user, const std::string& room) {
    auto socket = std::make_unique<Connection>(world_->http_addresses().front());
    socket->write(
        "GET /rtc/v1?access_token=" + jwt(user, room) +
        "&join_request=EgA%3D HTTP/1.1\r\nHost: atrium\r\nConnection: Upgrade\r\nUpgrade: "
        "websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    const std::string answer = socket->read_until("PA_");
    EXPECT_NE(answer.find("101 "), std::string::npos) << answer;
    return socket;
  }
  std::string dismiss(const std::string& room) {
    const std::string body =
        R"({"AppId":"a7e100000000000000000001","Receipt":true,"RoomId":")" + room + "\"}";
    openapi::Request request{
        "POST", "/?Action=DismissRoom&Version=2020-12-01", {{"Host", "atrium"}}, body, {}};
    openapi::sign_request(request, {"AKLTdevaccesskey000000000001", "ZGV2LXNlY3JldC1rZXk="},
                          runtime::read_clock().wall);
    std::string head = "POST " + request.target + " HTTP/1.1\r\nConnection: close\r\n";
    for (const auto& [name, value] : request.headers) head += name + ": " + value + "\r\n";
    Connection socket(world_->http_addresses().front());
    socket.write(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return socket.read_all();
  }

  std::filesystem::path directory_;
  std::unique_ptr<World> world_;
  std::thread thread_;
};

TEST_F(WorldTest, rooms_on_two_shards_are_joined_dismissed_and_counted) {
  for (int round = 0; round < 5; ++round) {
    std::vector<std::unique_ptr<Connection>> people;
    for (const char* room : {"one", "two", "three"})
      for (const std::string user : {"alice", "bob"})
        people.push_back(join(user + std::to_string(round), room));
    std::thread other([this] { EXPECT_NE(dismiss("two").find("\"success\""), std::string::npos); });
    const std::string answer = dismiss("one");
    other.join();
    EXPECT_NE(answer.find("\"UsersAtFence\":2"), std::string::npos) << answer;
    EXPECT_NE(dismiss("three").find("\"success\""), std::string::npos);
    for (auto& person : people)
      EXPECT_NE(person->read_all().find("\x88"), std::string::npos) << "a close frame";
  }
  Connection scrape(world_->operator_addresses().front());
  scrape.write("GET /metrics HTTP/1.1\r\nHost: atrium\r\nConnection: close\r\n\r\n");
  const std::string page = scrape.read_all();
  EXPECT_NE(page.find("atrium_dismissals_total{outcome=\"done\"} 15"), std::string::npos) << page;
  EXPECT_NE(page.find("atrium_rooms 0"), std::string::npos);
}

}  // namespace
}  // namespace atrium::atriumd
