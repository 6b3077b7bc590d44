// DTLS over OpenSSL 3.0.  OpenSSL wants a byte stream below it; DTLS needs datagrams.  So the BIO
// here hands out one incoming datagram at a time and keeps each outgoing write as a datagram of its
// own.
//
// Clocks: OpenSSL arms its retransmit timer with gettimeofday() and answers DTLSv1_handle_timeout()
// only once that clock agrees.  We keep the deadline on the caller's clock and ask then; where the
// two clocks differ (a stepped wall clock), OpenSSL's refusal postpones the repeat by what it still
// wants, at most limits::kDtlsRetransmitMs.
#include "media/dtls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/freed.h"
#include "base/secret_source.h"
#include "media/dtls_library.h"

namespace atrium::media {
namespace {

constexpr long kCertificateDays = 3'650;  // WebRTC peers look at the fingerprint, not at dates
// No record of ours is longer than a datagram; by it libssl measures the buffer that each association keeps.
constexpr long kSendFragment = 2'048;
// A 1,500-byte datagram holds at most 39 records of one byte.
constexpr size_t kRecordsPerDatagramMax = 128;
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305";
// P-256 must stay: the certificate's own curve is looked up here.
constexpr const char* kGroups = "X25519:P-256";
constexpr const char* kSrtpProfiles =
    "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80";
constexpr std::string_view kExporterLabel = "EXTRACTOR-dtls_srtp";  // RFC 5764 section 4.2

using SslContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

// What the BIO sees of an association.
struct Wire {
  ByteView incoming;  // set for the length of one on_datagram()
  std::vector<Bytes> outgoing;
  size_t mtu = 0;
  DtlsCounters counters;
};

int wire_write(BIO* bio, const char* data, int size) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  // A full list loses the datagram, as a network would; saying so to OpenSSL would stall its handshake instead.
  if (wire->outgoing.size() >= static_cast<size_t>(limits::kDtlsOutgoingMax)) {
    ++wire->counters.dropped_outgoing_full;
    return size;
  }
  const ByteView datagram = as_bytes(std::string_view(data, static_cast<size_t>(size)));
  wire->outgoing.emplace_back(datagram.begin(), datagram.end());
  ++wire->counters.datagrams_out;
  return size;
}

int wire_read(BIO* bio, char* out, int size) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire->incoming.empty() || size <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  // As recv() does: what does not fit is lost.  OpenSSL's buffer holds 16 KiB, a datagram at most 1,500 bytes.
  const size_t count = std::min(wire->incoming.size(), static_cast<size_t>(size));
  std::copy_n(wire->incoming.begin(), count, reinterpret_cast<uint8_t*>(out));
  wire->incoming = {};
  return static_cast<int>(count);
}

long wire_control(BIO* bio, int command, long, void*) {
  const auto* wire = static_cast<const Wire*>(BIO_get_data(bio));
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return static_cast<long>(wire->mtu);
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return 0;  // our MTU is that of the UDP payload
    default: return 0;
  }
}

int wire_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* make_wire_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "atrium datagrams");
  CHECK(method != nullptr);
  BIO_meth_set_write(method, wire_write);
  BIO_meth_set_read(method, wire_read);
  BIO_meth_set_ctrl(method, wire_control);
  BIO_meth_set_create(method, wire_create);
  return method;
}
const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = make_wire_method();  // one for the process, never freed
  return method;
}

// DTLS_set_timer_cb: given the last wait, the next one; 0 asks for the first.
unsigned int next_wait_us(SSL*, unsigned int last_us) {
  if (last_us == 0) return static_cast<unsigned int>(limits::kDtlsRetransmitFirstMs * 1'000);
  return static_cast<unsigned int>(
      std::min<int64_t>(int64_t{last_us} * 2, limits::kDtlsRetransmitMs * 1'000));
}

DtlsFingerprint fingerprint_of(const X509* certificate) {
  DtlsFingerprint out;
  unsigned int size = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), out.sha256.data(), &size) == 1);
  CHECK(size == out.sha256.size());
  return out;
}

Certificate self_sign(EVP_PKEY* key) {
  Certificate certificate(X509_new_ex(dtls_library(), nullptr));
  CHECK(certificate != nullptr);
  std::array<uint8_t, 8> serial{};
  OpenSslSecretSource().fill(serial);
  serial[0] &= 0x7f;
  BIGNUM* number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  CHECK(number != nullptr);
  CHECK(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get())) != nullptr);
  BN_free(number);
  X509_set_version(certificate.get(), 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -86'400L);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kCertificateDays * 86'400L);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const std::string_view common_name = "atrium";
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, as_bytes(common_name).data(),
                                   static_cast<int>(common_name.size()), -1, 0) == 1);
  CHECK(X509_set_issuer_name(certificate.get(), name) == 1);
  CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

// Who the peer must be, and what its certificate showed.
struct Identity {
  DtlsFingerprint expected;
  bool is_verified = false;
  bool is_mismatch = false;
};

// Replaces OpenSSL's chain building.  RFC 8827 section 6.5: whoever holds the key of the signalled
// fingerprint is the peer.
int verify_leaf(X509_STORE_CTX* store, void*) {
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* identity = static_cast<Identity*>(SSL_get_app_data(ssl));
  const X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (leaf == nullptr) return 0;
  const DtlsFingerprint seen = fingerprint_of(leaf);
  identity->is_verified =
      CRYPTO_memcmp(seen.sha256.data(), identity->expected.sha256.data(), seen.sha256.size()) == 0;
  identity->is_mismatch = !identity->is_verified;
  if (identity->is_mismatch) X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
  return identity->is_verified ? 1 : 0;
}

SslContext make_context(EVP_PKEY* key, X509* certificate) {
  SslContext context(SSL_CTX_new_ex(dtls_library(), nullptr, DTLS_method()));
  CHECK(context != nullptr);
  SSL_CTX* const c = context.get();
  CHECK(SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_cipher_list(c, kCiphers) == 1);
  CHECK(SSL_CTX_set1_groups_list(c, kGroups) == 1);
  CHECK(SSL_CTX_set_tlsext_use_srtp(c, kSrtpProfiles) == 0);  // 0 is success, of this one
  CHECK(SSL_CTX_use_certificate(c, certificate) == 1);
  CHECK(SSL_CTX_use_PrivateKey(c, key) == 1);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                             SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  CHECK(SSL_CTX_set_max_send_fragment(c, kSendFragment) == 1);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(c, verify_leaf, nullptr);
  SSL_CTX_set_quiet_shutdown(c, 1);
  return context;
}

// RFC 6347 section 4.1: type, version, epoch, sequence number, length.
constexpr size_t kRecordHeader = 13, kRecordEpoch = 3, kRecordLength = 11;
// RFC 5288 section 3: explicit nonce and tag; RFC 7905 section 2: a tag alone.
constexpr size_t kGcmSealedMin = 24, kChachaSealedMin = 16;

// OpenSSL 3.0 ends an association at a sealed record without room for its nonce and tag.  Anybody can send one, so it
// must be dropped as other bad records are (RFC 6347 section 4.1.2.7): it never gets there.
bool has_short_record(ByteView datagram, size_t sealed_min) {
  while (datagram.size() >= kRecordHeader) {
    const bool is_sealed = (datagram[kRecordEpoch] | datagram[kRecordEpoch + 1]) != 0;
    const auto length =
        static_cast<size_t>(datagram[kRecordLength] << 8 | datagram[kRecordLength + 1]);
    if (is_sealed && length < sealed_min) return true;
    datagram = datagram.subspan(std::min(datagram.size(), kRecordHeader + length));
  }
  return false;
}

const char* profile_name(SrtpProfile profile) {
  switch (profile) {
    case SrtpProfile::AeadAes128Gcm: return "SRTP_AEAD_AES_128_GCM";
    case SrtpProfile::AeadAes256Gcm: return "SRTP_AEAD_AES_256_GCM";
    case SrtpProfile::Aes128CmSha1_80: return "SRTP_AES128_CM_SHA1_80";
  }
  return kSrtpProfiles;
}

}  // namespace

// One SSL_CTX per role.  OpenSSL counts their references atomically, so shards share them.
struct CertificateKey {
  PrivateKey key;
  Certificate certificate;
  DtlsFingerprint fingerprint;
  SslContext server, client;
};

std::shared_ptr<const CertificateKey> make_certificate() {
  auto made = std::make_shared<CertificateKey>();
  made->key.reset(EVP_PKEY_Q_keygen(dtls_library(), nullptr, "EC", "P-256"));
  CHECK(made->key != nullptr);
  made->certificate = self_sign(made->key.get());
  made->fingerprint = fingerprint_of(made->certificate.get());
  made->server = make_context(made->key.get(), made->certificate.get());
  made->client = make_context(made->key.get(), made->certificate.get());
  return made;
}

DtlsFingerprint fingerprint(const CertificateKey& certificate) {
  return certificate.fingerprint;
}

std::string fingerprint_text(const CertificateKey& certificate) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (uint8_t byte : certificate.fingerprint.sha256) {
    if (!out.empty()) out += ':';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

struct Dtls::State {
  // given
  DtlsOptions options;
  // owned
  Wire wire;
  Identity identity;
  Ssl ssl;  // after both, to which it points
  std::vector<Bytes> application;
  // derived
  DtlsState state = DtlsState::Handshaking;
  DtlsFailure failure = DtlsFailure::None;
  Mono deadline = kNever;

  Result<void> start(Now now);
  void advance(Now now);
  void read_application();
  void finish_handshake();
  void on_result(int result);
  void end(DtlsState how, DtlsFailure why);
  void arm(Now now);
  size_t sealed_min() const;
  bool has_ended() const { return state == DtlsState::Failed || state == DtlsState::Closed; }
};

Result<void> Dtls::State::start(Now now) {
  const CertificateKey& certificate = *options.certificate;
  const bool is_server = options.role == DtlsRole::Server;
  ssl.reset(SSL_new((is_server ? certificate.server : certificate.client).get()));
  BIO* bio = BIO_new(wire_method());
  if (ssl == nullptr || bio == nullptr) {
    BIO_free(bio);
    ERR_clear_error();
    return fail(ErrorKind::Internal, "libssl is out of memory");
  }
  wire.mtu = options.mtu;
  BIO_set_data(bio, &wire);
  SSL_set_bio(ssl.get(), bio, bio);
  identity.expected = options.remote;
  SSL_set_app_data(ssl.get(), &identity);
  DTLS_set_link_mtu(ssl.get(), static_cast<long>(options.mtu));
  DTLS_set_timer_cb(ssl.get(), next_wait_us);
  if (options.only_profile)
    CHECK(SSL_set_tlsext_use_srtp(ssl.get(), profile_name(*options.only_profile)) == 0);
  if (is_server) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    advance(now);
  }
  return {};
}

// One step: as far as the datagram at hand, or none, carries.
void Dtls::State::advance(Now now) {
  ERR_clear_error();
  if (state == DtlsState::Handshaking) {
    const int result = SSL_do_handshake(ssl.get());
    if (result == 1)
      finish_handshake();
    else
      on_result(result);
  }
  if (state == DtlsState::Connected) read_application();
  ERR_clear_error();
  arm(now);
}

void Dtls::State::finish_handshake() {
  // A resumed session would skip the certificate; resumption is off, and this is why it must stay so.
  if (!identity.is_verified) return end(DtlsState::Failed, DtlsFailure::FingerprintMismatch);
  if (SSL_get_selected_srtp_profile(ssl.get()) == nullptr)
    return end(DtlsState::Failed, DtlsFailure::NoSrtpProfile);
  state = DtlsState::Connected;
}

// Also where OpenSSL notices a repeated Finished of the peer, and repeats our last flight.
void Dtls::State::read_application() {
  for (size_t n = 0; n < kRecordsPerDatagramMax && state == DtlsState::Connected; ++n) {
    uint8_t buffer[2'048];
    const int size = SSL_read(ssl.get(), buffer, sizeof(buffer));
    if (size <= 0) return on_result(size);
    if (application.size() >= static_cast<size_t>(limits::kDtlsApplicationMax)) {
      ++wire.counters.dropped_application_full;
      continue;
    }
    application.emplace_back(buffer, buffer + size);
  }
}

void Dtls::State::on_result(int result) {
  switch (SSL_get_error(ssl.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return;
    case SSL_ERROR_ZERO_RETURN: return end(DtlsState::Closed, DtlsFailure::None);
    default: return end(DtlsState::Failed, DtlsFailure::Handshake);
  }
}

size_t Dtls::State::sealed_min() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl.get());
  if (cipher == nullptr) cipher = SSL_get_pending_cipher(ssl.get());
  const bool is_chacha =
      cipher != nullptr && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
  return is_chacha ? kChachaSealedMin : kGcmSealedMin;
}

void Dtls::State::end(DtlsState how, DtlsFailure why) {
  state = how;
  failure = identity.is_mismatch ? DtlsFailure::FingerprintMismatch : why;
  deadline = kNever;
}

void Dtls::State::arm(Now now) {
  deadline = kNever;
  timeval left{};
  if (has_ended() || DTLSv1_get_timeout(ssl.get(), &left) != 1) return;
  const Duration wait = std::chrono::seconds(left.tv_sec) + Duration(left.tv_usec);
  deadline =
      now.mono + std::min<Duration>(wait, std::chrono::milliseconds(limits::kDtlsRetransmitMs));
}

Dtls::Dtls(std::unique_ptr<State> state) : state_(std::move(state)) {}
Dtls::Dtls(Dtls&&) noexcept = default;
Dtls& Dtls::operator=(Dtls&&) noexcept = default;
Dtls::~Dtls() = default;  // SSL_free sends nothing, and quiet shutdown is set besides

Result<Dtls> Dtls::create(DtlsOptions options, Now now) {
  CHECK(options.certificate != nullptr);
  auto state = std::make_unique<State>();
  state->options = std::move(options);
  TRY(state->start(now));
  return Dtls(std::move(state));
}

void Dtls::on_datagram(ByteView datagram, Now now) {
  if (state_->has_ended()) {
    ++state_->wire.counters.dropped_after_end;
    return;
  }
  ++state_->wire.counters.datagrams_in;
  if (has_short_record(datagram, state_->sealed_min())) {
    ++state_->wire.counters.dropped_short_record;
    return;
  }
  state_->wire.incoming = datagram;
  state_->advance(now);
  state_->wire.incoming = {};
}

void Dtls::on_deadline(Now now) {
  State& state = *state_;
  if (state.has_ended() || now.mono < state.deadline) return;
  ERR_clear_error();
  const int result = DTLSv1_handle_timeout(state.ssl.get());
  if (result > 0) ++state.wire.counters.retransmits;
  if (result < 0) state.end(DtlsState::Failed, DtlsFailure::TimedOut);
  ERR_clear_error();
  state.arm(now);
}

Mono Dtls::next_deadline() const {
  return state_->deadline;
}

std::vector<Bytes> Dtls::take_datagrams() {
  return std::exchange(state_->wire.outgoing, {});
}
std::vector<Bytes> Dtls::take_application() {
  return std::exchange(state_->application, {});
}

Result<void> Dtls::send_application(ByteView plaintext) {
  State& state = *state_;
  if (state.state != DtlsState::Connected)
    return fail(ErrorKind::Unavailable, "DTLS is not connected");
  if (plaintext.empty()) return malformed("an empty DTLS record");
  if (plaintext.size() + kDtlsRecordOverhead > state.options.mtu)
    return fail(ErrorKind::LimitExceeded, "application data beyond the MTU");
  ERR_clear_error();
  const int written =
      SSL_write(state.ssl.get(), plaintext.data(), static_cast<int>(plaintext.size()));
  if (written <= 0) state.on_result(written);
  ERR_clear_error();
  if (written <= 0) return fail(ErrorKind::Unavailable, "libssl refused the record");
  return {};
}

void Dtls::close() {
  State& state = *state_;
  if (state.state != DtlsState::Connected) return;
  ERR_clear_error();
  SSL_set_quiet_shutdown(state.ssl.get(), 0);
  SSL_shutdown(state.ssl.get());
  ERR_clear_error();
  state.end(DtlsState::Closed, DtlsFailure::None);
}

DtlsState Dtls::state() const {
  return state_->state;
}
DtlsFailure Dtls::failure() const {
  return state_->failure;
}
const DtlsCounters& Dtls::counters() const {
  return state_->wire.counters;
}

Result<SrtpKeys> Dtls::export_srtp() const {
  if (state_->state != DtlsState::Connected)
    return fail(ErrorKind::Unavailable, "DTLS is not connected");
  SSL* const ssl = state_->ssl.get();
  SrtpKeys keys;
  switch (SSL_get_selected_srtp_profile(ssl)->id) {
    case SRTP_AEAD_AES_128_GCM: keys.profile = SrtpProfile::AeadAes128Gcm; break;
    case SRTP_AEAD_AES_256_GCM: keys.profile = SrtpProfile::AeadAes256Gcm; break;
    case SRTP_AES128_CM_SHA1_80: keys.profile = SrtpProfile::Aes128CmSha1_80; break;
    default: return fail(ErrorKind::Internal, "an SRTP profile that was not offered");
  }
  const size_t key_length = srtp_key_length(keys.profile);
  const size_t salt_length = srtp_salt_length(keys.profile);
  std::array<uint8_t, 2 * (32 + 14)> material{};
  const size_t total = 2 * (key_length + salt_length);
  if (SSL_export_keying_material(ssl, material.data(), total, kExporterLabel.data(),
                                 kExporterLabel.size(), nullptr, 0, 0) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::Internal, "libssl refused to export keys");
  }
  // client key, server key, client salt, server salt
  auto next = material.begin();
  auto take = [&next](auto& out, size_t count) {
    std::copy_n(next, count, out.begin());
    next += static_cast<std::ptrdiff_t>(count);
  };
  take(keys.client.key, key_length), take(keys.server.key, key_length);
  take(keys.client.salt, salt_length), take(keys.server.salt, salt_length);
  OPENSSL_cleanse(material.data(), material.size());
  return keys;
}

}  // namespace atrium::media
