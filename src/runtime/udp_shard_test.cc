// Loopback with ports that the kernel chooses: this is the one place of the tree with system calls to test.
#include "runtime/udp_shard.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <semaphore>
#include <string>
#include <vector>

#include "base/limits.h"
#include "runtime/clock.h"
#include "runtime/sockaddr.h"

namespace atrium::runtime {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

// A peer's socket; receives with a bound of two seconds.
class Peer {
 public:
  explicit Peer(const char* address) {
    const KernelAddress local = to_sockaddr({ip(address), 0}, AddressForm::Plain);
    descriptor_ = ::socket(local.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    is_open_ = descriptor_ >= 0 && ::bind(descriptor_, local.get(), local.size) == 0;
    const timeval patience{2, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Peer() { ::close(descriptor_); }
  bool is_open() const { return is_open_; }
  void send(const char* to, uint16_t port, const std::string& text) {
    const KernelAddress address = to_sockaddr({ip(to), port}, AddressForm::Plain);
    EXPECT_EQ(::sendto(descriptor_, text.data(), text.size(), 0, address.get(), address.size),
              static_cast<ssize_t>(text.size()));
  }
  // Text and who sent it; empty after two seconds.
  std::pair<std::string, SocketAddress> receive() {
    char buffer[2048];
    KernelAddress from;
    from.size = sizeof from.storage;
    const ssize_t size = ::recvfrom(descriptor_, buffer, sizeof buffer, 0,
                                    reinterpret_cast<sockaddr*>(&from.storage), &from.size);
    if (size < 0) return {};
    return {std::string(buffer, static_cast<size_t>(size)), *from_sockaddr(from.get())};
  }

 private:
  int descriptor_ = -1;
  bool is_open_ = false;
};

// Answers each datagram with `answers` pieces; everything is touched by the shard's thread alone until stop().
struct Answerer final : node::ShardHandler {
  void on_datagrams(std::span<node::ShardDatagram> batch, Now) override {
    for (const auto& datagram : batch) {
      paths.push_back(datagram.path);
      texts.emplace_back(as_text(datagram.bytes));
    }
    pending = !batch.empty();
  }
  void on_wake(Now) override { woken.release(); }
  void on_deadline(Now) override {
    deadline = kNever;
    fired.release();
  }
  Mono next_deadline() const override { return deadline; }
  std::span<const node::ShardSendRun> drain(Now) override {
    runs.clear();
    if (!pending) return {};
    pending = false;
    views.clear();
    for (const auto& answer : answers) views.push_back(as_bytes(answer));
    runs.push_back({paths.back(), views});
    return runs;
  }
  bool has_more_to_send() const override { return false; }

  std::vector<std::string> answers;
  std::vector<FiveTuple> paths;
  std::vector<std::string> texts;
  std::vector<ByteView> views;
  std::vector<node::ShardSendRun> runs;
  Mono deadline = kNever;
  bool pending = false;
  std::counting_semaphore<> woken{0}, fired{0};
};

TEST(UdpShard, answers_from_the_address_that_was_asked) {
  auto shard = UdpShard::create({.port = 0}).value();
  Answerer answerer;
  answerer.answers = {"pong"};
  shard->start(answerer);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.3", shard->port(), "ping");  // any 127/8 address is ours on Linux
  const auto [text, from] = peer.receive();
  shard->stop();
  EXPECT_EQ(text, "pong");
  EXPECT_EQ(from.text(), "127.0.0.3:" + std::to_string(shard->port()));
  ASSERT_EQ(answerer.paths.size(), 1u);
  EXPECT_EQ(answerer.paths[0].local.ip.text(), "127.0.0.3");
  EXPECT_FALSE(answerer.paths[0].remote.ip.is_v6) << "an IPv4 peer is shown as IPv4";
}

TEST(UdpShard, serves_ipv6_on_the_same_port) {
  auto shard = UdpShard::create({.port = 0}).value();
  Peer peer("::1");
  if (!shard->is_dual_stack() || !peer.is_open()) GTEST_SKIP() << "no IPv6 on this machine";
  Answerer answerer;
  answerer.answers = {"pong6"};
  shard->start(answerer);
  peer.send("::1", shard->port(), "ping");
  const auto [text, from] = peer.receive();
  shard->stop();
  EXPECT_EQ(text, "pong6");
  EXPECT_EQ(from.ip.text(), "::1");
}

TEST(UdpShard, binds_to_one_address_where_told) {
  auto shard = UdpShard::create({.port = 0, .bind = ip("127.0.0.1")}).value();
  Answerer answerer;
  answerer.answers = {"here"};
  shard->start(answerer);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.1", shard->port(), "ping");
  EXPECT_EQ(peer.receive().first, "here");
  shard->stop();
}

TEST(UdpShard, sends_a_run_of_equal_datagrams_in_one_segmented_message_and_keeps_their_borders) {
  auto shard = UdpShard::create({.port = 0}).value();
  Answerer answerer;
  for (char c = 'a'; c < 'a' + 10; ++c) answerer.answers.emplace_back(1'100, c);
  answerer.answers.emplace_back(300, 'z');  // shorter: the last of its group
  answerer.answers.emplace_back(700, 'y');  // longer again: another group
  shard->start(answerer);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.1", shard->port(), "go");
  std::vector<std::string> got;
  for (size_t i = 0; i < answerer.answers.size(); ++i) got.push_back(peer.receive().first);
  shard->stop();
  EXPECT_EQ(got, answerer.answers);
  const UdpShardCounters counters = shard->counters();
  EXPECT_EQ(counters.sent_datagrams, answerer.answers.size());
  EXPECT_EQ(counters.segmented_sends + counters.segmentation_refused, 1u);
  EXPECT_EQ(counters.send_calls, 1u + counters.segmentation_refused);
}

TEST(UdpShard, cuts_long_runs_into_messages_the_kernel_takes) {
  auto shard = UdpShard::create({.port = 0}).value();
  Answerer answerer;
  for (int i = 0; i < 150; ++i) answerer.answers.emplace_back(100, static_cast<char>('A' + i % 26));
  shard->start(answerer);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.1", shard->port(), "go");
  size_t got = 0;
  while (got < 150 && !peer.receive().first.empty()) ++got;
  shard->stop();
  EXPECT_EQ(got, 150u);
}

TEST(UdpShard, drops_and_counts_what_is_too_long_in_either_direction) {
  auto shard = UdpShard::create({.port = 0}).value();
  Answerer answerer;
  answerer.answers = {std::string(1'501, 'x'), "ok"};
  shard->start(answerer);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.1", shard->port(), std::string(1'501, 'x'));
  peer.send("127.0.0.1", shard->port(), "fine");
  EXPECT_EQ(peer.receive().first, "ok");
  shard->stop();
  EXPECT_EQ(shard->counters().dropped_oversize, 2u);
  EXPECT_EQ(answerer.texts, std::vector<std::string>{"fine"});
}

TEST(UdpShard, drops_and_counts_what_has_no_route_and_sends_the_rest) {
  auto shard = UdpShard::create({.port = 0, .bind = ip("127.0.0.1")}).value();
  struct TwoRuns final : node::ShardHandler {
    void on_datagrams(std::span<node::ShardDatagram> batch, Now) override {
      good = batch.back().path;
      pending = true;
    }
    void on_wake(Now) override {}
    void on_deadline(Now) override {}
    Mono next_deadline() const override { return kNever; }
    std::span<const node::ShardSendRun> drain(Now) override {
      if (!std::exchange(pending, false)) return {};
      FiveTuple bad = good;
      bad.remote = {ip("255.255.255.255"), 9};  // broadcast without permission: EACCES
      runs = {{bad, view}, {good, view}};
      return runs;
    }
    bool has_more_to_send() const override { return false; }
    FiveTuple good;
    bool pending = false;
    std::string text = "through";
    std::vector<ByteView> view{as_bytes(text)};
    std::vector<node::ShardSendRun> runs;
  } handler;
  shard->start(handler);
  Peer peer("127.0.0.1");
  peer.send("127.0.0.1", shard->port(), "go");
  EXPECT_EQ(peer.receive().first, "through");
  shard->stop();
  EXPECT_EQ(shard->counters().dropped_send_refused, 1u);
  EXPECT_EQ(shard->counters().sent_datagrams, 1u);
}

TEST(UdpShard, is_woken_by_other_threads_and_by_its_deadline) {
  auto shard = UdpShard::create({.port = 0}).value();
  Answerer answerer;
  answerer.deadline = read_clock().mono + 10ms;
  shard->start(answerer);
  answerer.woken.acquire();  // once at the start
  answerer.fired.acquire();
  shard->waker().wake();
  answerer.woken.acquire();
  shard->stop();
}

TEST(UdpShard, refuses_a_port_in_use_when_it_is_made) {
  auto first = UdpShard::create({.port = 0}).value();
  const auto second = UdpShard::create({.port = first->port()});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::Unavailable);
}

}  // namespace
}  // namespace atrium::runtime
