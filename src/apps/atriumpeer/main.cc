// atriumpeer: joins a room as one real client (WebSocket over TCP, ICE, DTLS, SRTP and SCTP over UDP) and prints
// what happens to
// it as JSON lines.  For end-to-end tests; --deaf is the client that pays no heed to its dismissal.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdio>
#include <string>

#include "base/secret_source.h"
#include "client/dial_client.h"
#include "media/dtls.h"
#include "media/sctp.h"
#include "runtime/clock.h"
#include "runtime/sockaddr.h"
#include "websocket_client.h"

namespace {

using namespace atrium;
using atriumpeer::Frame;
using atriumpeer::WebSocketClient;

struct Flags {
  std::string url, token, publish;
  bool deaf = false, say_json = false;
  int linger_ms = 3'000;
  int duration_ms = 30'000;
  int data_every_ms = 0;
};

struct Url {
  SocketAddress server;
  std::string prefix;
};

std::optional<Url> parse_url(const std::string& text) {
  std::string_view rest = text;
  for (std::string_view scheme : {"ws://", "http://"})
    if (rest.starts_with(scheme)) rest.remove_prefix(scheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  const size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto ip = IpAddress::parse(authority.substr(0, colon));
  const int port = std::atoi(std::string(authority.substr(colon + 1)).c_str());
  if (!ip || port <= 0 || port > 65'535) return std::nullopt;
  std::string prefix(rest.substr(slash));
  while (prefix.ends_with('/')) prefix.pop_back();
  return Url{{*ip, static_cast<uint16_t>(port)}, prefix};
}

int open_udp(const SocketAddress& server) {
  const int descriptor =
      ::socket(server.ip.is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  SocketAddress any;
  any.ip.is_v6 = server.ip.is_v6;
  const auto address = runtime::to_sockaddr(any, runtime::AddressForm::Plain);
  return ::bind(descriptor, address.get(), address.size) == 0 ? descriptor : -1;
}

class Session {
 public:
  Session(const Flags& flags, client::DialClient& dialled, WebSocketClient& socket, int udp)
      : flags_(flags),
        client_(dialled),
        socket_(socket),
        udp_(udp),
        started_(runtime::read_clock()) {}

  int run() {
    while (!is_over(runtime::read_clock())) {
      wait();
      const Now now = runtime::read_clock();
      take_datagrams(now);
      take_frames(now);
      if (client_.next_deadline() <= now.mono) client_.on_deadline(now);
      if (sctp_.next_deadline() <= now.mono) sctp_.on_deadline(now);
      send_data(now);
      exchange_sctp(now);
      for (const std::string& message : client_.take_signal_messages()) socket_.send(message);
      send_datagrams(now);
      tell(now);
    }
    finish();
    return 0;
  }

 private:
  bool is_over(Now now) const {
    if (now.mono - started_.mono >= std::chrono::milliseconds(flags_.duration_ms)) return true;
    if (!ended_at_) return false;
    if (flags_.deaf) return now.mono - *ended_at_ >= std::chrono::milliseconds(flags_.linger_ms);
    // An honest client waits for the close frame or the end of the connection.
    return has_closed_ || socket_.has_ended();
  }

  void wait() {
    const Mono now = runtime::read_clock().mono;
    const Mono deadline = std::min(client_.next_deadline(), sctp_.next_deadline());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::clamp<Duration>(deadline - now, 0ms, 20ms));
    std::array<pollfd, 2> waiting{
        {{udp_, POLLIN, 0}, {socket_.has_ended() ? -1 : socket_.descriptor(), POLLIN, 0}}};
    ::poll(waiting.data(), waiting.size(), static_cast<int>(left.count()));
  }

  void take_datagrams(Now now) {
    std::array<uint8_t, 2048> room;
    for (int i = 0; i < 64; ++i) {
      sockaddr_storage storage{};
      socklen_t size = sizeof(storage);
      auto* from = reinterpret_cast<sockaddr*>(&storage);
      const ssize_t count = ::recvfrom(udp_, room.data(), room.size(), 0, from, &size);
      if (count <= 0) return;
      const auto remote = runtime::from_sockaddr(from);
      if (!remote) continue;
      media::Datagram datagram{{SocketAddress{}, *remote},
                               ByteSpan(room).first(static_cast<size_t>(count))};
      client_.on_datagrams({&datagram, 1}, now);
    }
  }

  void take_frames(Now now) {
    if (socket_.has_ended()) return;
    for (const Frame& frame : socket_.receive()) {
      if (frame.kind == Frame::Kind::Message) {
        client_.on_signal_message(frame.message, now);
      } else if (frame.kind == Frame::Kind::Close) {
        has_closed_ = true;
        client_.on_signal_closed(frame.code);
        if (!flags_.deaf) socket_.send_close(frame.code);
      } else if (!has_closed_) {
        client_.on_signal_closed(1006);  // RFC 6455 section 7.1.5: without a close frame
        has_closed_ = true;
        if (!ended_at_) ended_at_ = now.mono;
      }
    }
  }

  void send_data(Now now) {
    if (flags_.data_every_ms <= 0 || now.mono < next_data_) return;
    next_data_ = now.mono + std::chrono::milliseconds(flags_.data_every_ms);
    if (flags_.deaf || !client_.is_ended()) client_.send_data("chat", as_bytes("hello"), now);
  }

  void exchange_sctp(Now now) {
    for (int round = 0; round < 8; ++round) {
      auto commands = client_.take_sctp();
      for (media::SctpCommand& command : commands) sctp_.on_command(std::move(command), now);
      auto events = sctp_.take_events();
      for (media::SctpEvent& event : events) client_.on_sctp(std::move(event), now);
      if (commands.empty() && events.empty()) return;
    }
  }

  void send_datagrams(Now now) {
    do {
      for (const media::SendRun& run : client_.drain(now)) {
        const auto to = runtime::to_sockaddr(run.path.remote, runtime::AddressForm::Plain);
        for (const ByteView datagram : run.datagrams)
          (void)::sendto(udp_, datagram.data(), datagram.size(), MSG_DONTWAIT, to.get(), to.size);
      }
    } while (client_.has_more_to_send());
  }

  // --- what is printed
  void tell(Now now) {
    const client::Counters& counters = client_.counters();
    if (counters.rtp != seen_rtp_) {
      if (seen_rtp_ != 0) longest_silence_ = std::max(longest_silence_, now.mono - rtp_seen_at_);
      rtp_seen_at_ = now.mono;
      last_rtp_ = unix_ms(now.wall);
    }
    if (counters.data_messages != seen_data_) last_data_ = unix_ms(now.wall);
    seen_rtp_ = counters.rtp;
    seen_data_ = counters.data_messages;
    for (client::Event& event : client_.take_events()) {
      std::visit([&](const auto& one) { say(describe(one), now); }, event);
    }
    if (client_.is_ended() && !ended_at_) ended_at_ = now.mono;
  }
  void say(boost::json::object line, Now now) {
    line["at_ms"] = unix_ms(now.wall);
    std::printf("%s\n", boost::json::serialize(line).c_str());
    std::fflush(stdout);
  }
  boost::json::object describe(const client::Joined& e) {
    return {{"event", "joined"},
            {"participant", e.participant_sid},
            {"room_sid", e.room_sid},
            {"identity", e.identity}};
  }
  boost::json::object describe(const client::Resumed&) { return {{"event", "resumed"}}; }
  boost::json::object describe(const client::Connected&) { return {{"event", "connected"}}; }
  boost::json::object describe(const client::Disconnected&) { return {{"event", "disconnected"}}; }
  boost::json::object describe(const client::DataReady&) { return {{"event", "data_ready"}}; }
  boost::json::object describe(const client::TrackReceived& e) {
    return {{"event", "track"},
            {"mid", e.mid},
            {"track", e.track},
            {"stream", e.stream},
            {"ssrc", e.ssrc}};
  }
  boost::json::object describe(const client::DataMessage& e) {
    if (e.topic.starts_with("atrium.") && e.sender.empty()) order_.push_back("data");
    return {{"event", "data"},
            {"topic", e.topic},
            {"payload", as_text(e.payload)},
            {"sender", e.sender}};
  }
  boost::json::object describe(const client::Leave& e) {
    order_.push_back("leave");
    leave_ = e.reason;
    return {{"event", "leave"}, {"reason", e.reason}, {"action", static_cast<int>(e.action)}};
  }
  boost::json::object describe(const client::Closed& e) {
    order_.push_back("close");
    close_code_ = e.code;
    return {{"event", "closed"}, {"code", e.code}};
  }
  boost::json::object describe(const client::Refused& e) {
    return {{"event", "refused"}, {"what", e.what}};
  }

  void finish() {
    if (!ended_at_) {
      client_.leave();
      for (const std::string& message : client_.take_signal_messages()) socket_.send(message);
    }
    const client::Counters& c = client_.counters();
    boost::json::object line{{"event", "counters"},
                             {"rtp_before_cut", c.rtp - c.after_leave_rtp},
                             {"rtp_after_notice", c.after_leave_rtp},
                             {"data_before_cut", c.data_messages - c.after_leave_data},
                             {"data_after_notice", c.after_leave_data},
                             {"last_rtp_at_ms", last_rtp_},
                             {"last_data_at_ms", last_data_},
                             {"longest_rtp_silence_ms", longest_silence_ / 1ms},
                             {"lost", lost()},
                             {"tcp_ended", socket_.has_ended()},
                             {"order", boost::json::array(order_.begin(), order_.end())}};
    line["leave"] = leave_ ? boost::json::value(*leave_) : boost::json::value();
    line["close_code"] = close_code_ ? boost::json::value(*close_code_) : boost::json::value();
    say(std::move(line), runtime::read_clock());
  }

  // Gaps in the media's sequence numbers; what was repeated later counts as well.
  uint64_t lost() const {
    uint64_t sum = 0;
    for (const auto& [ssrc, stream] : client_.streams()) sum += stream.is_repair ? 0 : stream.lost;
    return sum;
  }

  const Flags& flags_;
  client::DialClient& client_;
  WebSocketClient& socket_;
  const int udp_;
  const Now started_;
  media::SctpWorld sctp_;
  std::optional<Mono> ended_at_;
  bool has_closed_ = false;
  Mono next_data_{};
  uint64_t seen_rtp_ = 0, seen_data_ = 0;
  int64_t last_rtp_ = 0, last_data_ = 0;
  Mono rtp_seen_at_{};
  Duration longest_silence_{0};  // between two packets of media
  std::vector<std::string> order_;
  std::optional<int> leave_;
  std::optional<uint16_t> close_code_;
};

int dial(const Flags& flags, const Url& url) {
  OpenSslSecretSource secrets;
  client::DialClient client({.path_prefix = url.prefix,
                             .token = flags.token,
                             .publish_audio = flags.publish.find("audio") != std::string::npos,
                             .publish_video = flags.publish.find("video") != std::string::npos,
                             .deaf = flags.deaf,
                             .certificate = media::make_certificate()},
                            secrets);
  auto opened = WebSocketClient::open(url.server, client.upgrade_target(), secrets);
  if (!opened) {
    std::fprintf(stderr, "atriumpeer: %s\n", opened.error().what);
    return 1;
  }
  if (const auto* refusal = std::get_if<atriumpeer::Refusal>(&*opened)) {
    const boost::json::object line{
        {"event", "join_refused"}, {"status", refusal->status}, {"body", refusal->body}};
    std::printf("%s\n", boost::json::serialize(line).c_str());
    return 3;
  }
  const int udp = open_udp(url.server);
  if (udp < 0) return 1;
  Session session(flags, client, *std::get<std::unique_ptr<WebSocketClient>>(*opened), udp);
  const int code = session.run();
  ::close(udp);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app{
      "atriumpeer: one client of ours; prints what happens to it as JSON lines.\n"
      "Exit codes: 0 the session ran, 1 no connection, 2 usage, 3 the join was refused."};
  app.add_option("--url", flags.url, "ws://ADDRESS:PORT[/r/ROOM]")->required();
  app.add_option("--token", flags.token, "a 001 token or a JWT")->required();
  app.add_option("--publish", flags.publish, "audio, video or audio,video");
  app.add_flag("--deaf", flags.deaf, "pay no heed to notice, leave and close");
  app.add_option("--linger-ms", flags.linger_ms,
                 "how long a deaf client goes on after the first sign of its end");
  app.add_option("--duration-ms", flags.duration_ms, "leave after this long");
  app.add_option("--data-every-ms", flags.data_every_ms,
                 "send a reliable message to all this often; 0: never");
  app.add_flag("--say-json", flags.say_json, "accepted: there is no other form");
  CLI11_PARSE(app, argc, argv);
  const auto url = parse_url(flags.url);
  if (!url) {
    std::fprintf(stderr, "atriumpeer: the URL must be ws://ADDRESS:PORT with a literal address\n");
    return 2;
  }
  return dial(flags, *url);
}
