#include "runtime/tls_ca_file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace atrium::runtime {

std::expected<void, std::string> check_ca_file(const std::string& path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  ERR_clear_error();
  if (!file) return std::unexpected(path + " cannot be read");
  size_t certificates = 0;
  while (X509* certificate = PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr)) {
    X509_free(certificate);
    ++certificates;
  }
  // The end of the file is an error too: there no further line begins a certificate.
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!is_at_end) return std::unexpected(path + " holds something that is no certificate");
  if (certificates == 0) return std::unexpected(path + " holds no certificate in PEM");
  return {};
}

}  // namespace atrium::runtime
