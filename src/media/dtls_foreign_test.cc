// Our end against plain libssl in its default context: peers whose certificates and ciphers are not those that we make.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/freed.h"
#include "media/dtls.h"
#include "media/library_clock_testing.h"

namespace atrium::media {
namespace {

using testing::IsEmpty;

using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

Certificate self_signed(EVP_PKEY* key) {
  Certificate out(X509_new());
  X509_set_version(out.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 7);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -86'400L);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 86'400L);
  X509_NAME* name = X509_get_subject_name(out.get());
  const unsigned char common_name[] = "foreign";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
  X509_set_issuer_name(out.get(), name);
  X509_set_pubkey(out.get(), key);
  X509_sign(out.get(), key, EVP_sha256());
  return out;
}

// A DTLS client of libssl; all that it says in one step is one datagram.
class ForeignClient {
 public:
  ForeignClient(PrivateKey key, const char* ciphers)
      : key_(std::move(key)), certificate_(self_signed(key_.get())) {
    SSL_CTX* c = context_.get();
    SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION);
    EXPECT_EQ(SSL_CTX_set_cipher_list(c, ciphers), 1);
    EXPECT_EQ(SSL_CTX_set_tlsext_use_srtp(c, "SRTP_AEAD_AES_128_GCM"), 0);
    EXPECT_EQ(SSL_CTX_use_certificate(c, certificate_.get()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(c, key_.get()), 1);
    ssl_.reset(SSL_new(c));
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl_.get(), in, out);
    SSL_set_options(ssl_.get(), SSL_OP_NO_QUERY_MTU);
    DTLS_set_link_mtu(ssl_.get(), 1'200);
    SSL_set_connect_state(ssl_.get());
  }
  DtlsFingerprint fingerprint() const {
    DtlsFingerprint out;
    unsigned int size = 0;
    X509_digest(certificate_.get(), EVP_sha256(), out.sha256.data(), &size);
    return out;
  }
  Bytes step() {
    SSL_do_handshake(ssl_.get());
    return said();
  }
  Bytes step(const Bytes& datagram) {
    BIO_write(SSL_get_rbio(ssl_.get()), datagram.data(), static_cast<int>(datagram.size()));
    return step();
  }
  Bytes send(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    return said();
  }
  bool is_connected() const { return SSL_is_init_finished(ssl_.get()) == 1; }

 private:
  Bytes said() {
    Bytes out(16'384);
    const int size = BIO_read(SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
    out.resize(static_cast<size_t>(std::max(size, 0)));
    return out;
  }

  PrivateKey key_;
  Certificate certificate_;
  std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_{SSL_CTX_new(DTLS_client_method())};
  std::unique_ptr<SSL, Freed<SSL_free>> ssl_;
};

constexpr const char* kGcm = "ECDHE-ECDSA-AES128-GCM-SHA256";
constexpr const char* kChacha = "ECDHE-ECDSA-CHACHA20-POLY1305";

class ForeignPeer : public testing::Test {
 protected:
  void meet(PrivateKey key, const char* ciphers = kGcm) {
    ASSERT_NE(key, nullptr);
    client_.emplace(std::move(key), ciphers);
    server_ = Dtls::create({.certificate = make_certificate(), .remote = client_->fingerprint()},
                           clock_.now())
                  .value();
    Bytes up = client_->step();
    for (int round = 0; round < 10 && !up.empty(); ++round) {
      for (const Bytes& datagram : intruding_) hear(datagram);
      hear(up);
      up.clear();
      for (const Bytes& datagram : server_->take_datagrams()) {
        const Bytes said = client_->step(datagram);
        up.insert(up.end(), said.begin(), said.end());
      }
    }
    EXPECT_TRUE(client_->is_connected());
    EXPECT_EQ(server_->state(), DtlsState::Connected);
    EXPECT_TRUE(server_->export_srtp().has_value());
  }
  void hear(const Bytes& datagram) { server_->on_datagram(datagram, clock_.now()); }

  // A record of the epoch after the handshake with so many bytes of nothing.
  static Bytes sealed(size_t length) {
    Bytes out(13 + length);
    out[0] = 23, out[1] = 0xfe, out[2] = 0xfd, out[4] = 1, out[10] = 99;
    out[11] = static_cast<uint8_t>(length >> 8), out[12] = static_cast<uint8_t>(length);
    return out;
  }

  LibraryClock clock_;
  std::optional<ForeignClient> client_;
  std::optional<Dtls> server_;
  std::vector<Bytes> intruding_;  // heard before each flight of the handshake
};

TEST_F(ForeignPeer, may_have_an_rsa_certificate) {
  meet(PrivateKey(EVP_RSA_gen(2'048)));
}

TEST_F(ForeignPeer, may_know_chacha20_alone) {
  meet(PrivateKey(EVP_EC_gen("P-256")), kChacha);
  hear(client_->send("a"));
  EXPECT_EQ(server_->take_application().size(), 1u);
}

TEST_F(ForeignPeer, record_too_short_for_its_seal_ends_nothing) {
  for (const char* cipher : {kGcm, kChacha}) {
    meet(PrivateKey(EVP_EC_gen("P-256")), cipher);
    for (size_t length = 0; length < 40; ++length) hear(sealed(length));
    Bytes two = client_->send("behind");  // the datagram is dropped whole
    const Bytes little = sealed(3);
    two.insert(two.begin(), little.begin(), little.end());
    hear(two);
    EXPECT_THAT(server_->take_application(), IsEmpty());
    EXPECT_EQ(server_->counters().dropped_short_record, cipher == kGcm ? 25u : 17u);
    hear(client_->send("x"));
    EXPECT_EQ(server_->take_application().size(), 1u) << cipher;
  }
}

TEST_F(ForeignPeer, record_too_short_for_its_seal_ends_no_handshake_either) {
  for (size_t length = 0; length < 40; length += 5) intruding_.push_back(sealed(length));
  meet(PrivateKey(EVP_EC_gen("P-256")));
}

}  // namespace
}  // namespace atrium::media
