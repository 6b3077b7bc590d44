// bare_dtls: CPU time that the server's half of a DTLS-SRTP handshake takes, with the certificate, groups, versions and
// profiles that Atrium uses and nothing around it: no sockets, ICE or SDP.  The client's half runs in the same thread
// and is not counted.  Exit codes: 0, 1 a handshake failed, 2 usage.
#include <time.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "media/dtls.h"

namespace atrium::bench {
namespace {

using media::Dtls;

double cpu_seconds() {
  timespec at{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

class Bench {
 public:
  // False: it did not end connected at both ends.
  bool handshake() {
    Now now{Mono(std::chrono::seconds(1'000)), wall_from_unix_s(1'800'000'000)};
    auto client = Dtls::create(
        {.certificate = client_, .role = media::DtlsRole::Client, .remote = fingerprint(*server_)},
        now);
    if (!client) return false;
    const double before = cpu_seconds();
    auto server = Dtls::create(
        {.certificate = server_, .role = media::DtlsRole::Server, .remote = fingerprint(*client_)},
        now);
    server_seconds_ += cpu_seconds() - before;
    if (!server) return false;
    for (int round = 0; round < 10 && !are_connected(*client, *server); ++round) {
      for (const Bytes& datagram : client->take_datagrams()) to_server(*server, datagram, now);
      const double begun = cpu_seconds();
      const std::vector<Bytes> flight = server->take_datagrams();
      server_seconds_ += cpu_seconds() - begun;
      for (const Bytes& datagram : flight) client->on_datagram(datagram, now);
    }
    if (!are_connected(*client, *server)) return false;
    const double begun = cpu_seconds();
    const bool has_keys = server->export_srtp().has_value();
    server_seconds_ += cpu_seconds() - begun;
    return has_keys;
  }
  double server_seconds() const { return server_seconds_; }

 private:
  static bool are_connected(const Dtls& client, const Dtls& server) {
    return client.state() == media::DtlsState::Connected &&
           server.state() == media::DtlsState::Connected;
  }
  void to_server(Dtls& server, ByteView datagram, Now now) {
    const double begun = cpu_seconds();
    server.on_datagram(datagram, now);
    server_seconds_ += cpu_seconds() - begun;
  }

  std::shared_ptr<const media::CertificateKey> client_ = media::make_certificate(),
                                               server_ = media::make_certificate();
  double server_seconds_ = 0;
};

}  // namespace
}  // namespace atrium::bench

int main(int argc, char** argv) {
  CLI::App app{"bare_dtls: CPU time of the server's half of DTLS-SRTP handshakes"};
  int64_t handshakes = 1'000;
  app.add_option("--handshakes", handshakes, "how many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  atrium::bench::Bench bench;
  for (int64_t i = 0; i < handshakes; ++i)
    if (!bench.handshake()) {
      std::fprintf(stderr, "bare_dtls: handshake %lld did not complete\n",
                   static_cast<long long>(i));
      return 1;
    }
  std::printf(
      "{\"handshakes\": %lld, \"server_cpu_seconds\": %.6f, \"handshakes_per_cpu_second\": %.1f}\n",
      static_cast<long long>(handshakes), bench.server_seconds(),
      static_cast<double>(handshakes) / bench.server_seconds());
  return 0;
}
