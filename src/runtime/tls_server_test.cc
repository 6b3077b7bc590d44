// The HTTP server behind TLS: what http_server_test.cc expects of a plain socket, and what TLS adds.
#include <gtest/gtest.h>

#include <atomic>

#include "runtime/http_server_fixture.h"
#include "runtime/proxy_header_test_bytes.h"
#include "runtime/tls_test_client.h"

namespace atrium::runtime {
namespace {

HttpServerOptions with_tls(const TestFolder& folder, HttpTimes times = {}) {
  HttpServerOptions options{.public_addresses = {}, .operator_addresses = {}, .times = times};
  options.tls = TlsContext::load(write_certificate(folder, "first")).value();
  return options;
}

struct TlsServer : ::testing::Test {
  TestFolder folder;
};

std::string server_frame(FrameKind kind, std::string_view payload) {
  return frame_header(kind, payload.size()) + std::string(payload);
}

TEST_F(TlsServer, answers_requests_over_both_versions) {
  Running running(with_tls(folder));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(running.address(), {.version = version, .protocols = {"h2", "http/1.1"}});
    ASSERT_TRUE(client.is_connected()) << version;
    EXPECT_EQ(client.version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_EQ(client.protocol(), "http/1.1");
    EXPECT_EQ(client.certificate_name(), "first");
    client.send("GET /a" + kHost + "\r\n");
    EXPECT_EQ(body_of(client.read_until("GET /a ")), "GET /a ");
    client.send("POST /bye" + kHost + "Content-Length: 3\r\n\r\nxyz");
    EXPECT_EQ(body_of(client.read_to_end()), "POST /bye xyz");
    EXPECT_TRUE(client.saw_close_notify());
  }
}

TEST_F(TlsServer, refuses_old_versions_other_protocols_and_renegotiation) {
  Running running(with_tls(folder));
  EXPECT_FALSE(TlsClient(running.address(), {.version = TLS1_1_VERSION}).is_connected());
  TlsClient other(running.address(), {.protocols = {"h2"}});
  EXPECT_FALSE(other.is_connected());
  EXPECT_EQ(other.reason(), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) << "our alert arrived";
  TlsClient again(running.address(), {.version = TLS1_2_VERSION});
  ASSERT_TRUE(again.is_connected());
  EXPECT_EQ(SSL_renegotiate(again.ssl()), 1);
  EXPECT_NE(SSL_do_handshake(again.ssl()), 1);
}

TEST_F(TlsServer, leaves_the_operators_listener_plain) {
  Running running(with_tls(folder));
  Client client(running.address(node::Listener::Operator));
  client.send("GET /metrics" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_until("/metrics ")), "GET /metrics ");
}

TEST_F(TlsServer, takes_bodies_and_gives_answers_longer_than_any_buffer) {
  Running running(with_tls(folder));
  TlsClient client(running.address());
  const std::string body(static_cast<size_t>(limits::kHttpBodyBytesMax), 'b');
  client.send("POST /bye" + kHost + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
              body);
  EXPECT_EQ(body_of(client.read_to_end()), "POST /bye " + body);
}

TEST_F(TlsServer, takes_a_handshake_in_single_bytes_with_the_request_behind_it) {
  Running running(with_tls(folder));
  TlsClient once(running.address());  // its ticket is not used: only its address
  ASSERT_TRUE(once.is_connected());
  // A client over memory, so that the test says when which byte goes.
  Client socket(running.address());
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_set_connect_state(ssl);
  const auto deliver = [&] {
    char byte = 0;
    while (BIO_read(out, &byte, 1) == 1) socket.send({&byte, 1});
  };
  while (SSL_do_handshake(ssl) != 1) {
    deliver();
    const std::string more = socket.read_once();
    ASSERT_FALSE(more.empty());
    BIO_write(in, more.data(), static_cast<int>(more.size()));
  }
  const std::string request = "GET /bye" + kHost + "\r\n";
  SSL_write(ssl, request.data(), static_cast<int>(request.size()));
  deliver();  // our Finished and the request
  std::string answer;
  char buffer[4'096];
  while (answer.find("GET /bye ") == answer.npos) {
    const int size = SSL_read(ssl, buffer, sizeof buffer);
    if (size > 0) answer.append(buffer, static_cast<size_t>(size));
    if (size > 0) continue;
    const std::string more = socket.read_once();
    ASSERT_FALSE(more.empty());
    BIO_write(in, more.data(), static_cast<int>(more.size()));
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
}

TEST_F(TlsServer, resumes_a_session_by_its_ticket) {
  Running running(with_tls(folder));
  TlsClient first(running.address(), {.version = TLS1_2_VERSION});
  SSL_SESSION* session = SSL_get1_session(first.ssl());
  EXPECT_EQ(SSL_SESSION_has_ticket(session), 1);
  SSL_SESSION_free(session);
}

TEST_F(TlsServer, answers_a_client_that_said_close_notify_behind_its_request) {
  Running running(with_tls(folder));
  TlsClient client(running.address());
  client.send("GET /slow" + kHost + "\r\n");
  client.close_notify();
  EXPECT_EQ(body_of(client.read_to_end()), "slow");
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST_F(TlsServer, ends_an_idle_connection_that_says_close_notify) {
  Running running(with_tls(folder));
  TlsClient client(running.address());
  client.close_notify();
  EXPECT_EQ(client.read_once(), "");
  EXPECT_TRUE(client.saw_close_notify());
}

// --- WebSocket -----------------------------------------------------------------------------------

TEST_F(TlsServer, echoes_websocket_messages) {
  Running running(with_tls(folder));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(running.address(), {.version = version});
    EXPECT_TRUE(client.upgrade().starts_with("HTTP/1.1 101 "));
    const std::string message(100'000, 'm');
    client.send(client_frame(2, message));
    const std::string want = server_frame(FrameKind::Binary, "echo " + message);
    EXPECT_EQ(client.read_exactly(want.size()), want);
  }
}

TEST_F(TlsServer, writes_last_message_close_frame_and_close_notify_then_shuts_and_waits) {
  Running running(with_tls(folder));
  TlsClient client(running.address());
  const std::string first = client.upgrade("/goodbye");
  const std::string want = server_frame(FrameKind::Binary, "one") +
                           server_frame(FrameKind::Binary, "last") + close_frame(4011);
  std::string got = body_of(first);
  got += client.read_exactly(want.size() - got.size());
  EXPECT_EQ(got, want);
  EXPECT_EQ(client.read_once(), "");
  EXPECT_TRUE(client.saw_close_notify());
  EXPECT_EQ(client.socket().read_once(), "") << "and the sending side is shut";
  EXPECT_FALSE(client.socket().was_reset());
  EXPECT_TRUE(running.handler.wait_for("written"));
  EXPECT_TRUE(client.send(client_frame(8, std::string("\x0f\xab", 2)))) << "still read away";
  client.socket().shut_sending();
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

TEST_F(TlsServer, resets_a_client_that_does_not_answer_the_close) {
  HttpTimes times;
  times.close_drain = 50ms;
  Running running(with_tls(folder, times));
  TlsClient client(running.address());
  client.upgrade("/goodbye");
  EXPECT_TRUE(running.handler.wait_for("written"));
  bool is_gone = false;
  for (int i = 0; i < 200 && !is_gone; ++i) {
    ::poll(nullptr, 0, 10);
    is_gone = !client.socket().send("x");
  }
  EXPECT_TRUE(is_gone);
}

TEST_F(TlsServer, gives_up_on_a_client_that_never_reads_and_says_so) {
  HttpTimes times;
  times.close_write = 80ms;
  Running running(with_tls(folder, times));
  TlsClient client(running.address(), {.receive_buffer = 4'096});
  client.send("GET /flood HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_TRUE(running.handler.wait_for("not written"));
  EXPECT_EQ(running.handler.noted("written"), 0);
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

TEST_F(TlsServer, writes_all_of_a_flood_to_a_client_that_reads_slowly) {
  HttpTimes times;
  times.close_write = 30s;
  Running running(with_tls(folder, times));
  TlsClient client(running.address(), {.receive_buffer = 4'096});
  std::string got = body_of(client.upgrade("/flood"));
  std::string want;
  for (int i = 0; i < 30; ++i) want += server_frame(FrameKind::Binary, std::string(131'072, 'f'));
  want += server_frame(FrameKind::Binary, "last") + close_frame(4011);
  got += client.read_exactly(want.size() - got.size());
  EXPECT_TRUE(got == want);
  EXPECT_TRUE(running.handler.wait_for("written"));
}

TEST_F(TlsServer, cuts_a_websocket_whose_queue_is_full) {
  Running running(with_tls(folder));
  TlsClient client(running.address(), {.receive_buffer = 4'096});
  client.send("GET /overflow HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST_F(TlsServer, tells_of_a_websocket_whose_records_break) {
  Running running(with_tls(folder));
  TlsClient client(running.address());
  client.upgrade();
  client.socket().send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  EXPECT_TRUE(running.handler.wait_for("closed"));
  EXPECT_EQ(client.read_once(), "");
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
  EXPECT_EQ(running.handler.noted("closed"), 1);
}

// --- a new certificate -----------------------------------------------------------------------------

TEST_F(TlsServer, gives_new_handshakes_the_new_certificate_and_leaves_open_websockets_alone) {
  Running running(with_tls(folder));
  const TlsFiles files = write_certificate(folder, "second");
  running.on_call = [files](HttpServer& server) {
    EXPECT_TRUE(server.use_tls(TlsContext::load(files).value()).has_value());
  };
  TlsClient before(running.address());
  before.upgrade();
  TlsClient call(running.address());
  call.send("GET /call" + kHost + "\r\n");
  EXPECT_EQ(body_of(call.read_until("/call ")), "GET /call ");
  EXPECT_EQ(call.certificate_name(), "first");
  TlsClient after(running.address());
  EXPECT_EQ(after.certificate_name(), "second");
  before.send(client_frame(2, "hi"));
  const std::string want = server_frame(FrameKind::Binary, "echo hi");
  EXPECT_EQ(before.read_exactly(want.size()), want);
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

TEST_F(TlsServer, cannot_be_turned_on_or_off_while_it_runs) {
  auto tls = TlsContext::load(write_certificate(folder, "first")).value();
  auto plain = HttpServer::create({.public_addresses = {}, .operator_addresses = {}, .times = {}});
  EXPECT_FALSE((*plain)->use_tls(tls).has_value());
  auto server = HttpServer::create(with_tls(folder));
  EXPECT_FALSE((*server)->use_tls(nullptr).has_value());
  EXPECT_TRUE((*server)->use_tls(tls).has_value());
}

// --- clients that misbehave -------------------------------------------------------------------------

TEST_F(TlsServer, answers_plain_http_with_a_word_and_closes) {
  Running running(with_tls(folder));
  Client client(running.address());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("https://"), answer.npos);
}

TEST_F(TlsServer, closes_on_a_broken_handshake_with_an_alert) {
  Running running(with_tls(folder));
  Client client(running.address());
  client.send(std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9) + std::string(100, 'x'));
  const std::string answer = client.read_to_end();
  ASSERT_FALSE(answer.empty());
  EXPECT_EQ(answer[0], 0x15) << "an alert";
  EXPECT_EQ(running.handler.noted("closed"), 0) << "nobody knew of it";
}

TEST_F(TlsServer, does_not_wait_for_slow_handshakes) {
  HttpTimes times;
  times.tls_handshake = 60ms;
  times.idle = 5s;
  auto running = std::make_unique<Running>(with_tls(folder, times));
  std::atomic<uint64_t> failures = 0;
  running->on_call = [&](HttpServer& server) { failures = server.counters().tls_failures; };
  Client slow(running->address());
  const Mono begun = read_clock().mono;
  slow.send("\x16\x03\x01\x02");
  EXPECT_EQ(slow.read_once(), "");
  EXPECT_LT(read_clock().mono - begun, 4s) << "not the idle time";
  TlsClient other(running->address());
  other.send("GET /call" + kHost + "\r\n");
  other.read_until("/call ");
  EXPECT_EQ(failures, 1u);
}

TEST_F(TlsServer, does_not_take_a_handshake_without_end) {
  Running running(with_tls(folder));
  Client client(running.address());
  // A ClientHello that says it is 128,000 bytes long, in whole records.
  const std::string record = std::string("\x16\x03\x01\x40\x00", 5) + std::string(16'384, 'x');
  std::string first = record;
  first.replace(5, 4, std::string("\x01\x01\xf4\x00", 4));
  client.send(first);
  for (int i = 0; i < 6 && client.send(record); ++i) continue;
  const std::string answer = client.read_to_end();
  EXPECT_FALSE(client.has_timed_out()) << "the server waits for the rest";
  EXPECT_TRUE(answer.empty() || answer[0] == 0x15);
}

TEST_F(TlsServer, keeps_hundreds_of_websockets_in_little_memory) {
  raise_open_file_limit().value();
  Running running(with_tls(folder));
  std::vector<std::unique_ptr<TlsClient>> idle;
  idle.push_back(std::make_unique<TlsClient>(running.address()));
  const uint64_t before = process_figures().resident_bytes;
  for (int i = 0; i < 300; ++i) {
    idle.push_back(std::make_unique<TlsClient>(running.address()));
    ASSERT_TRUE(idle.back()->is_connected());
    idle.back()->upgrade();
  }
  // Both sides are in this process.
  const uint64_t each = (process_figures().resident_bytes - before) / 300;
#if defined(ATRIUM_ASAN) || __has_feature(thread_sanitizer)  // their own bytes come on top
  EXPECT_LT(each, 1'048'576u);
#else
  EXPECT_LT(each, 131'072u);
#endif
}

// --- behind a proxy -----------------------------------------------------------------------------------

TEST_F(TlsServer, reads_a_proxys_header_before_the_handshake) {
  HttpServerOptions options = with_tls(folder);
  options.has_proxy_headers = true;
  options.trusted_proxies = {*IpPrefix::parse("127.0.0.0/8")};
  Running running(std::move(options));
  TlsClient client(running.address(), {.before = proxy_from("203.0.113.9", 4711)});
  ASSERT_TRUE(client.is_connected());
  client.send("GET /peer" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_until("proxied")), "203.0.113.9:4711|proxied");
  EXPECT_FALSE(TlsClient(running.address()).is_connected()) << "without the header";
}

}  // namespace
}  // namespace atrium::runtime
