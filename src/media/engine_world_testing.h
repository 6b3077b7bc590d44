// EngineWorld: a server engine and any number of dialling ones over a network in memory, in virtual time.  Real DTLS
// and SRTP; SCTP is either a stand-in at the seam or the real SctpWorld.  For tests alone.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/seeded_secret_source.h"
#include "media/dtls.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/library_clock_testing.h"
#include "media/sctp.h"
#include "wire/rtcp.h"
#include "wire/rtp.h"

namespace atrium::media::testing_world {

inline SocketAddress address(const char* ip, uint16_t port) {
  return {*IpAddress::parse(ip), port};
}
inline const SocketAddress kServer = address("192.0.2.1", 7882);

struct SeenRtp {
  Bytes bytes;
  wire::RtpHeaderView header;  // views into bytes
  Mono at{};
};

// One dialling engine with one transport.
struct Peer {
  Peer(uint64_t number, std::shared_ptr<const CertificateKey> key)
      : id{100 + number},
        server_id{number},
        socket(address("198.51.100.7", static_cast<uint16_t>(40'000 + number))),
        certificate(std::move(key)),
        secrets(1'000 + number),
        engine(secrets, {.shard = 0, .certificate = certificate}) {}

  TransportId id, server_id;  // at its own engine, at the server's
  SocketAddress socket;
  std::shared_ptr<const CertificateKey> certificate;
  SeededSecretSource secrets;
  Engine engine;
  IceCredentials local, remote;
  bool is_up = false, is_down = false;
  std::deque<SeenRtp> rtp;
  std::vector<Bytes> rtcp;
  std::vector<Bytes> messages;

  std::vector<const SeenRtp*> of_ssrc(uint32_t ssrc) const {
    std::vector<const SeenRtp*> found;
    for (const SeenRtp& seen : rtp)
      if (seen.header.ssrc == ssrc) found.push_back(&seen);
    return found;
  }
  template <typename Visitor>
  void each_rtcp(Visitor visit) const {
    for (const Bytes& compound : rtcp) {
      auto reader = wire::RtcpReader::create(compound);
      while (reader) {
        const auto packet = reader->next();
        if (!packet) break;
        visit(*packet);
      }
    }
  }
};

class EngineWorld {
 public:
  // Whether a datagram is lost on its way; called once for each.
  struct Passing {
    bool to_server = false;
    SocketAddress peer;
    ByteView bytes;
    bool is_stun() const { return bytes[0] < 4; }
    bool is_media() const { return bytes[0] >= 128 && !wire::is_rtcp(bytes); }
  };
  using Loss = std::function<bool(const Passing&)>;

  EngineWorld()
      : secrets_(7),
        certificate_(make_certificate()),
        server(secrets_, {.certificate = certificate_}) {}

  Now now() const { return clock_.now(); }
  void advance_silently(Duration by) { clock_.advance(by); }

  Peer& add_peer(uint64_t number) {
    peers_.push_back(std::make_unique<Peer>(number, make_certificate()));
    return *peers_.back();
  }
  OpenTransport server_side(Peer& peer, LifeId life) {
    const std::string n = std::to_string(peer.server_id.value);
    peer.local = {"client" + n, "client-password-of-" + n};
    peer.remote = {"server" + n, "server-password-of-" + n};
    OpenTransport open;
    open.transport = peer.server_id;
    open.life = life;
    open.participant_sid = "PA_" + n;
    open.identity = "user" + n;
    open.local = peer.remote;
    open.remote = peer.local;
    open.remote_fingerprint = fingerprint(*peer.certificate);
    return open;
  }
  OpenTransport client_side(const Peer& peer) {
    OpenTransport open;
    open.transport = peer.id;
    open.life = LifeId{1};
    open.local = peer.local;
    open.remote = peer.remote;
    open.remote_fingerprint = fingerprint(*certificate_);
    open.dtls_client = true;
    open.deliver_to_owner = true;
    open.remote_candidates = {kServer};
    return open;
  }
  // Opens both ends and lets them connect.
  Peer& connect(uint64_t number, LifeId life = LifeId{1}) {
    Peer& peer = add_peer(number);
    server.on_command(server_side(peer, life), now());
    peer.engine.on_command(client_side(peer), now());
    run(500ms);
    return peer;
  }

  void command(Command what) {
    server.on_command(std::move(what), now());
    settle();
  }
  void sctp_event(SctpEvent event) {
    server.on_sctp(std::move(event), now());
    settle();
  }
  // Sends one plain RTP or RTCP packet from the peer.
  void inject(Peer& peer, Bytes packet) {
    peer.engine.on_command(InjectRtp{peer.id, std::move(packet)}, now());
    settle();
  }
  // Hands a datagram to the server as it is.
  void raw_to_server(Bytes datagram, SocketAddress from) {
    in_flight_.push_back({now().mono + latency, true, {kServer, from}, std::move(datagram)});
  }

  // Lets virtual time pass, serving every deadline and delivery on its way.
  void run(Duration span) {
    const Mono end = now().mono + span;
    settle();
    while (true) {
      const Mono next = next_event();
      if (next > end) break;
      clock_.advance_to(next);
      deliver();
      serve_deadlines();
      settle();
    }
    clock_.advance_to(end);
  }

  template <typename T>
  std::vector<T> reports() const {
    std::vector<T> found;
    for (const Report& report : server_reports)
      if (const T* match = std::get_if<T>(&report)) found.push_back(*match);
    return found;
  }
  template <typename T>
  std::vector<T> sctp_commands() const {
    std::vector<T> found;
    for (const SctpCommand& command : server_sctp)
      if (const T* match = std::get_if<T>(&command)) found.push_back(*match);
    return found;
  }
  uint64_t drops(DropReason reason) const { return server.counters().dropped(reason); }
  Peer* peer_at(const SocketAddress& socket) {
    for (auto& peer : peers_)
      if (peer->socket == socket) return peer.get();
    return nullptr;
  }

 private:
  LibraryClock clock_;
  SeededSecretSource secrets_;
  std::shared_ptr<const CertificateKey> certificate_;

 public:
  Engine server;
  Duration latency = 10ms;
  Loss loss = [](const Passing&) { return false; };
  std::vector<Report> server_reports;
  std::vector<SctpCommand> server_sctp;
  bool acknowledges_notices = true;
  bool answers_sctp_close = true;
  SctpWorld* real_sctp = nullptr;  // where set, both ends' SCTP goes there
  size_t largest_drain = 0;
  bool drains_server = true;

  // Everything that needs no time: reports, SCTP, datagrams onto the network.
  void settle() {
    for (int round = 0; round < 8; ++round) {
      collect_server();
      for (auto& peer : peers_) collect_peer(*peer);
      if (real_sctp) pump_sctp();
    }
  }

 private:
  struct InFlight {
    Mono at{};
    bool to_server = false;
    FiveTuple path;  // as the receiving engine sees it
    Bytes bytes;
  };

  Mono next_event() const {
    Mono next = server.next_deadline();
    for (const auto& peer : peers_) next = std::min(next, peer->engine.next_deadline());
    for (const InFlight& datagram : in_flight_) next = std::min(next, datagram.at);
    if (real_sctp) next = std::min(next, real_sctp->next_deadline());
    return std::max(next, now().mono);
  }
  void deliver() {
    std::vector<InFlight> due, later;
    for (InFlight& datagram : in_flight_)
      (datagram.at <= now().mono ? due : later).push_back(std::move(datagram));
    in_flight_ = std::move(later);
    for (InFlight& datagram : due) {
      Datagram one{datagram.path, datagram.bytes};
      Peer* peer = datagram.to_server ? nullptr : peer_at(datagram.path.local);
      if (datagram.to_server) server.on_datagrams({&one, 1}, now());
      if (peer) peer->engine.on_datagrams({&one, 1}, now());
      settle();
    }
  }
  void serve_deadlines() {
    if (server.next_deadline() <= now().mono) server.on_deadline(now());
    for (auto& peer : peers_)
      if (peer->engine.next_deadline() <= now().mono) peer->engine.on_deadline(now());
    if (real_sctp && real_sctp->next_deadline() <= now().mono) real_sctp->on_deadline(now());
  }
  void send(bool to_server, const FiveTuple& seen, ByteView bytes) {
    if (loss({to_server, to_server ? seen.remote : seen.local, bytes})) return;
    in_flight_.push_back(
        {now().mono + latency, to_server, seen, Bytes(bytes.begin(), bytes.end())});
  }
  void collect_server() {
    for (Report& report : server.take_reports()) server_reports.push_back(std::move(report));
    for (SctpCommand& command : server.take_sctp()) {
      if (real_sctp)
        real_sctp->on_command(command, now());
      else
        stand_in(command);
      server_sctp.push_back(std::move(command));
    }
    if (!drains_server) return;
    do {
      size_t count = 0;
      for (const SendRun& run : server.drain(now())) {
        count += run.datagrams.size();
        for (const ByteView datagram : run.datagrams)
          send(false, {run.path.remote, kServer}, datagram);
      }
      largest_drain = std::max(largest_drain, count);
    } while (server.has_more_to_send());
  }
  // What the sctp thread would answer to these two.
  void stand_in(const SctpCommand& command) {
    if (const auto* close = std::get_if<SctpClose>(&command); close && answers_sctp_close)
      server.on_sctp(SctpClosed{close->transport}, now());
    const auto* message = std::get_if<SctpSend>(&command);
    if (message && message->is_notice && acknowledges_notices)
      server.on_sctp(SctpNoticeDone{message->transport, true}, now());
  }
  void collect_peer(Peer& peer) {
    for (Report& report : peer.engine.take_reports()) take_report(peer, report);
    for (SctpCommand& command : peer.engine.take_sctp())
      if (real_sctp) real_sctp->on_command(std::move(command), now());
    do {
      for (const SendRun& run : peer.engine.drain(now()))
        for (const ByteView datagram : run.datagrams) send(true, {kServer, peer.socket}, datagram);
    } while (peer.engine.has_more_to_send());
  }
  void take_report(Peer& peer, Report& report) {
    if (std::holds_alternative<TransportUp>(report)) peer.is_up = true;
    if (std::holds_alternative<TransportDown>(report)) peer.is_down = true;
    if (auto* data = std::get_if<DataReceived>(&report))
      peer.messages.push_back(std::move(data->message));
    auto* received = std::get_if<RtpReceived>(&report);
    if (!received) return;
    if (wire::is_rtcp(received->packet)) {
      peer.rtcp.push_back(std::move(received->packet));
      return;
    }
    SeenRtp seen{std::move(received->packet), {}, now().mono};
    peer.rtp.push_back(std::move(seen));
    peer.rtp.back().header = wire::parse_rtp(peer.rtp.back().bytes).value();
  }
  void pump_sctp() {
    for (SctpEvent& event : real_sctp->take_events()) {
      const TransportId id = std::visit([](const auto& e) { return e.transport; }, event);
      Engine* engine = &server;
      for (auto& peer : peers_)
        if (peer->id == id) engine = &peer->engine;
      engine->on_sctp(std::move(event), now());
    }
  }

  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<InFlight> in_flight_;
};

}  // namespace atrium::media::testing_world
