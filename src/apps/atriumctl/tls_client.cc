#include "apps/atriumctl/tls_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <array>
#include <limits>

#include "base/check.h"

namespace atrium::atriumctl {
namespace {

template <auto function>
struct Freed {
  void operator()(auto* pointer) const { function(pointer); }
};

constexpr size_t kRecordBytesMax = 16'384;  // RFC 8446 section 5.1
constexpr auto kProtocol =
    std::to_array<unsigned char>({8, 'h', 't', 't', 'p', '/', '1', '.', '1'});

// Why a certificate is not believed, and what to do about it.
const char* words_of(long verdict) {
  switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "its certificate has expired; renew tls.certificate on the server, then run "
             "atriumctl reload there (or compare this machine's clock)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "its certificate is not valid yet; compare this machine's clock with the server's";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "its certificate is for another name; give in --url a host name that stands in the "
             "certificate";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "its certificate is signed by an authority that is not known here; name that "
             "authority's certificate with --ca FILE or ATRIUM_CA, or let the server's "
             "tls.certificate hold the whole chain";
    default:
      return "its certificate does not stand the test (openssl s_client -connect says why); give "
             "the server another one";
  }
}

bool is_not_tls(int reason) {
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
         reason == SSL_R_UNEXPECTED_MESSAGE;
}

}  // namespace

struct TlsClient::State {
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context;
  std::unique_ptr<SSL, Freed<SSL_free>> ssl;
  BIO* incoming = nullptr;  // both are owned by `ssl`
  BIO* outgoing = nullptr;
  Trust trust;

  Result<bool> failure() const {
    const long verdict = SSL_get_verify_result(ssl.get());
    if (!trust.is_insecure && verdict != X509_V_OK)
      return fail(ErrorKind::Unauthorised, words_of(verdict));
    if (SSL_is_init_finished(ssl.get()) == 1)
      return fail(ErrorKind::Unavailable, "the connection broke while the answer was read");
    if (is_not_tls(ERR_GET_REASON(ERR_peek_last_error())))
      return malformed("it does not speak TLS; is http:// meant in the URL");
    return fail(ErrorKind::Unavailable, "the TLS handshake failed; the server's log says why");
  }
};

TlsClient::TlsClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsClient::TlsClient(TlsClient&&) noexcept = default;
TlsClient::~TlsClient() = default;

Result<TlsClient> TlsClient::create(const std::string& host, const Trust& trust) {
  auto state = std::make_unique<State>();
  state->trust = trust;
  state->context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = state->context.get();
  CHECK(context != nullptr);
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  SSL_CTX_set_verify(context, trust.is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (trust.ca_file.empty())
    SSL_CTX_set_default_verify_paths(context);  // without any, no certificate is believed
  else if (SSL_CTX_load_verify_file(context, trust.ca_file.c_str()) != 1)
    return fail(ErrorKind::Unauthorised,
                "the file of --ca or ATRIUM_CA holds no certificate in PEM "
                "form that could be read");
  state->ssl.reset(SSL_new(context));
  SSL* ssl = state->ssl.get();
  CHECK(ssl != nullptr);
  X509_VERIFY_PARAM* check = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(
      check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str()) != 1) {
    // Not an address.  RFC 6066 section 3: names alone are announced.
    if (SSL_set_tlsext_host_name(ssl, host.c_str()) != 1 || SSL_set1_host(ssl, host.c_str()) != 1)
      return malformed("the URL's host is no name that a certificate could have");
  }
  SSL_set_alpn_protos(ssl, kProtocol.data(), kProtocol.size());
  state->incoming = BIO_new(BIO_s_mem());
  state->outgoing = BIO_new(BIO_s_mem());
  CHECK(state->incoming != nullptr && state->outgoing != nullptr);
  SSL_set_bio(ssl, state->incoming, state->outgoing);
  SSL_set_connect_state(ssl);
  ERR_clear_error();
  SSL_do_handshake(ssl);  // writes the first message; wants an answer
  return TlsClient(std::move(state));
}

Result<bool> TlsClient::feed(std::string_view bytes, std::string& plain) {
  State& s = *state_;
  CHECK(bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max()));
  BIO_write(s.incoming, bytes.data(), static_cast<int>(bytes.size()));
  std::array<char, kRecordBytesMax> record;
  while (true) {
    ERR_clear_error();
    const int count = SSL_read(s.ssl.get(), record.data(), static_cast<int>(record.size()));
    if (count > 0) {
      plain.append(record.data(), static_cast<size_t>(count));
      continue;
    }
    const int why = SSL_get_error(s.ssl.get(), count);
    if (why == SSL_ERROR_WANT_READ) return true;
    if (why == SSL_ERROR_ZERO_RETURN) return false;
    return s.failure();
  }
}

bool TlsClient::is_established() const {
  return SSL_is_init_finished(state_->ssl.get()) == 1;
}

Result<void> TlsClient::write(std::string_view plain) {
  if (plain.empty()) return {};
  ERR_clear_error();
  const int size = static_cast<int>(plain.size());
  if (SSL_write(state_->ssl.get(), plain.data(), size) == size) return {};
  return fail(ErrorKind::Unavailable, "the connection broke while the request was sent");
}

std::string TlsClient::take_pending() {
  std::string out(static_cast<size_t>(BIO_pending(state_->outgoing)), '\0');
  if (!out.empty()) BIO_read(state_->outgoing, out.data(), static_cast<int>(out.size()));
  return out;
}

}  // namespace atrium::atriumctl
