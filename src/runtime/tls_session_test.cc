// Files of certificates, good and broken; sessions over sockets are in tls_server_test.cc.
#include "runtime/tls_session.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "runtime/tls_test_client.h"

namespace atrium::runtime {
namespace {

std::string problem(const TlsFiles& files) {
  auto context = TlsContext::load(files);
  return context ? "none" : context.error();
}

TEST(TlsContext, is_loaded_from_two_files_and_knows_when_it_runs_out) {
  TestFolder folder;
  auto context = TlsContext::load(write_certificate(folder, "good"));
  ASSERT_TRUE(context.has_value()) << context.error();
  const int64_t left = (*context)->expires_unix_s() - unix_s(read_clock().wall);
  EXPECT_GT(left, 86'000);
  EXPECT_LT(left, 86'500);
}

TEST(TlsContext, takes_a_chain_and_a_key_in_one_file) {
  TestFolder folder;
  const auto own = make_test_certificate("own"), issuer = make_test_certificate("issuer");
  const std::string both = folder.write("both.pem", own.certificate + issuer.certificate + own.key);
  EXPECT_EQ(problem({both, both}), "none");
}

TEST(TlsContext, names_the_file_and_the_reason) {
  TestFolder folder;
  const TlsFiles good = write_certificate(folder, "good"), other = write_certificate(folder, "b");
  const std::string missing = folder.path("missing.pem");
  EXPECT_EQ(problem({missing, good.key}), "cannot read " + missing + ": No such file or directory");
  EXPECT_EQ(problem({good.certificate, missing}),
            "cannot read " + missing + ": No such file or directory");
  EXPECT_EQ(problem({folder.path(""), good.key}),
            "cannot read " + folder.path("") + ": not a regular file");
  const std::string text = folder.write("text.pem", "nothing of the kind\n");
  EXPECT_EQ(problem({text, good.key}), text + ": holds no certificate in PEM form");
  EXPECT_EQ(problem({good.key, good.key}), good.key + ": holds no certificate in PEM form");
  EXPECT_EQ(problem({good.certificate, text}), text + ": holds no private key in PEM form");
  EXPECT_EQ(
      problem({good.certificate, other.key}),
      other.key + ": the key does not belong to the first certificate in " + good.certificate);
}

TEST(TlsContext, refuses_what_is_damaged_encrypted_or_too_long) {
  TestFolder folder;
  const TestCertificate made = make_test_certificate("made");
  const std::string key = folder.write("key.pem", made.key);
  std::string half = made.certificate;
  half.replace(half.size() / 2, 20, 20, '*');
  const std::string damaged = folder.write("damaged.pem", made.certificate + half);
  EXPECT_TRUE(problem({damaged, key}).starts_with(damaged + ": certificate 2 is damaged: "));
  const std::string certificate = folder.write("certificate.pem", made.certificate);
  const std::string encrypted = folder.write("encrypted.pem", made.encrypted_key);
  EXPECT_EQ(problem({certificate, encrypted}),
            encrypted + ": the key is encrypted, and nobody is asked for a passphrase here");
  const std::string large =
      folder.write("large.pem", std::string(limits::kTlsFileBytesMax + 1, '\n'));
  EXPECT_EQ(problem({large, key}), "cannot read " + large + ": larger than " +
                                       std::to_string(limits::kTlsFileBytesMax) + " bytes");
  std::string many;
  for (int i = 0; i < 200; ++i) many += made.certificate;
  const std::string chain = folder.write("chain.pem", many);
  EXPECT_EQ(problem({chain, key}), chain + ": the certificates come to more than 32768 bytes");
}

TEST(TlsContext, refuses_a_key_too_small_for_todays_clients) {
  TestFolder folder;
  EVP_PKEY* small = EVP_RSA_gen(1'024);
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, small);
  X509_sign(certificate, small, EVP_sha256());
  const std::string path = folder.write(
      "small.pem", pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); }));
  const std::string key = folder.write("small.key", pem_of([&](BIO* bio) {
                                         return PEM_write_bio_PrivateKey(
                                             bio, small, nullptr, nullptr, 0, nullptr, nullptr);
                                       }));
  X509_free(certificate);
  EVP_PKEY_free(small);
  EXPECT_EQ(problem({path, key}), path + ": OpenSSL refuses it: ee key too small");
}

}  // namespace
}  // namespace atrium::runtime
