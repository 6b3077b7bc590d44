// Raw sockets against a running server on 127.0.0.1.
#include "runtime/http_server.h"

#include <gtest/gtest.h>

#include "runtime/http_server_fixture.h"

namespace atrium::runtime {
namespace {

TEST(HttpServer, answers_several_requests_on_one_connection) {
  Running running;
  Client client(running.address());
  client.send("GET /a" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_until("GET /a ")), "GET /a ");
  client.send("POST /b" + kHost + "Content-Length: 3\r\n\r\nxyz");
  EXPECT_EQ(body_of(client.read_until("xyz")), "POST /b xyz");
  client.send("GET /bye" + kHost + "\r\n");
  const std::string last = client.read_to_end();
  EXPECT_NE(last.find("Connection: close"), last.npos);
  EXPECT_NE(last.find("Date: "), last.npos);
}

TEST(HttpServer, answers_pipelined_requests_in_order_even_when_the_first_takes_longer) {
  Running running;
  Client client(running.address());
  client.send("GET /slow" + kHost + "\r\nGET /second" + kHost + "\r\nGET /bye" + kHost + "\r\n");
  const std::string all = client.read_to_end();
  EXPECT_LT(all.find("slow"), all.find("/second"));
  EXPECT_LT(all.find("/second"), all.find("/bye"));
  EXPECT_NE(all.find("/bye"), all.npos);
}

TEST(HttpServer, answers_a_client_that_shut_its_sending_side) {
  Running running;
  Client client(running.address());
  client.send("GET /slow" + kHost + "\r\n");
  client.shut_sending();
  EXPECT_EQ(body_of(client.read_to_end()), "slow");
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, answers_head_without_a_body) {
  Running running;
  Client client(running.address());
  client.send("HEAD /bye" + kHost + "\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), answer.npos) << answer;
  EXPECT_EQ(body_of(answer), "");
}

TEST(HttpServer, sends_100_continue_only_when_the_handler_wants_the_body) {
  Running running;
  Client client(running.address());
  client.send("POST /bye" + kHost + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  EXPECT_EQ(body_of(client.read_to_end()), "POST /bye ok");
  Client refused(running.address());
  refused.send("POST /early" + kHost + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(refused.read_to_end().starts_with("HTTP/1.1 418 "));
}

TEST(HttpServer, answers_from_the_head_without_waiting_for_a_long_body) {
  Running running;
  Client client(running.address());
  client.send("POST /early" + kHost + "Content-Length: 1000000\r\n\r\n");
  EXPECT_EQ(body_of(client.read_until("early")), "early") << "and it is told that more is to come";
  // The client is still sending, as most do; the answer is not lost to a reset.
  EXPECT_TRUE(client.send(std::string(1'000'000, 'x')));
  EXPECT_EQ(client.read_once(), "");
}

TEST(HttpServer, keeps_the_connection_when_the_refused_body_is_already_there) {
  Running running;
  Client client(running.address());
  client.send("POST /early" + kHost + "Content-Length: 2\r\n\r\nxx" + "GET /bye" + kHost + "\r\n");
  const std::string all = client.read_to_end();
  EXPECT_LT(all.find("early, all"), all.find("GET /bye"));
  EXPECT_NE(all.find("GET /bye"), all.npos);
}

TEST(HttpServer, ends_when_its_handler_is_finished_and_the_last_answer_is_written) {
  Running running;
  Client client(running.address());
  client.send("GET /a" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_until("GET /a ")), "GET /a ");
  EXPECT_EQ(running.handler.noted("loop ended"), 0);
  client.send("GET /last" + kHost + "\r\n");
  EXPECT_EQ(body_of(client.read_until("GET /last ")), "GET /last ");
  EXPECT_TRUE(running.handler.wait_for("loop ended"));
}

std::string fault_answer(Running& running, const std::string& bytes) {
  Client client(running.address());
  client.send(bytes);
  return body_of(client.read_to_end());
}
std::string fault(node::HttpFault which) {
  return "fault " + std::to_string(static_cast<int>(which));
}

TEST(HttpServer, answers_each_fault_and_closes) {
  Running running;
  using enum node::HttpFault;
  EXPECT_EQ(fault_answer(running, "nonsense\r\n\r\n"), fault(Malformed));
  EXPECT_EQ(fault_answer(running, "GET /" + std::string(60'000, 'a')), fault(RequestLineTooLong));
  EXPECT_EQ(fault_answer(running, "GET /" + kHost + "A: " + std::string(70'000, 'a')),
            fault(HeadersTooLong));
  EXPECT_EQ(fault_answer(running, "POST /" + kHost + "Content-Length: 1000000\r\n\r\n" +
                                      std::string(1'000'000, 'b')),
            fault(BodyTooLong));
  EXPECT_EQ(fault_answer(running, "POST /" + kHost + "Transfer-Encoding: gzip\r\n\r\n"),
            fault(UnsupportedTransferEncoding));
}

TEST(HttpServer, does_not_wait_for_slow_senders) {
  HttpTimes times;
  times.head = times.body = 60ms;
  times.idle = 90ms;
  Running running(times);
  EXPECT_EQ(fault_answer(running, "GET / HT"), fault(node::HttpFault::HeadTimeout));
  EXPECT_EQ(fault_answer(running, "POST /" + kHost + "Content-Length: 9\r\n\r\nx"),
            fault(node::HttpFault::BodyTimeout));
  EXPECT_EQ(fault_answer(running, ""), "") << "one that says nothing is closed without a word";
}

// Each request is within its own limit; all of them together are not.
TEST(HttpServer, refuses_whose_bytes_are_too_many_for_all_together_and_goes_on_with_the_others) {
  Running running({}, 0, 50'000);
  Client first(running.address());
  const std::string part(30'000, 'x');
  first.send("POST /a" + kHost + "Content-Length: 30001\r\n\r\n" + part);
  // A request that is complete shows that the bytes before it were read.
  Client other(running.address());
  other.send("GET /small" + kHost + "\r\n");
  EXPECT_EQ(body_of(other.read_until("GET /small ")), "GET /small ");
  EXPECT_EQ(fault_answer(running, "POST /b" + kHost + "Content-Length: 30001\r\n\r\n" + part),
            fault(node::HttpFault::Overloaded));
  first.send("y");
  EXPECT_EQ(body_of(first.read_until(part + "y")), "POST /a " + part + "y");
  // What was held is given back, by the refused one and by the one that was served.
  EXPECT_NE(fault_answer(running, "POST /c" + kHost +
                                      "Connection: close\r\nContent-Length: 40000\r\n\r\n" +
                                      std::string(40'000, 'z')),
            fault(node::HttpFault::Overloaded));
}

TEST(HttpServer, drops_when_told_and_reports_it_once) {
  Running running;
  Client client(running.address());
  client.send("GET /drop" + kHost + "\r\n");
  EXPECT_EQ(client.read_once(), "");
  EXPECT_TRUE(client.was_reset());
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, refuses_with_503_when_full_but_lets_the_operator_in) {
  Running running({}, 4);  // two of them are the operator's
  Client first(running.address()), second(running.address());
  first.send("GET /a" + kHost + "\r\n");
  first.read_until("GET /a ");
  second.send("GET /a" + kHost + "\r\n");
  second.read_until("GET /a ");
  Client third(running.address());
  EXPECT_TRUE(third.read_to_end().starts_with("HTTP/1.1 503 "));
  Client operator_client(running.address(node::Listener::Operator));
  operator_client.send("GET /metrics" + kHost + "\r\n");
  EXPECT_EQ(body_of(operator_client.read_until("/metrics ")), "GET /metrics ");
}

TEST(HttpServer, is_woken_by_another_thread) {
  Running running;
  ASSERT_TRUE(running.handler.wait_for("wake", 1)) << "once at the start";
  running.waker().wake();
  EXPECT_TRUE(running.handler.wait_for("wake", 2));
}

TEST(HttpServer, keeps_two_thousand_idle_connections_in_little_memory) {
  raise_open_file_limit().value();
  Running running;
  Client probe(running.address());
  probe.send("GET /a" + kHost + "\r\n");
  probe.read_until("GET /a ");
  const uint64_t before = process_figures().resident_bytes;
  std::vector<Client> idle;
  for (int i = 0; i < 2'000; ++i) {
    idle.emplace_back(running.address());
    if (i % 2 == 0) idle.back().send("GET /half");  // half a head each
  }
  probe.send("GET /b" + kHost + "\r\n");
  EXPECT_EQ(body_of(probe.read_until("GET /b ")), "GET /b ")
      << "the others do not stand in its way";
  Client& last = idle.back();
  last.send("GET /c" + kHost + "\r\n");
  EXPECT_EQ(body_of(last.read_until("GET /c ")), "GET /c ");
#ifndef ATRIUM_ASAN  // red zones and quarantine are not ours
  EXPECT_LT(process_figures().resident_bytes - before, 2'000u * 8'192u);
#else
  EXPECT_LT(process_figures().resident_bytes - before, 2'000u * 65'536u);
#endif
}

// --- WebSocket ---------------------------------------------------------------------------------------

std::string server_frame(FrameKind kind, std::string_view payload) {
  return frame_header(kind, payload.size()) + std::string(payload);
}

TEST(HttpServer, echoes_websocket_messages_binary_and_text) {
  Running running;
  Client client(running.address());
  EXPECT_TRUE(client.upgrade().starts_with("HTTP/1.1 101 "));
  client.send(client_frame(2, "hi"));
  const std::string want = server_frame(FrameKind::Binary, "echo hi");
  EXPECT_EQ(client.read_exactly(want.size()), want);
  client.send(client_frame(1, "text"));
  client.read_exactly(want.size() + 2);
  EXPECT_EQ(running.handler.noted("binary"), 1);
  EXPECT_EQ(running.handler.noted("text"), 1);
}

TEST(HttpServer, reads_frames_that_came_with_the_upgrade) {
  Running running;
  Client client(running.address());
  client.send("GET /rtc HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n" +
              client_frame(2, "early"));
  const std::string want = server_frame(FrameKind::Binary, "echo early");
  EXPECT_NE(client.read_until(want).find(want), std::string::npos);
}

TEST(HttpServer, refuses_an_upgrade_with_an_ordinary_answer) {
  Running running;
  Client client(running.address());
  const std::string answer = client.upgrade("/refuse");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 403 ")) << answer;
  EXPECT_NE(answer.find("Access-Control-Allow-Origin: *"), answer.npos);
}

TEST(HttpServer, writes_last_message_and_close_frame_then_shuts_and_waits_for_the_client) {
  Running running;
  Client client(running.address());
  const std::string first = client.upgrade("/goodbye");
  const std::string want = server_frame(FrameKind::Binary, "one") +
                           server_frame(FrameKind::Binary, "last") + close_frame(4011);
  std::string got = body_of(first);
  got += client.read_exactly(want.size() - got.size());
  EXPECT_EQ(got, want);
  EXPECT_EQ(client.read_once(), "") << "the sending side is shut";
  EXPECT_FALSE(client.was_reset());
  EXPECT_TRUE(running.handler.wait_for("written"));
  client.send(client_frame(8, std::string("\x0f\xab", 2)));
  client.shut_sending();
  EXPECT_EQ(running.handler.noted("closed"), 0) << "closing out is told instead, once";
}

TEST(HttpServer, resets_a_client_that_does_not_answer_the_close) {
  HttpTimes times;
  times.close_drain = 50ms;
  Running running(times);
  Client client(running.address());
  client.upgrade("/goodbye");
  EXPECT_TRUE(running.handler.wait_for("written"));
  // The FIN, then the reset that comes after the drain: further sending fails.
  bool is_gone = false;
  for (int i = 0; i < 200 && !is_gone; ++i) {
    pollfd waiting{-1, 0, 0};
    ::poll(&waiting, 0, 10);
    is_gone = !client.send("x");
  }
  EXPECT_TRUE(is_gone);
}

TEST(HttpServer, gives_up_on_a_client_that_never_reads_and_says_so) {
  HttpTimes times;
  times.close_write = 80ms;
  Running running(times);
  Client client(running.address(), 4'096);
  client.send("GET /flood HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_TRUE(running.handler.wait_for("not written"));
  EXPECT_EQ(running.handler.noted("written"), 0);
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

TEST(HttpServer, says_so_when_a_client_resets_before_all_was_written) {
  Running running;
  {
    Client client(running.address(), 4'096);
    client.upgrade("/flood");
    const linger at_once{1, 0};
    ::setsockopt(client.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  EXPECT_TRUE(running.handler.wait_for("not written"));
  EXPECT_EQ(running.handler.noted("closed"), 0) << "closing out is told instead, once";
}

TEST(HttpServer, cuts_a_websocket_whose_queue_is_full) {
  Running running;
  Client client(running.address(), 4'096);
  client.send("GET /overflow HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, closes_from_within_a_message_and_ignores_what_came_behind_it) {
  Running running;
  Client client(running.address());
  client.upgrade();
  client.send(client_frame(2, "close me") + client_frame(2, "ignored"));
  const std::string want = server_frame(FrameKind::Binary, "bye") + close_frame(4006);
  EXPECT_EQ(client.read_exactly(want.size()), want);
  EXPECT_TRUE(running.handler.wait_for("written"));
  EXPECT_EQ(running.handler.noted("binary"), 1);
}

TEST(HttpServer, answers_a_clients_close_and_reports_it) {
  Running running;
  Client client(running.address());
  client.upgrade();
  client.send(client_frame(8, std::string("\x03\xe8", 2)));
  EXPECT_EQ(client.read_exactly(4), close_frame(1000));
  EXPECT_EQ(client.read_once(), "");
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, ends_a_websocket_that_breaks_the_protocol_with_1002) {
  Running running;
  Client client(running.address());
  client.upgrade();
  client.send(std::string("\x82\x01x", 3));
  EXPECT_EQ(client.read_exactly(4), close_frame(1002));
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, tells_of_a_drop_followed_by_a_close_as_closed_out_once) {
  Running running;
  Client client(running.address());
  client.send("GET /twice HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
  EXPECT_TRUE(running.handler.wait_for("not written"));
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

TEST(HttpServer, pings_and_cuts_a_client_that_stays_silent) {
  HttpTimes times;
  times.ping = 30ms;
  times.silence = 80ms;
  Running running(times);
  Client client(running.address());
  client.upgrade();
  EXPECT_EQ(client.read_exactly(2), ping_frame());
  EXPECT_TRUE(running.handler.wait_for("closed"));
}

TEST(HttpServer, keeps_a_client_that_answers_pings) {
  HttpTimes times;
  times.ping = 20ms;
  times.silence = 100ms;
  Running running(times);
  Client client(running.address());
  client.upgrade();
  for (int i = 0; i < 15; ++i) {  // three times the silence that would cut it
    ASSERT_EQ(client.read_exactly(2), ping_frame()) << i;
    ASSERT_TRUE(client.send(client_frame(10, "")));
  }
  EXPECT_EQ(running.handler.noted("closed"), 0);
}

}  // namespace
}  // namespace atrium::runtime
