// bare_dtls: CPU time that a loop around libssl takes for the server's half of DTLS-SRTP handshakes over loopback, with
// the certificate, groups, versions, ciphers and profiles of Atrium's and nothing else: no ICE, SDP or SCTP.  It uses
// the library as its manual shows: its default context, a connected socket and a datagram BIO for each peer.  A second
// thread is the peers, as a server's are on other cores; only the loop's CPU time is counted, from the first SSL_new to
// the last SSL_free, sockets made before.  --alone: the peers take turns with the loop in its thread, so that nothing
// shares the core with it, and their turns are not counted.
// Exit codes: 0, 1 a handshake failed, 2 usage.
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/freed.h"

namespace atrium::bench {
namespace {

constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256";
constexpr const char* kSrtpProfiles =
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
constexpr long kMtu = 1'200;
constexpr int kInFlight = 20;
constexpr int kSilenceMs = 5'000, kLateMs = 200;
constexpr int kSilentTurns = 1'000'000;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "bare_dtls: %s failed\n", what);
  std::exit(1);
}
void need(bool is_good, const char* what) {
  if (!is_good) give_up(what);
}

double cpu_seconds() {
  timespec at{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
  return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

struct Pair {
  int server = -1, client = -1;
};

int bound_socket(sockaddr_in& address) {
  const int descriptor = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  need(descriptor >= 0 && ::bind(descriptor, any, size) == 0, "bind");
  need(::getsockname(descriptor, any, &size) == 0, "getsockname");
  return descriptor;
}

Pair connected_pair() {
  sockaddr_in server{}, client{};
  const Pair pair{bound_socket(server), bound_socket(client)};
  need(::connect(pair.server, reinterpret_cast<sockaddr*>(&client), sizeof(client)) == 0,
       "connect");
  need(::connect(pair.client, reinterpret_cast<sockaddr*>(&server), sizeof(server)) == 0,
       "connect");
  return pair;
}

// The peer is known by its fingerprint, as in WebRTC, and not by a chain (RFC 8827 section 6.5).
struct Fingerprint {
  std::array<unsigned char, 32> sha256{};
  explicit Fingerprint(const X509* certificate) {
    unsigned int size = 0;
    need(X509_digest(certificate, EVP_sha256(), sha256.data(), &size) == 1, "X509_digest");
  }
};
int is_expected(X509_STORE_CTX* store, void* expected) {
  const Fingerprint seen(X509_STORE_CTX_get0_cert(store));
  return seen.sha256 == static_cast<const Fingerprint*>(expected)->sha256 ? 1 : 0;
}

struct Identity {
  std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key{EVP_EC_gen("P-256")};
  std::unique_ptr<X509, Freed<X509_free>> certificate{X509_new()};
  Identity() {
    X509* own = certificate.get();
    X509_set_version(own, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(own), 4711);
    X509_gmtime_adj(X509_getm_notBefore(own), -86'400L);
    X509_gmtime_adj(X509_getm_notAfter(own), 86'400L);
    X509_NAME* name = X509_get_subject_name(own);
    const unsigned char common_name[] = "bare";
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    X509_set_issuer_name(own, name);
    need(X509_set_pubkey(own, key.get()) == 1, "X509_set_pubkey");
    need(X509_sign(own, key.get(), EVP_sha256()) > 0, "X509_sign");
  }
};

using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

Context make_context(const Identity& own, Fingerprint& peer) {
  Context owner(SSL_CTX_new(DTLS_method()));
  SSL_CTX* context = owner.get();
  need(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(context, DTLS1_2_VERSION);
  need(SSL_CTX_set_cipher_list(context, kCiphers) == 1, "ciphers");
  need(SSL_CTX_set1_groups_list(context, kGroups) == 1, "groups");
  need(SSL_CTX_set_tlsext_use_srtp(context, kSrtpProfiles) == 0, "profiles");
  need(SSL_CTX_use_certificate(context, own.certificate.get()) == 1, "certificate");
  need(SSL_CTX_use_PrivateKey(context, own.key.get()) == 1, "key");
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, is_expected, &peer);
  SSL_CTX_set_quiet_shutdown(context, 1);
  return owner;
}

// One end of the handshakes: takes up one after the other, at most kInFlight at a time.
class End {
 public:
  End(SSL_CTX* context, bool is_server) : context_(context), is_server_(is_server) {
    need(poll_ >= 0, "epoll_create1");
  }
  ~End() {
    for (SSL* ssl : sessions_) SSL_free(ssl);
    ::close(poll_);
  }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  void start(size_t index, int descriptor) {
    if (sessions_.size() <= index) sessions_.resize(index + 1);
    SSL*& ssl = sessions_[index];
    ssl = SSL_new(context_);
    BIO* bio = BIO_new_dgram(descriptor, BIO_NOCLOSE);
    need(ssl != nullptr && bio != nullptr, "SSL_new");
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    need(::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0, "getpeername");
    BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &peer);
    SSL_set_bio(ssl, bio, bio);
    DTLS_set_link_mtu(ssl, kMtu);
    is_server_ ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index;
    need(::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event) == 0, "epoll_ctl");
    if (!is_server_) step(index);
  }
  // Those that ended in this turn; none if nothing came for so long.
  std::vector<size_t> turn(int wait_ms) {
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait_ms);
    std::vector<size_t> ended;
    for (int i = 0; i < count; ++i) {
      const size_t index = events[static_cast<size_t>(i)].data.u64;
      if (sessions_[index] != nullptr && step(index)) ended.push_back(index);
    }
    is_silent_ = count <= 0;
    return ended;
  }
  bool is_silent() const { return is_silent_; }
  // With what WebRTC takes from it (RFC 5764 section 4.2).
  void finish(size_t index, int descriptor) {
    std::array<unsigned char, 56> keys{};
    constexpr std::string_view kLabel = "EXTRACTOR-dtls_srtp";
    need(SSL_export_keying_material(sessions_[index], keys.data(), keys.size(), kLabel.data(),
                                    kLabel.size(), nullptr, 0, 0) == 1,
         "SSL_export_keying_material");
    ::epoll_ctl(poll_, EPOLL_CTL_DEL, descriptor, nullptr);
    SSL_free(std::exchange(sessions_[index], nullptr));
  }

 private:
  bool step(size_t index) {
    const int result = SSL_do_handshake(sessions_[index]);
    if (result == 1) return true;
    need(SSL_get_error(sessions_[index], result) == SSL_ERROR_WANT_READ, "a handshake");
    return false;
  }

  SSL_CTX* context_;
  bool is_server_;
  int poll_ = ::epoll_create1(EPOLL_CLOEXEC);
  bool is_silent_ = false;
  std::vector<SSL*> sessions_;
};

double measure(const std::vector<Pair>& pairs, SSL_CTX* server_context, SSL_CTX* client_context) {
  // How many the server has taken up: a ClientHello before that would wait in its socket.
  std::atomic<size_t> taken_up = 0, completed = 0;
  std::thread peers([&] {
    End client(client_context, false);
    size_t started = 0, done = 0;
    while (done < pairs.size()) {
      for (; started < taken_up.load() && started < done + kInFlight; ++started)
        client.start(started, pairs[started].client);
      if (started == done) {
        std::this_thread::yield();
        continue;
      }
      for (const size_t index : client.turn(kLateMs))
        client.finish(index, pairs[index].client), ++done;
      // Loopback may swap the server's last two datagrams, and it is gone before they would be repeated.
      if (client.is_silent() && completed.load() == pairs.size()) return;
    }
  });
  const double begun = cpu_seconds();
  double seconds = 0;
  {
    End server(server_context, true);
    size_t started = 0, done = 0;
    while (done < pairs.size()) {
      for (; started < pairs.size() && started < done + kInFlight; ++started)
        server.start(started, pairs[started].server);
      taken_up.store(started);
      for (const size_t index : server.turn(kSilenceMs))
        server.finish(index, pairs[index].server), ++done;
      need(!server.is_silent(), "a handshake");
    }
    seconds = cpu_seconds() - begun;
    completed.store(done);
  }
  peers.join();
  return seconds;
}

double measure_alone(const std::vector<Pair>& pairs, SSL_CTX* server_context,
                     SSL_CTX* client_context) {
  double seconds = 0;
  const auto counted = [&seconds](auto&& work) {
    const double begun = cpu_seconds();
    work();
    seconds += cpu_seconds() - begun;
  };
  End client(client_context, false);
  std::optional<End> server(std::in_place, server_context, true);
  size_t started = 0, done = 0;
  int silent = 0;
  while (done < pairs.size()) {
    for (; started < pairs.size() && started < done + kInFlight; ++started) {
      counted([&] { server->start(started, pairs[started].server); });
      client.start(started, pairs[started].client);
    }
    counted([&] {
      for (const size_t index : server->turn(0)) server->finish(index, pairs[index].server), ++done;
    });
    silent = server->is_silent() ? silent + 1 : 0;
    need(silent < kSilentTurns, "a handshake");
    for (const size_t index : client.turn(0)) client.finish(index, pairs[index].client);
  }
  counted([&] { server.reset(); });
  return seconds;
}

}  // namespace
}  // namespace atrium::bench

int main(int argc, char** argv) {
  CLI::App app{"bare_dtls: CPU time of the server's half of DTLS-SRTP handshakes over loopback"};
  int64_t handshakes = 1'000;
  app.add_option("--handshakes", handshakes, "how many")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  bool is_alone = false;
  app.add_flag("--alone", is_alone, "peers in the same thread, by turns");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  using namespace atrium::bench;
  const Identity server, client;
  Fingerprint of_server(server.certificate.get()), of_client(client.certificate.get());
  const Context server_context = make_context(server, of_client);
  const Context client_context = make_context(client, of_server);
  double seconds = 0;
  // In parts, since each handshake has two descriptors.
  constexpr int64_t kPart = 200;
  for (int64_t done = 0; done < handshakes; done += kPart) {
    std::vector<Pair> pairs;
    for (int64_t i = done; i < std::min(handshakes, done + kPart); ++i)
      pairs.push_back(connected_pair());
    seconds +=
        (is_alone ? measure_alone : measure)(pairs, server_context.get(), client_context.get());
    for (const Pair& pair : pairs) ::close(pair.server), ::close(pair.client);
  }
  std::printf(
      "{\"handshakes\": %lld, \"server_cpu_seconds\": %.6f, \"handshakes_per_cpu_second\": %.1f}\n",
      static_cast<long long>(handshakes), seconds, static_cast<double>(handshakes) / seconds);
  return 0;
}
