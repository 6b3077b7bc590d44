// TLS over OpenSSL 3.0, between memory and memory.  A BIO of our own stands below it, since OpenSSL's memory BIO has no
// bound: it hands out the bytes of one feed() and keeps what is to be sent, up to limits::kTlsBufferBytesMax.  All that
// a handshake writes fits in there (the chain's size is looked at when it is loaded), and write() is called only with
// room for a whole record, so OpenSSL is never told to wait: a BIO that is full is a peer that makes us answer and does
// not read, and that is the session's end.
#include "runtime/tls_session.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/freed.h"

namespace atrium::runtime {
namespace {

constexpr const char* kCiphers =  // of TLS 1.2; those of TLS 1.3 are all good
    "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::string_view kProtocol("\x08http/1.1", 9);  // ALPN, RFC 7301 section 3.1
constexpr auto kBufferBytesMax = static_cast<size_t>(limits::kTlsBufferBytesMax);
// A handshake's flight is the chain, a few hundred bytes around it and our session tickets.
constexpr size_t kChainBytesMax = kBufferBytesMax / 2;
constexpr size_t kRecordOverheadMax = 512;  // RFC 5246 allows 2,048; ours need 22 to 29
constexpr size_t kControlReserve = 4'096;   // alerts and key updates behind a full buffer of data
constexpr size_t kKeptBytes = 4'096;        // a larger buffer is given back when it is empty

using SslContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Freed<SSL_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Problem = std::unexpected<std::string>;

// --- files ---------------------------------------------------------------------------------------

// What a key file held is not left behind in memory.
class FileText {
 public:
  FileText() = default;
  FileText(FileText&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  ~FileText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  std::string& text() { return text_; }
  Bio bio() const { return Bio(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size()))); }

 private:
  std::string text_;
};

struct Descriptor {
  explicit Descriptor(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  const int number;
};

std::expected<FileText, std::string> read_file(const std::string& path) {
  const auto problem = [&](const std::string& why) { return Problem("cannot read " + path + why); };
  const Descriptor file(path);
  struct stat facts {};
  if (file.number < 0 || ::fstat(file.number, &facts) != 0)
    return problem(std::string(": ") + std::strerror(errno));
  if (!S_ISREG(facts.st_mode)) return problem(": not a regular file");
  if (facts.st_size > limits::kTlsFileBytesMax)
    return problem(": larger than " + std::to_string(limits::kTlsFileBytesMax) + " bytes");
  FileText out;
  // One byte more, so that a file that grows meanwhile is not taken in part.
  out.text().resize(static_cast<size_t>(facts.st_size) + 1);
  size_t size = 0;
  while (size < out.text().size()) {
    const ssize_t count = ::read(file.number, out.text().data() + size, out.text().size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return problem(std::string(": ") + std::strerror(errno));
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size == out.text().size()) return problem(": it is being written");
  out.text().resize(size);
  return out;
}

// OpenSSL's words for what went wrong last; they never hold a file's content.
std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "OpenSSL gives no reason" : reason;
}

std::expected<std::vector<Certificate>, std::string> read_chain(const std::string& path) {
  auto file = read_file(path);
  if (!file) return Problem(file.error());
  const Bio bio = file->bio();
  CHECK(bio != nullptr);
  std::vector<Certificate> chain;
  size_t bytes = 0;
  ERR_clear_error();
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    chain.emplace_back(next);
    bytes += static_cast<size_t>(std::max(i2d_X509(next, nullptr), 0));
    if (bytes > kChainBytesMax)
      return Problem(path + ": the certificates come to more than " +
                     std::to_string(kChainBytesMax) + " bytes");
  }
  // The end of the file is an error too; anything else is a certificate that is damaged.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (chain.empty() && is_end) return Problem(path + ": holds no certificate in PEM form");
  if (!is_end)
    return Problem(path + ": certificate " + std::to_string(chain.size() + 1) +
                   " is damaged: " + openssl_reason());
  return chain;
}

// Called for a passphrase, which nobody is there to give.
int note_encrypted(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::expected<PrivateKey, std::string> read_key(const std::string& path) {
  auto file = read_file(path);
  if (!file) return Problem(file.error());
  const Bio bio = file->bio();
  CHECK(bio != nullptr);
  bool is_encrypted = false;
  ERR_clear_error();
  PrivateKey key(PEM_read_bio_PrivateKey(bio.get(), nullptr, note_encrypted, &is_encrypted));
  if (key) return key;
  if (is_encrypted)
    return Problem(path + ": the key is encrypted, and nobody is asked for a passphrase here");
  return Problem(path + ": holds no private key in PEM form");
}

// --- the context ---------------------------------------------------------------------------------

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(kProtocol.data());
  if (SSL_select_next_proto(&chosen, out_size, ours, kProtocol.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SslContext make_context() {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  CHECK(context != nullptr);
  SSL_CTX* c = context.get();
  CHECK(SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_cipher_list(c, kCiphers) == 1);
  CHECK(SSL_CTX_set1_groups_list(c, kGroups) == 1);
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                             SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Resumption is by ticket alone: nothing is kept here for clients that may never come back.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  // Thousands of idle connections hold no record buffers.
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  return context;
}

int64_t unix_s_of(const ASN1_TIME* time) {
  tm broken_down{};
  return ASN1_TIME_to_tm(time, &broken_down) == 1 ? ::timegm(&broken_down) : 0;
}

// --- the BIO -------------------------------------------------------------------------------------

struct Wire {
  SSL* ssl = nullptr;
  std::string_view incoming;   // set for the length of one feed()
  size_t handshake_bytes = 0;  // read before the handshake was complete
  std::string outgoing;        // from `sent` on
  size_t sent = 0;
  size_t pending() const { return outgoing.size() - sent; }
};

int wire_write(BIO* bio, const char* data, int size) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (size <= 0) return 0;
  if (wire->pending() + static_cast<size_t>(size) > kBufferBytesMax) return -1;
  if (wire->sent > 0) {
    wire->outgoing.erase(0, wire->sent);
    wire->sent = 0;
  }
  wire->outgoing.append(data, static_cast<size_t>(size));
  return size;
}

int wire_read(BIO* bio, char* out, int size) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire->incoming.empty() || size <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = wire->incoming.copy(out, static_cast<size_t>(size));
  if (SSL_is_init_finished(wire->ssl) != 1) wire->handshake_bytes += count;
  if (wire->handshake_bytes > kBufferBytesMax) return -1;
  wire->incoming.remove_prefix(count);
  return static_cast<int>(count);
}

long wire_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int wire_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* make_wire_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "atrium bytes");
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

}  // namespace

struct TlsContext::State {
  SslContext ssl;
  int64_t expires_unix_s = 0;
};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

std::expected<std::shared_ptr<const TlsContext>, std::string> TlsContext::load(
    const TlsFiles& files) {
  auto chain = read_chain(files.certificate);
  if (!chain) return Problem(chain.error());
  auto key = read_key(files.key);
  if (!key) return Problem(key.error());
  X509* own = chain->front().get();
  ERR_clear_error();
  if (X509_check_private_key(own, key->get()) != 1)
    return Problem(files.key + ": the key does not belong to the first certificate in " +
                   files.certificate);
  auto state = std::make_unique<State>();
  state->ssl = make_context();
  state->expires_unix_s = unix_s_of(X509_get0_notAfter(own));
  ERR_clear_error();
  // Refused here: keys too small for OpenSSL's security level, and kinds of key that TLS has no signature for.
  bool is_taken = SSL_CTX_use_certificate(state->ssl.get(), own) == 1;
  for (size_t i = 1; is_taken && i < chain->size(); ++i)
    is_taken = SSL_CTX_add1_chain_cert(state->ssl.get(), (*chain)[i].get()) == 1;
  if (!is_taken) return Problem(files.certificate + ": OpenSSL refuses it: " + openssl_reason());
  if (SSL_CTX_use_PrivateKey(state->ssl.get(), key->get()) != 1)
    return Problem(files.key + ": OpenSSL refuses it: " + openssl_reason());
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

int64_t TlsContext::expires_unix_s() const {
  return state_->expires_unix_s;
}

// --- the session ---------------------------------------------------------------------------------

struct TlsSession::State {
  std::shared_ptr<const TlsContext> context;
  Wire wire;  // before `ssl`, whose BIO points here
  Ssl ssl;
  bool is_failed = false;
  bool is_closed = false;  // our close_notify is queued
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context)
    : state_(std::make_unique<State>()) {
  state_->context = std::move(context);
  state_->ssl.reset(SSL_new(state_->context->state_->ssl.get()));
  BIO* bio = BIO_new(wire_method());
  CHECK(state_->ssl != nullptr && bio != nullptr);
  state_->wire.ssl = state_->ssl.get();
  BIO_set_data(bio, &state_->wire);
  SSL_set_bio(state_->ssl.get(), bio, bio);
  SSL_set_accept_state(state_->ssl.get());
}
TlsSession::~TlsSession() = default;

TlsSession::Input TlsSession::feed(std::string_view bytes, std::string& plain) {
  State& s = *state_;
  if (s.is_failed) return Input::Failed;
  s.wire.incoming = bytes;
  std::array<char, kPlainBytesMax> record;
  while (true) {
    ERR_clear_error();
    const int count = SSL_read(s.ssl.get(), record.data(), static_cast<int>(record.size()));
    if (count > 0) {
      plain.append(record.data(), static_cast<size_t>(count));
      continue;
    }
    const int why = SSL_get_error(s.ssl.get(), count);
    s.wire.incoming = {};
    if (why == SSL_ERROR_WANT_READ) return Input::Open;
    if (why == SSL_ERROR_ZERO_RETURN) return Input::Closed;
    s.is_failed = true;
    return Input::Failed;
  }
}

bool TlsSession::is_established() const {
  return SSL_is_init_finished(state_->ssl.get()) == 1 && !state_->is_failed;
}

bool TlsSession::has_room() const {
  return state_->wire.pending() + kPlainBytesMax + kRecordOverheadMax + kControlReserve <=
         kBufferBytesMax;
}

bool TlsSession::write(std::string_view plain) {
  State& s = *state_;
  DCHECK(plain.size() <= kPlainBytesMax && has_room());
  if (!is_established() || s.is_closed) return false;
  if (plain.empty()) return true;
  ERR_clear_error();
  const int size = static_cast<int>(plain.size());
  if (SSL_write(s.ssl.get(), plain.data(), size) == size) return true;
  s.is_failed = true;
  return false;
}

void TlsSession::close() {
  State& s = *state_;
  if (s.is_closed || !is_established()) return;
  s.is_closed = true;
  ERR_clear_error();
  SSL_shutdown(s.ssl.get());
}

std::string_view TlsSession::pending() const {
  return std::string_view(state_->wire.outgoing).substr(state_->wire.sent);
}

void TlsSession::consume(size_t size) {
  Wire& wire = state_->wire;
  wire.sent += size;
  if (wire.pending() > 0) return;
  wire.sent = 0;
  if (wire.outgoing.capacity() > kKeptBytes)
    wire.outgoing = {};
  else
    wire.outgoing.clear();
}

}  // namespace atrium::runtime
