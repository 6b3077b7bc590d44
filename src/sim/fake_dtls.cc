#include <algorithm>
#include <array>
#include <utility>

#include "base/crypto.h"
#include "base/seeded_secret_source.h"
#include "media/dtls.h"
#include "sim/fakes.h"

// Datagrams, after the first byte that RFC 7983 wants for DTLS:
// | 22 | role | random (32) | certificate (32) |      hello; the server's answers the client's
// | 23 | tag (8) | application data |
namespace atrium {
namespace {
SeededSecretSource& chance() {
  static SeededSecretSource source(1);
  return source;
}
}  // namespace

namespace sim {
void seed_fake_dtls(uint64_t seed) {
  chance() = SeededSecretSource(seed);
}
}  // namespace sim

namespace media {
namespace {

constexpr uint8_t kHello = 22, kData = 23;
constexpr size_t kHelloBytes = 66, kTagBytes = 8;
constexpr Duration kFirstRepeat = std::chrono::milliseconds(200),
                   kLastRepeat = std::chrono::seconds(3);
constexpr Duration kGiveUp = std::chrono::seconds(30);

Sha256 derive(std::string_view label, const Sha256& client, const Sha256& server) {
  Bytes all(label.begin(), label.end());
  all.insert(all.end(), client.begin(), client.end());
  all.insert(all.end(), server.begin(), server.end());
  return sha256(all);
}

SrtpMaster master(std::string_view label, const Sha256& client, const Sha256& server) {
  const Sha256 bytes = derive(label, client, server);
  SrtpMaster out;
  std::copy_n(bytes.begin(), 16, out.key.begin());
  std::copy_n(bytes.begin() + 16, 12, out.salt.begin());
  return out;
}

}  // namespace

struct CertificateKey {
  DtlsFingerprint print;
};

std::shared_ptr<const CertificateKey> make_certificate() {
  auto key = std::make_shared<CertificateKey>();
  chance().fill(key->print.sha256);
  return key;
}
DtlsFingerprint fingerprint(const CertificateKey& certificate) {
  return certificate.print;
}
std::string fingerprint_text(const CertificateKey& certificate) {
  const std::string digits = hex(certificate.print.sha256);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && i % 2 == 0) out.push_back(':');
    out.push_back(static_cast<char>(digits[i] >= 'a' ? digits[i] - 'a' + 'A' : digits[i]));
  }
  return out;
}

struct Dtls::State {
  DtlsOptions options;
  DtlsState state = DtlsState::Handshaking;
  DtlsFailure failure = DtlsFailure::None;
  DtlsCounters counters;
  Sha256 random{}, peer_random{};
  std::vector<Bytes> outgoing, application;
  Mono deadline = kNever, give_up = kNever;
  Duration repeat = kFirstRepeat;

  bool is_client() const { return options.role == DtlsRole::Client; }
  const Sha256& client_random() const { return is_client() ? random : peer_random; }
  const Sha256& server_random() const { return is_client() ? peer_random : random; }
  Sha256 tag() const { return derive("tag", client_random(), server_random()); }

  void send_hello() {
    Bytes out{kHello, static_cast<uint8_t>(is_client() ? 'C' : 'S')};
    out.insert(out.end(), random.begin(), random.end());
    out.insert(out.end(), options.certificate->print.sha256.begin(),
               options.certificate->print.sha256.end());
    outgoing.push_back(std::move(out));
    ++counters.datagrams_out;
  }
  void end(DtlsFailure why) {
    state = DtlsState::Failed;
    failure = why;
    deadline = kNever;
  }
  void on_hello(ByteView datagram) {
    if (datagram.size() != kHelloBytes || (datagram[1] == 'C') == is_client()) return;
    DtlsFingerprint certificate;
    std::copy_n(datagram.begin() + 34, 32, certificate.sha256.begin());
    if (state == DtlsState::Handshaking) {
      if (certificate != options.remote) return end(DtlsFailure::FingerprintMismatch);
      std::copy_n(datagram.begin() + 2, 32, peer_random.begin());
      state = DtlsState::Connected;
      deadline = kNever;
    }
    if (!is_client()) send_hello();  // also for one that missed it
  }
};

Dtls::Dtls(std::unique_ptr<State> state) : state_(std::move(state)) {}
Dtls::Dtls(Dtls&&) noexcept = default;
Dtls& Dtls::operator=(Dtls&&) noexcept = default;
Dtls::~Dtls() = default;

Result<Dtls> Dtls::create(DtlsOptions options, Now now) {
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  chance().fill(state->random);
  if (state->is_client()) {
    state->send_hello();
    state->deadline = now.mono + state->repeat;
    state->give_up = now.mono + kGiveUp;
  }
  return Dtls(std::move(state));
}

void Dtls::on_datagram(ByteView datagram, Now) {
  State& s = *state_;
  ++s.counters.datagrams_in;
  if (datagram.empty() || s.state == DtlsState::Failed || s.state == DtlsState::Closed) return;
  if (datagram[0] == kHello) return s.on_hello(datagram);
  if (datagram[0] != kData || s.state != DtlsState::Connected || datagram.size() <= 1 + kTagBytes)
    return;
  const Sha256 tag = s.tag();
  if (!std::equal(tag.begin(), tag.begin() + kTagBytes, datagram.begin() + 1)) return;
  s.application.emplace_back(datagram.begin() + 1 + kTagBytes, datagram.end());
}

void Dtls::on_deadline(Now now) {
  State& s = *state_;
  if (s.deadline > now.mono) return;
  if (now.mono >= s.give_up) return s.end(DtlsFailure::TimedOut);
  s.repeat = std::min(s.repeat * 2, kLastRepeat);
  s.deadline = now.mono + s.repeat;
  ++s.counters.retransmits;
  s.send_hello();
}

Mono Dtls::next_deadline() const {
  return state_->deadline;
}
std::vector<Bytes> Dtls::take_datagrams() {
  return std::exchange(state_->outgoing, {});
}
std::vector<Bytes> Dtls::take_application() {
  return std::exchange(state_->application, {});
}

Result<void> Dtls::send_application(ByteView plaintext) {
  State& s = *state_;
  if (s.state != DtlsState::Connected) return fail(ErrorKind::Unavailable, "DTLS is not connected");
  if (plaintext.size() + kDtlsRecordOverhead > s.options.mtu)
    return fail(ErrorKind::LimitExceeded, "application data beyond the MTU");
  const Sha256 tag = s.tag();
  Bytes out{kData};
  out.insert(out.end(), tag.begin(), tag.begin() + kTagBytes);
  out.insert(out.end(), plaintext.begin(), plaintext.end());
  s.outgoing.push_back(std::move(out));
  return {};
}

void Dtls::close() {
  if (state_->state == DtlsState::Connected) state_->state = DtlsState::Closed;
}
DtlsState Dtls::state() const {
  return state_->state;
}
DtlsFailure Dtls::failure() const {
  return state_->failure;
}
const DtlsCounters& Dtls::counters() const {
  return state_->counters;
}

Result<SrtpKeys> Dtls::export_srtp() const {
  const State& s = *state_;
  if (s.state != DtlsState::Connected) return fail(ErrorKind::Unavailable, "DTLS is not connected");
  SrtpKeys keys;
  keys.profile = SrtpProfile::AeadAes128Gcm;
  keys.client = master("client", s.client_random(), s.server_random());
  keys.server = master("server", s.client_random(), s.server_random());
  return keys;
}

}  // namespace media
}  // namespace atrium
