// Certificates made for a test, and a client that speaks TLS over a blocking socket.
#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/http_server_fixture.h"
#include "runtime/tls_session.h"

namespace atrium::runtime {

// A directory of its own that goes with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "atrium-tls-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << text;
    return path(name);
  }

 private:
  std::string path_;
};

struct TestCertificate {
  std::string certificate, key, encrypted_key;  // PEM
};

inline std::string pem_of(auto&& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(write(bio), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string out(data, static_cast<size_t>(size));
  BIO_free(bio);
  return out;
}

// Self-signed, P-256; `filler` bytes make it long.
inline TestCertificate make_test_certificate(const std::string& name, size_t filler = 0) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3'600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto add = [&](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(subject, field, MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  };
  add("CN", name);
  for (size_t i = 0; i < filler / 60; ++i) add("OU", std::string(60, 'x'));
  X509_set_issuer_name(certificate, subject);
  X509_set_pubkey(certificate, key);
  EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
  TestCertificate out{
      .certificate = pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); }),
      .key = pem_of([&](BIO* bio) {
        return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
      }),
      .encrypted_key = pem_of([&](BIO* bio) {
        const auto* word = reinterpret_cast<const unsigned char*>("word");
        return PEM_write_bio_PrivateKey(bio, key, EVP_aes_128_cbc(), word, 4, nullptr, nullptr);
      })};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return out;
}

// Both files of a certificate named `name`, in `folder` under that name.
inline TlsFiles write_certificate(const TestFolder& folder, const std::string& name) {
  const TestCertificate made = make_test_certificate(name);
  return {folder.write(name + ".pem", made.certificate), folder.write(name + ".key", made.key)};
}

struct TlsClientOptions {
  int version = 0;  // TLS1_2_VERSION, TLS1_3_VERSION; 0: the best of both
  std::vector<std::string> protocols = {};
  std::string before = {};  // sent in the clear, ahead of the handshake
  int receive_buffer = 0;
};

class TlsClient {
 public:
  explicit TlsClient(const SocketAddress& server, const TlsClientOptions& options = {})
      : socket_(server, options.receive_buffer), ssl_(SSL_new(context())) {
    if (options.version != 0) {
      SSL_set_min_proto_version(ssl_, options.version);
      SSL_set_max_proto_version(ssl_, options.version);
    }
    std::string offer;
    for (const std::string& protocol : options.protocols)
      offer += static_cast<char>(protocol.size()) + protocol;
    if (!offer.empty())
      SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(offer.data()),
                          static_cast<unsigned>(offer.size()));
    SSL_set_fd(ssl_, socket_.descriptor());
    if (!options.before.empty()) socket_.send(options.before);
    ERR_clear_error();
    is_connected_ = SSL_connect(ssl_) == 1;
    reason_ = ERR_GET_REASON(ERR_peek_last_error());
  }
  ~TlsClient() { SSL_free(ssl_); }
  TlsClient(const TlsClient&) = delete;

  bool is_connected() const { return is_connected_; }
  int reason() const { return reason_; }  // why the handshake failed, SSL_R_…
  std::string version() const { return SSL_get_version(ssl_); }
  std::string cipher() const { return SSL_get_cipher_name(ssl_); }
  std::string protocol() const {
    const unsigned char* data = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &data, &size);
    return {reinterpret_cast<const char*>(data), size};
  }
  std::string certificate_name() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    if (certificate == nullptr) return "";
    char name[256]{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
    X509_free(certificate);
    return name;
  }
  bool send(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
  }
  std::string read_once() {
    std::string out(65'536, '\0');
    const int size = SSL_read(ssl_, out.data(), static_cast<int>(out.size()));
    saw_close_notify_ |= size <= 0 && SSL_get_error(ssl_, size) == SSL_ERROR_ZERO_RETURN;
    out.resize(static_cast<size_t>(std::max(size, 0)));
    return out;
  }
  std::string read_until(std::string_view end) {
    std::string out;
    while (out.find(end) == out.npos) {
      const std::string more = read_once();
      if (more.empty()) break;
      out += more;
    }
    return out;
  }
  std::string read_exactly(size_t size) {
    std::string out;
    while (out.size() < size) {
      const std::string more = read_once();
      if (more.empty()) break;
      out += more;
    }
    return out;
  }
  std::string read_to_end() { return read_until(std::string(1, '\0') + "never sent"); }
  std::string upgrade(std::string_view target = "/rtc") {
    send("GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(kUpgradeFields) + "\r\n");
    return read_until("\r\n\r\n");
  }
  void close_notify() { SSL_shutdown(ssl_); }
  bool saw_close_notify() const { return saw_close_notify_; }
  Client& socket() { return socket_; }
  SSL* ssl() { return ssl_; }

 private:
  static SSL_CTX* context() {
    static SSL_CTX* const shared = [] {  // never freed
      SSL_CTX* made = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);
      return made;
    }();
    return shared;
  }

  Client socket_;
  SSL* ssl_;
  bool is_connected_ = false;
  bool saw_close_notify_ = false;
  int reason_ = 0;
};

}  // namespace atrium::runtime
