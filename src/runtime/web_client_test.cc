// WebClient against real sockets: what is told of each answer, what is never connected to, and what bounds it.
#include "runtime/web_client.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "runtime/clock.h"
#include "runtime/tls_test_client.h"
#include "runtime/web_peer_testing.h"

namespace atrium::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Where the names of a test lead; every other one is asked of the system.
std::mutex names_mutex;
std::map<std::string, std::vector<std::string>> names;
Gate* stuck_gate = nullptr;  // "stuck.test" is not answered before it opens

struct Name {
  Name(const std::string& name, std::vector<std::string> addresses) {
    std::lock_guard lock(names_mutex);
    names[name] = std::move(addresses);
  }
  ~Name() {
    std::lock_guard lock(names_mutex);
    names.clear();
  }
};

int look_up(const char* name, const char* service, const addrinfo* hints, addrinfo** out) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto system = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string asked = name == nullptr ? "" : name;
  std::vector<std::string> addresses;
  Gate* gate = nullptr;
  {
    std::lock_guard lock(names_mutex);
    if (asked == "stuck.test") gate = stuck_gate;
    if (const auto at = names.find(asked); at != names.end()) addresses = at->second;
  }
  if (gate != nullptr) gate->pass();
  if (asked.ends_with(".test") && addresses.empty()) return EAI_NONAME;
  if (addresses.empty()) return system(name, service, hints, out);
  addrinfo** end = out;  // one list for each address, joined
  for (const std::string& address : addresses) {
    if (const int problem = system(address.c_str(), service, hints, end); problem != 0)
      return problem;
    while (*end != nullptr) end = &(*end)->ai_next;
  }
  return 0;
}

// --- what is told of answers -----------------------------------------------------------------------

TEST(WebClient, posts_what_it_is_given_and_tells_the_status) {
  std::string seen;
  Peer peer([&seen](PeerConnection& connection) {
    seen = connection.read_request();
    connection.send(answer_of(200, "", "ignored"));
    connection.read_request();
  });
  Web web;
  web.start().post({.id = 77,
                    .url = peer.url("127.0.0.1", "/hook?a=b"),
                    .headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}},
                    .body = "{\"a\":1}"});
  const node::WebReply reply = web.reply();
  EXPECT_EQ(reply.id, 77u);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.why, "");
  web.client->stop();
  EXPECT_THAT(seen, StartsWith("POST /hook?a=b HTTP/1.1\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\nX-Empty:\r\n"));
  EXPECT_THAT(seen, HasSubstr("\r\n\r\n{\"a\":1}"));
}

TEST(WebClient, tells_an_answers_number) {
  Web web;
  web.start();
  Peer no_content(always("HTTP/1.1 204 No Content\r\n\r\n"));
  const node::WebReply good = web.ask(no_content.url());
  EXPECT_EQ(good.status, 204);
  EXPECT_EQ(good.why, "");
  Peer failing(always(answer_of(500, "", "Bearer hush")));
  const node::WebReply bad = web.ask(failing.url());
  EXPECT_EQ(bad.status, 500);
  EXPECT_EQ(bad.why, "answered 500");
}

TEST(WebClient, refuses_redirects_without_a_look_at_where_they_lead) {
  Peer other(always(answer_of(200)));
  Peer peer(always(answer_of(302, "Location: " + other.url() + "\r\n")));
  Web web;
  const node::WebReply reply = web.start().ask(peer.url());
  EXPECT_EQ(reply.status, 302);
  EXPECT_EQ(reply.why, "redirect refused (302)");
  EXPECT_EQ(web.ask(other.url()).status, 200);
  EXPECT_EQ(other.accepted(), 1) << "ours alone";
}

TEST(WebClient, tells_why_there_was_no_answer) {
  Web web;
  web.start();
  Peer silent([](PeerConnection& connection) { connection.read_request(); });
  EXPECT_EQ(web.ask(silent.url()).why, "connection closed before the answer's end");
  Peer half([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
  });
  const node::WebReply cut = web.ask(half.url());
  EXPECT_EQ(cut.status, 0);
  EXPECT_EQ(cut.why, "connection closed before the answer's end");
  Peer other_words(always("220 mail.test ESMTP\r\n"));
  EXPECT_EQ(web.ask(other_words.url()).why, "answer is not HTTP");
  EXPECT_EQ(web.ask("http://none.test/").why, "name cannot be resolved");
  Peer plain([](PeerConnection& connection) {
    connection.send(answer_of(400));
    connection.ends_within(5'000);
  });
  EXPECT_EQ(web.ask("https://127.0.0.1:" + std::to_string(plain.port()) + "/").why,
            "no TLS connection");
}

TEST(WebClient, tells_of_a_port_that_nobody_listens_on) {
  const int bound = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  KernelAddress address = to_sockaddr({*IpAddress::parse("127.0.0.1"), 0}, AddressForm::Plain);
  ASSERT_EQ(::bind(bound, address.get(), address.size), 0);
  ASSERT_EQ(::getsockname(bound, reinterpret_cast<sockaddr*>(&address.storage), &address.size), 0);
  Web web;
  const node::WebReply reply =
      web.start().ask("http://" + from_sockaddr(address.get())->text() + "/");
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.why, "connection refused");
  ::close(bound);
}

TEST(WebClient, refuses_what_is_no_web_address_and_keeps_secrets_to_itself) {
  Web web;
  web.start();
  for (const char* url : {"ftp://127.0.0.1/hush", "file:///etc/hush", "gopher://127.0.0.1/hush",
                          "127.0.0.1/hush", "", "http://"})
    EXPECT_EQ(web.ask(url).why, "not an http or https address") << url;
  for (const char* url : {"http://127.0.0.1:99999/hush", "http://a b/hush", "http://a/\nhush"})
    EXPECT_EQ(web.ask(url).why, "malformed address") << url;
  EXPECT_EQ(web.ask("http://user:hush@127.0.0.1/").why, "user names in addresses are refused");
  web.post({.id = 1, .url = "http://127.0.0.1/", .headers = {{"A", "b\r\nX-Hush: c"}}, .body = ""});
  EXPECT_EQ(web.reply().why, "malformed header");
}

TEST(WebClient, takes_no_proxy_from_the_environment) {
  Peer proxy(always(answer_of(200)));
  Peer peer(always(answer_of(201)));
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::setenv("all_proxy", proxy.url().c_str(), 1);
  Web web;
  EXPECT_EQ(web.start().ask(peer.url()).status, 201);
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
  EXPECT_EQ(proxy.accepted(), 0);
}

// --- time and size ---------------------------------------------------------------------------------

TEST(WebClient, gives_up_on_silence_and_on_slow_answers_at_the_same_time) {
  Web web({.rule = any_address, .answer = 200ms});
  web.start();
  Peer silent([](PeerConnection& connection) {
    while (!connection.read_request().empty()) {
    }
  });
  EXPECT_EQ(web.ask(silent.url()).why, "timeout");
  Peer slow([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
    while (!connection.ends_within(10)) connection.send("x");
  });
  const Mono begin = read_clock().mono;
  const node::WebReply reply = web.ask(slow.url());
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.why, "timeout");
  EXPECT_GE(read_clock().mono - begin, 190ms);
  EXPECT_LT(read_clock().mono - begin, 5s);
}

TEST(WebClient, takes_answers_up_to_their_limit) {
  Web web;
  web.start();
  const size_t head = answer_of(200, "", std::string(60'000, 'x')).size() - 60'000;
  const size_t room = static_cast<size_t>(limits::kWebhookAnswerBytesMax) - head;
  Peer largest(always(answer_of(200, "", std::string(room, 'x'))));
  EXPECT_EQ(web.ask(largest.url()).status, 200);
  Peer larger(always(answer_of(200, "", std::string(room + 1, 'x'))));
  const node::WebReply reply = web.ask(larger.url());
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.why, "answer too long");
}

TEST(WebClient, refuses_answers_that_are_too_long_however_they_are_sent) {
  Web web;
  web.start();
  Peer announced(always(answer_of(200, "", std::string(70 * 1'024, 'x'))));
  EXPECT_EQ(web.ask(announced.url()).why, "answer too long");
  std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 70; ++i) chunks += "400\r\n" + std::string(1'024, 'x') + "\r\n";
  Peer chunked(always(chunks + "0\r\n\r\n"));
  EXPECT_EQ(web.ask(chunked.url()).why, "answer too long");
  Peer lines([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\n");
    while (connection.send("X-Flood: abcdefghijklmnopqrstuvwxyz\r\n")) {
    }
  });
  EXPECT_EQ(web.ask(lines.url()).why, "answer too long");
  Peer line([](PeerConnection& connection) {
    connection.read_request();
    connection.send("HTTP/1.1 200 OK\r\nX-Flood: ");
    while (connection.send("abcdefghijklmnopqrstuvwxyz")) {
    }
  });
  EXPECT_EQ(web.ask(line.url()).why, "answer too long");
  Peer interim([](PeerConnection& connection) {
    connection.read_request();
    while (connection.send("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  EXPECT_EQ(web.ask(interim.url()).why, "answer too long");
}

// The orders lie in the ring before the client looks at it, so that all it may take it takes at once.
TEST(WebClient, has_so_many_requests_on_their_way_and_no_more) {
  constexpr int kAll = 100, kAtOnce = 8;
  Gate gate;
  Peer peer([&gate](PeerConnection& connection) {
    while (!connection.read_request().empty()) {
      gate.pass();
      connection.send(answer_of(200));
    }
  });
  Web web({.rule = any_address, .in_flight_max = kAtOnce});
  for (int i = 0; i < kAll; ++i) web.post(peer.url());
  web.start();
  ASSERT_TRUE(gate.wait_for(kAtOnce));
  EXPECT_EQ(web.orders.ring.approximate_size(), size_t{kAll - kAtOnce});
  gate.open();
  std::vector<uint64_t> ids;
  for (int i = 0; i < kAll; ++i) {
    const node::WebReply reply = web.reply();
    EXPECT_EQ(reply.status, 200) << reply.why;
    ids.push_back(reply.id);
  }
  std::ranges::sort(ids);
  for (int i = 0; i < kAll; ++i)
    EXPECT_EQ(ids[static_cast<size_t>(i)], static_cast<uint64_t>(i) + 1);
  EXPECT_LE(peer.accepted(), kAtOnce) << "connections are used again";
}

TEST(WebClient, loses_no_reply_when_their_ring_is_full) {
  Peer peer(always(answer_of(200)));
  Web web({.rule = any_address, .in_flight_max = 4}, 1);
  web.start();
  for (int i = 0; i < 20; ++i) web.post(peer.url());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(web.reply().status, 200);
}

// --- addresses -------------------------------------------------------------------------------------

TEST(WebClient, connects_to_no_address_that_the_rule_refuses_however_it_is_written) {
  Peer peer(always(answer_of(200)));
  Web web({.rule = all_but("127.0.0.1")});
  web.start();
  Name name("inside.test", {"127.0.0.1"});
  for (const char* host : {"127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]", "inside.test"}) {
    const node::WebReply reply = web.ask(peer.url(host));
    EXPECT_EQ(reply.status, 0) << host;
    EXPECT_EQ(reply.why, "address 127.0.0.1 is not allowed") << host;
  }
  Web other;
  EXPECT_EQ(other.start().ask(peer.url()).status, 200);
  EXPECT_EQ(peer.accepted(), 1)
      << "that one alone: connections come in the order in which they were made";
}

TEST(WebClient, goes_on_to_the_next_address_of_a_name) {
  Peer allowed(always(answer_of(200)), "127.0.0.2");
  Name name("two.test", {"127.0.0.1", "127.0.0.2"});
  Web web({.rule = all_but("127.0.0.1")});
  EXPECT_EQ(web.start().ask(allowed.url("two.test")).why, "");
  Web neither({.rule = [](const IpAddress&) { return false; }});
  EXPECT_EQ(neither.start().ask(allowed.url("two.test")).why, "address 127.0.0.1 is not allowed");
  Peer refused(always(answer_of(200)));
  Web last({.rule = all_but("127.0.0.1")});
  EXPECT_EQ(last.start().ask(refused.url("two.test")).why, "connection refused") << "by 127.0.0.2";
}

TEST(WebClient, goes_on_from_one_family_to_the_other) {
  Peer peer(always(answer_of(200)));
  Web web({.rule = all_but("::1")});
  EXPECT_EQ(web.start().ask(peer.url("localhost")).status, 200);
  Name name("six.test", {"::1", "127.0.0.1"});
  EXPECT_EQ(web.ask(peer.url("six.test")).status, 200);
}

TEST(WebClient, tries_a_bounded_number_of_addresses) {
  Peer peer(always(answer_of(200)), "127.0.1.200");
  std::vector<std::string> addresses;
  for (int i = 0; i < limits::kWebhookAddressesMax; ++i)
    addresses.push_back("127.0.1." + std::to_string(i + 1));
  addresses.push_back("127.0.1.200");
  std::atomic<int> asked = 0;
  Name name("many.test", addresses);
  Web web({.rule = [&asked](const IpAddress& address) {
    ++asked;
    return address.bytes[3] == 200;
  }});
  EXPECT_EQ(web.start().ask(peer.url("many.test")).why, "address 127.0.1.1 is not allowed");
  EXPECT_EQ(asked, limits::kWebhookAddressesMax);
}

TEST(WebClient, keeps_connections_until_the_rule_changes) {
  Peer peer(always(answer_of(200)));
  Web web;
  web.start();
  EXPECT_EQ(web.ask(peer.url()).status, 200);
  EXPECT_EQ(web.ask(peer.url()).status, 200);
  EXPECT_EQ(peer.accepted(), 1) << "kept";
  web.set_rule(all_but("127.0.0.1"));
  EXPECT_EQ(web.ask(peer.url()).why, "address 127.0.0.1 is not allowed");
  web.set_rule(any_address);
  EXPECT_EQ(web.ask(peer.url()).status, 200);
  EXPECT_EQ(peer.accepted(), 2) << "a new one";
}

TEST(WebClient, lets_what_is_on_its_way_end_before_the_rule_changes) {
  Gate gate;
  Peer peer([&gate](PeerConnection& connection) {
    connection.read_request();
    gate.pass();
    connection.send(answer_of(200));
    connection.read_request();
  });
  Web web;
  web.start().post(peer.url());
  ASSERT_TRUE(gate.wait_for(1));
  web.set_rule(all_but("127.0.0.1"));
  web.post(peer.url());
  gate.open();
  EXPECT_EQ(web.reply().status, 200);
  EXPECT_EQ(web.reply().why, "address 127.0.0.1 is not allowed");
  EXPECT_EQ(peer.accepted(), 1);
}

TEST(WebClient, makes_a_new_connection_where_the_kept_one_was_closed) {
  Peer peer([](PeerConnection& connection) {
    connection.read_request();
    connection.send(answer_of(200));
  });
  Web web;
  web.start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(web.ask(peer.url()).status, 200) << i;
  EXPECT_EQ(peer.accepted(), 5);
}

// --- names and threads -------------------------------------------------------------------------------

class StuckName {
 public:
  StuckName() { set(&gate); }
  ~StuckName() {
    gate.open();
    set(nullptr);
  }
  Gate& gate = make_gate();

 private:
  // Never freed: a look-up that was given up looks at its gate later.
  static Gate& make_gate() {
    static auto& gates = *new std::list<Gate>;
    return gates.emplace_back();
  }
  static void set(Gate* to) {
    std::lock_guard lock(names_mutex);
    stuck_gate = to;
  }
};

TEST(WebClient, is_not_held_up_by_a_name_that_is_not_answered) {
  StuckName stuck;
  Peer peer(always(answer_of(200)));
  Web web({.rule = any_address, .answer = 200ms});
  web.start().post("http://stuck.test/");
  ASSERT_TRUE(stuck.gate.wait_for(1));
  EXPECT_EQ(web.ask(peer.url()).status, 200);
  EXPECT_EQ(web.reply().why, "timeout");
  EXPECT_EQ(web.ask(peer.url()).status, 200);
}

TEST(WebClient, stops_at_once_whatever_it_waits_for) {
  StuckName stuck;
  Gate gate;
  Peer peer([&gate](PeerConnection& connection) {
    connection.read_request();
    gate.open();
    connection.read_request();
  });
  Web web({.rule = any_address, .answer = 60s});
  web.start().post(peer.url());
  web.post("http://stuck.test/");
  gate.pass();
  ASSERT_TRUE(stuck.gate.wait_for(1));
  const Mono begin = read_clock().mono;
  web.client->stop();
  EXPECT_LT(read_clock().mono - begin, 5s);
  web.client->stop();
  node::WebReply reply;
  EXPECT_FALSE(web.replies.receiver.try_receive(reply)) << reply.why;
}

size_t count_of(const char* folder) {
  const std::filesystem::directory_iterator entries(folder);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

// The listener is in the kernel alone: nothing else begins or ends while threads and descriptors are counted.
TEST(WebClient, leaves_no_thread_and_no_descriptor_behind) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  KernelAddress address = to_sockaddr({*IpAddress::parse("127.0.0.1"), 0}, AddressForm::Plain);
  ASSERT_EQ(::bind(listener, address.get(), address.size), 0);
  ASSERT_EQ(::listen(listener, 16), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address.storage), &address.size),
            0);
  Name name("here.test", {"127.0.0.1"});
  const std::string port = std::to_string(from_sockaddr(address.get())->port);
  const auto one_life = [&port] {
    Web web({.rule = any_address, .answer = 50ms});
    EXPECT_EQ(web.start().ask("http://here.test:" + port + "/").why, "timeout");
    web.post("http://127.0.0.1:" + port + "/");
  };
  one_life();  // what libraries and sanitizers make once
  const size_t threads = count_of("/proc/self/task"), descriptors = count_of("/proc/self/fd");
  for (int i = 0; i < 3; ++i) one_life();
  EXPECT_EQ(count_of("/proc/self/task"), threads);
  EXPECT_EQ(count_of("/proc/self/fd"), descriptors);
  ::close(listener);
}

// --- TLS -------------------------------------------------------------------------------------------

struct WebClientTls : ::testing::Test {
  TestFolder folder;
  TlsFiles files = write_certificate(folder, "localhost");
  HttpServerOptions server() const {
    HttpServerOptions options{
        .public_addresses = {}, .operator_addresses = {}, .times = HttpTimes()};
    options.tls = TlsContext::load(files).value();
    return options;
  }
  static std::string url(const Running& running, const std::string& host) {
    return "https://" + host + ":" + std::to_string(running.address().port) + "/x?token=hush";
  }
};

TEST_F(WebClientTls, believes_the_systems_authorities_alone_by_default) {
  Running running(server());
  Web web;
  const node::WebReply reply = web.start().ask(url(running, "localhost"));
  EXPECT_EQ(reply.status, 0);
  EXPECT_EQ(reply.why, "certificate: self-signed certificate");
}

TEST_F(WebClientTls, believes_the_operators_authority_too) {
  Running running(server());
  Web web({.rule = any_address, .ca_file = files.certificate});
  const node::WebReply reply = web.start().ask(url(running, "localhost"));
  EXPECT_EQ(reply.status, 200) << reply.why;
}

TEST_F(WebClientTls, refuses_a_certificate_of_another_name) {
  Running running(server());
  Name name("elsewhere.test", {"127.0.0.1"});
  Web web({.rule = any_address, .ca_file = files.certificate});
  const node::WebReply reply = web.start().ask(url(running, "elsewhere.test"));
  EXPECT_EQ(reply.status, 0);
  EXPECT_THAT(reply.why, StartsWith("certificate: "));
  EXPECT_THAT(reply.why, HasSubstr("elsewhere.test"));
  EXPECT_THAT(reply.why, Not(HasSubstr("hush")));
}

TEST_F(WebClientTls, shows_nothing_of_a_certificate_that_could_break_a_log) {
  const TestCertificate made = make_test_certificate("x\n{\"level\"\xff");
  files = {folder.write("strange.pem", made.certificate), folder.write("strange.key", made.key)};
  Running running(server());
  Web web({.rule = any_address, .ca_file = files.certificate});
  EXPECT_THAT(
      web.start().ask(url(running, "localhost")).why,
      testing::AllOf(StartsWith("certificate: "), HasSubstr("x?{"), HasSubstr("localhost")));
}

TEST_F(WebClientTls, asks_the_rule_before_any_handshake) {
  Running running(server());
  Web web({.rule = all_but("127.0.0.1"), .ca_file = files.certificate});
  const node::WebReply reply =
      web.start().ask("https://127.0.0.1:" + std::to_string(running.address().port) + "/");
  EXPECT_EQ(reply.why, "address 127.0.0.1 is not allowed");
}

}  // namespace
}  // namespace atrium::runtime

// libcurl's look-ups come here instead of the C library.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** out) {
  return atrium::runtime::look_up(name, service, hints, out);
}
