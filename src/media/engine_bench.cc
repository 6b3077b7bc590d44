// engine_bench [subscribers] [packets]: forwards one video stream to many, in memory.  It proves that the packet
// path takes nothing from the heap (exit code 1 otherwise) and is what `perf stat` and callgrind are pointed at: it
// reads no clock.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/seeded_secret_source.h"
#include "media/dtls.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/engine_media_testing.h"

namespace {
bool is_counting = false;
uint64_t allocations = 0;
}  // namespace

void* operator new(size_t size) {
  if (is_counting) ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace atrium::media {
namespace {

using namespace testing_world;

const SocketAddress kServerAddress{*IpAddress::parse("192.0.2.1"), 7'882};
constexpr TransportId kAtClient{1};

struct Client {
  Client(uint16_t port, const std::shared_ptr<const CertificateKey>& certificate)
      : address{*IpAddress::parse("198.51.100.1"), port},
        secrets(port),
        engine(secrets, {.certificate = certificate}) {}
  SocketAddress address;
  SeededSecretSource secrets;
  Engine engine;
};

class Bench {
 public:
  explicit Bench(uint64_t subscribers)
      : secrets_(1), certificate_(make_certificate()), server_(secrets_, {.certificate = certificate_}) {
    for (uint64_t n = 0; n <= subscribers; ++n) connect(n);
    AddUplink uplink = vp8_uplink(TransportId{1}, TrackId{1});
    server_.on_command(uplink, now_);
    for (uint64_t n = 1; n <= subscribers; ++n)
      server_.on_command(forward_to(TransportId{n + 1}, TrackId{1}, 0x1000, kVp8), now_);
  }

  // Yields how many datagrams left.
  uint64_t run(uint64_t packets) {
    uint64_t left = 0;
    for (uint64_t sent = 0; sent < packets; sent += 64) {
      std::vector<Bytes> batch = encrypted_batch();
      std::vector<Datagram> datagrams;
      for (Bytes& bytes : batch) datagrams.push_back({{kServerAddress, clients_[0]->address}, bytes});
      is_counting = sent >= 1'024;  // steady state: streams are latched, tables have grown
      left += is_counting ? measured_forward(datagrams) : forward(datagrams);
      is_counting = false;
      now_.mono += 20ms;
      now_.wall += 20ms;
      server_.take_reports();
    }
    return left;
  }
  const EngineCounters& counters() const { return server_.counters(); }

  // What callgrind collects (bench/instructions).
  [[gnu::noinline]] uint64_t measured_forward(std::span<Datagram> datagrams) {
    return forward(datagrams);
  }

 private:
  uint64_t forward(std::span<Datagram> datagrams) {
    uint64_t left = 0;
    server_.on_datagrams(datagrams, now_);
    do {
      for (const SendRun& run : server_.drain(now_)) left += run.datagrams.size();
    } while (server_.has_more_to_send());
    return left;
  }
  void connect(uint64_t n) {
    clients_.push_back(std::make_unique<Client>(static_cast<uint16_t>(1'000 + n), certificate_));
    Client& client = *clients_.back();
    const std::string text = std::to_string(n);
    OpenTransport open;
    open.transport = TransportId{n + 1};
    open.life = LifeId{1};
    open.participant_sid = "PA_" + text;
    open.local = {"server" + text, "server-password-" + text};
    open.remote = {"client" + text, "client-password-" + text};
    open.remote_fingerprint = fingerprint(*certificate_);
    server_.on_command(open, now_);
    open.transport = kAtClient;
    std::swap(open.local, open.remote);
    open.dtls_client = open.deliver_to_owner = true;
    open.remote_candidates = {kServerAddress};
    client.engine.on_command(open, now_);
    for (int round = 0; round < 10; ++round) pump(client);
  }
  void pump(Client& client) {
    client.engine.on_deadline(now_);
    deliver(client.engine, server_, {kServerAddress, client.address});
    server_.on_deadline(now_);
    deliver(server_, client.engine, {client.address, kServerAddress});
    now_.mono += 1ms;
  }
  void deliver(Engine& from, Engine& to, const FiveTuple& path) {
    std::vector<Bytes> copies;
    for (const SendRun& run : from.drain(now_))
      for (const ByteView bytes : run.datagrams) copies.emplace_back(bytes.begin(), bytes.end());
    for (Bytes& bytes : copies) {
      Datagram datagram{path, bytes};
      to.on_datagrams({&datagram, 1}, now_);
    }
  }
  std::vector<Bytes> encrypted_batch() {
    std::vector<Bytes> batch;
    for (int i = 0; i < 64; ++i) {
      ++seq_;
      Bytes payload = vp8_payload(seq_ % 512 == 1, seq_, static_cast<uint8_t>(seq_), 1);
      payload.resize(1'100);
      clients_[0]->engine.on_command(
          InjectRtp{kAtClient, make_rtp({.payload_type = kVp8, .seq = seq_, .timestamp = seq_ * 300u, .ssrc = 0xb0,
                                         .mid = "1", .transport_seq = seq_, .payload = payload})},
          now_);
    }
    for (const SendRun& run : clients_[0]->engine.drain(now_))
      for (const ByteView bytes : run.datagrams)
        if (bytes[0] >= 128) batch.emplace_back(bytes.begin(), bytes.end());
    return batch;
  }

  SeededSecretSource secrets_;
  std::shared_ptr<const CertificateKey> certificate_;
  Engine server_;
  std::vector<std::unique_ptr<Client>> clients_;
  Now now_{Mono(std::chrono::seconds(1'000)), wall_from_unix_s(1'800'000'000)};
  uint16_t seq_ = 0;
};

}  // namespace
}  // namespace atrium::media

int main(int argc, char** argv) {
  const uint64_t subscribers = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10;
  const uint64_t packets = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 4'096;
  atrium::media::Bench bench(subscribers);
  const uint64_t left = bench.run(packets);
  std::printf("%llu in, %llu forwarded, %llu datagrams out, %llu allocations on the packet path\n",
              static_cast<unsigned long long>(packets),
              static_cast<unsigned long long>(bench.counters().rtp_forwarded), static_cast<unsigned long long>(left),
              static_cast<unsigned long long>(allocations));
  return allocations == 0 && bench.counters().rtp_forwarded >= packets * subscribers / 2 ? 0 : 1;
}
