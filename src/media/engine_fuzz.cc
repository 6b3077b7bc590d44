// Action sequences against a server engine that two dialling ones have connected to: media, feedback and data that a
// peer could send, bent and repeated datagrams, strangers' bytes, commands, and time.  The bytes of the input choose
// actions. What must hold at the end, whatever was done: a cut let nothing out, a close left nothing behind, and
// what the server encrypted its subscriber could decrypt.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/seeded_secret_source.h"
#include "media/dtls.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/engine_media_testing.h"

namespace atrium::media {
namespace {

using namespace testing_world;

constexpr TransportId kPublisher{1}, kSubscriber{2}, kClient{100};
constexpr LifeId kLife{1};
constexpr TrackId kAudio{11}, kVideo{12}, kSimulcast{13};
const SocketAddress kServerAddress{*IpAddress::parse("192.0.2.1"), 7'882};

struct Client {
  explicit Client(uint16_t port, std::shared_ptr<const CertificateKey> certificate)
      : address{*IpAddress::parse("198.51.100.1"), port},
        secrets(port),
        engine(secrets, {.certificate = certificate}) {}
  SocketAddress address;
  SeededSecretSource secrets;
  Engine engine;
  Bytes last;  // newest datagram it sent
};

class Arena {
 public:
  Arena()
      : secrets_(1),
        certificate_(shared_certificate()),
        server_(secrets_, {.certificate = certificate_}),
        publisher_(1'001, certificate_),
        subscriber_(1'002, certificate_) {
    open(kPublisher, publisher_, "p");
    open(kSubscriber, subscriber_, "s");
    for (int round = 0; round < 40; ++round) {
      pump();
      tick(10);
    }
    server_.on_command(opus_uplink(kPublisher, kAudio, 0xaaaa), now_);
    server_.on_command(vp8_uplink(kPublisher, kVideo), now_);
    AddUplink simulcast = vp8_uplink(kPublisher, kSimulcast);
    simulcast.mid = "2";
    simulcast.rids = {"q", "h", "f"};
    server_.on_command(simulcast, now_);
    subscribe(kAudio, kOpus);
    subscribe(kVideo, kVp8);
    subscribe(kSimulcast, kVp8);
    for (const TransportId id : {kPublisher, kSubscriber})
      server_.on_sctp(SctpChannelOpen{id, DataLabel::Reliable, true}, now_);
    pump();
    if (server_.counters().dtls_handshakes != 2) std::abort();  // nothing would be tried otherwise
  }

  // One action; takes what it needs from the reader.
  void act(ByteReader& input) {
    switch (input.u8().value_or(0) % 14) {
      case 0: return send_audio(input);
      case 1: return send_video(input);
      case 2: return inject(publisher_, take(input));
      case 3: return inject(subscriber_, take(input));
      case 4: return to_server(take(input), publisher_.address);
      case 5: return to_server(take(input), {kServerAddress.ip, 9});
      case 6: return bend(publisher_, input);
      case 7: return to_server(publisher_.last, publisher_.address);
      case 8: return server_.on_sctp(SctpMessage{kPublisher, DataLabel::Reliable, take(input)}, now_);
      case 9: return command(input);
      case 10: return tick(input.u8().value_or(1) * 5);
      case 11: return inject(subscriber_, make_nack(ssrc_, {input.u16().value_or(0)}));
      case 12: return inject(publisher_, wrapped(take(input), kRtx));
      default: return inject(publisher_, wrapped(take(input), kVp8));
    }
  }

  void finish() {
    server_.on_command(CutLife{kLife, {}}, now_);
    inject(publisher_, make_rtp({.seq = 9, .ssrc = 0xaaaa}));
    server_.on_command(CloseLife{kLife}, now_);
    for (int round = 0; round < 4; ++round) tick(10);
    const EngineCounters& counters = server_.counters();
    if (counters.transports + counters.tracks + counters.forwarders != 0) std::abort();
    if (counters.packets_after_cut != 0) std::abort();
    if (subscriber_.engine.counters().dropped(DropReason::SrtpRefused) != 0) std::abort();
  }

 private:
  static std::shared_ptr<const CertificateKey> shared_certificate() {
    static const auto made = make_certificate();
    return made;
  }
  static Bytes take(ByteReader& input) {
    const size_t size = std::min<size_t>(input.u8().value_or(0), input.remaining());
    const ByteView view = input.take(size).value_or(ByteView());
    return Bytes(view.begin(), view.end());
  }

  void open(TransportId id, Client& client, const char* name) {
    const std::string text(name);
    const IceCredentials server{"server" + text, "server-password-" + text};
    const IceCredentials remote{"client" + text, "client-password-" + text};
    OpenTransport open;
    open.transport = id;
    open.life = kLife;
    open.participant_sid = "PA_" + text;
    open.identity = text;
    open.local = server;
    open.remote = remote;
    open.remote_fingerprint = fingerprint(*certificate_);
    server_.on_command(open, now_);
    open.transport = kClient;
    std::swap(open.local, open.remote);
    open.dtls_client = open.deliver_to_owner = true;
    open.remote_candidates = {kServerAddress};
    client.engine.on_command(open, now_);
  }
  void subscribe(TrackId track, uint8_t payload_type) {
    ssrc_ += 2;
    server_.on_command(forward_to(kSubscriber, track, ssrc_, payload_type), now_);
  }
  void to_server(Bytes bytes, SocketAddress from) {
    Datagram datagram{{kServerAddress, from}, bytes};
    server_.on_datagrams({&datagram, 1}, now_);
    pump();
  }
  void inject(Client& client, Bytes packet) {
    if (packet.size() < 12) return;
    client.engine.on_command(InjectRtp{kClient, std::move(packet)}, now_);
    pump();
  }
  void send_audio(ByteReader& input) {
    audio_seq_ = static_cast<uint16_t>(audio_seq_ + input.u8().value_or(1));
    inject(publisher_,
           make_rtp({.seq = audio_seq_, .timestamp = audio_seq_ * 960u, .ssrc = 0xaaaa, .audio_level = 20}));
  }
  void send_video(ByteReader& input) {
    const uint8_t choice = input.u8().value_or(0);
    video_seq_ = static_cast<uint16_t>(video_seq_ + (choice >> 4));
    const std::array<const char*, 4> rids{"q", "h", "f", ""};
    const char* rid = rids[choice & 3];
    inject(publisher_, make_rtp({.payload_type = kVp8, .seq = video_seq_, .timestamp = video_seq_ * 3'000u,
                                 .ssrc = 0xb000u + (choice & 3u), .mid = *rid ? "2" : "1", .rid = rid,
                                 .transport_seq = video_seq_,
                                 .payload = vp8_payload((choice & 4) != 0, video_seq_, choice, choice)}));
  }
  Bytes wrapped(Bytes payload, uint8_t payload_type) {
    ++video_seq_;
    return make_rtp({.payload_type = payload_type, .seq = video_seq_, .ssrc = 0xb003, .mid = "1",
                     .payload = std::move(payload)});
  }
  void bend(Client& client, ByteReader& input) {
    Bytes copy = client.last;
    if (copy.empty()) return;
    copy[input.u16().value_or(0) % copy.size()] ^= static_cast<uint8_t>(1 << (input.u8().value_or(0) % 8));
    to_server(std::move(copy), client.address);
  }
  void command(ByteReader& input) {
    const uint8_t choice = input.u8().value_or(0);
    const TrackId track = std::array{kAudio, kVideo, kSimulcast}[choice % 3];
    switch ((choice >> 2) % 8) {
      case 0: return server_.on_command(SetUplinkMuted{track, (choice & 0x80) != 0}, now_);
      case 1: return server_.on_command(PauseForward{kSubscriber, track, (choice & 0x80) != 0, choice}, now_);
      case 2: return server_.on_command(RemoveForward{kSubscriber, track}, now_);
      case 3: return subscribe(track, track == kAudio ? kOpus : kVp8);
      case 4: return server_.on_command(RestartIce{kPublisher, {"new", "new-password"}, {"cp", "cp-password"}}, now_);
      case 5: return server_.on_command(RemoveUplink{track}, now_);
      case 6: return server_.on_command(CutTransport{(choice & 0x80) ? kPublisher : kSubscriber, {}}, now_);
      default: return server_.on_command(SetDataPermission{kPublisher, (choice & 0x80) != 0}, now_);
    }
  }
  void tick(int64_t ms) {
    now_.mono += std::chrono::milliseconds(ms);
    now_.wall += std::chrono::milliseconds(ms);
    server_.on_deadline(now_);
    publisher_.engine.on_deadline(now_);
    subscriber_.engine.on_deadline(now_);
    pump();
  }
  void pump() {
    for (int round = 0; round < 3; ++round) {
      pump_client(publisher_);
      pump_client(subscriber_);
      for (const SctpCommand& command : server_.take_sctp()) {
        if (const auto* close = std::get_if<SctpClose>(&command)) server_.on_sctp(SctpClosed{close->transport}, now_);
      }
      server_.take_reports();
      for (Client* client : {&publisher_, &subscriber_}) from_server_to(*client);
    }
  }
  void pump_client(Client& client) {
    client.engine.take_reports();
    client.engine.take_sctp();
    std::vector<Bytes> datagrams;
    for (const SendRun& run : client.engine.drain(now_))
      for (const ByteView bytes : run.datagrams) datagrams.emplace_back(bytes.begin(), bytes.end());
    for (Bytes& bytes : datagrams) {
      client.last = bytes;
      Datagram datagram{{kServerAddress, client.address}, bytes};
      server_.on_datagrams({&datagram, 1}, now_);
      collect();
    }
  }
  void collect() {
    do {
      for (const SendRun& run : server_.drain(now_))
        for (const ByteView bytes : run.datagrams)
          waiting_.push_back({run.path.remote, Bytes(bytes.begin(), bytes.end())});
    } while (server_.has_more_to_send());
  }
  void from_server_to(Client& client) {
    collect();
    for (auto& [to, bytes] : waiting_) {
      if (to != client.address) continue;
      Datagram datagram{{client.address, kServerAddress}, bytes};
      client.engine.on_datagrams({&datagram, 1}, now_);
    }
    std::erase_if(waiting_, [&](const auto& entry) { return entry.first == client.address; });
  }

  SeededSecretSource secrets_;
  std::shared_ptr<const CertificateKey> certificate_;
  Engine server_;
  Client publisher_, subscriber_;
  std::vector<std::pair<SocketAddress, Bytes>> waiting_;
  Now now_{Mono(std::chrono::seconds(1'000)), wall_from_unix_s(1'800'000'000)};
  uint32_t ssrc_ = 0x1000;
  uint16_t audio_seq_ = 0, video_seq_ = 0;
};

}  // namespace
}  // namespace atrium::media

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  atrium::ByteReader input(atrium::ByteView(data, size));
  atrium::media::Arena arena;
  for (int actions = 0; actions < 400 && !input.at_end(); ++actions) arena.act(input);
  arena.finish();
  return 0;
}
