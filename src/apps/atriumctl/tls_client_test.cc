// atriumctl's side of TLS against the server's side of runtime, joined without sockets.
#include "apps/atriumctl/tls_client.h"

#include <gtest/gtest.h>
#include <openssl/x509v3.h>

#include "runtime/tls_test_client.h"

namespace atrium::atriumctl {
namespace {

constexpr int kDayS = 86'400;

// A self-signed certificate for `names` ("DNS:localhost,IP:127.0.0.1"), good from one day ago until `ends_s` from now.
runtime::TlsFiles certificate_for(const runtime::TestFolder& folder, const std::string& names,
                                  int ends_s = kDayS) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_set_version(made, 2);
  X509_gmtime_adj(X509_getm_notBefore(made), -kDayS);
  X509_gmtime_adj(X509_getm_notAfter(made), ends_s);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("by-name.example"), -1, -1, 0);
  X509_set_issuer_name(made, X509_get_subject_name(made));
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(made, extension, -1);
  X509_EXTENSION_free(extension);
  X509_set_pubkey(made, key);
  EXPECT_GT(X509_sign(made, key, EVP_sha256()), 0);
  runtime::TlsFiles out{.certificate = folder.write("made.pem", runtime::pem_of([&](BIO* bio) {
                                                      return PEM_write_bio_X509(bio, made);
                                                    })),
                        .key = folder.write("made.key", runtime::pem_of([&](BIO* bio) {
                                              return PEM_write_bio_PrivateKey(
                                                  bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                                            }))};
  X509_free(made);
  EVP_PKEY_free(key);
  return out;
}

class TlsClientTest : public testing::Test {
 protected:
  void serve(const runtime::TlsFiles& files) {
    auto context = runtime::TlsContext::load(files);
    ASSERT_TRUE(context.has_value()) << context.error();
    server.emplace(*context);
  }
  // Both sides talk until neither has more to say; what the client makes of it.
  Result<bool> talk(TlsClient& client) {
    while (true) {
      const std::string said = client.take_pending();
      if (!said.empty()) server->feed(said, heard);
      const std::string answer(server->pending());
      server->consume(answer.size());
      if (said.empty() && answer.empty()) return true;
      if (answer.empty()) continue;
      const bool more = TRY(client.feed(answer, read));
      if (!more) return false;
    }
  }
  Result<bool> connect(const std::string& host, const Trust& trust) {
    TlsClient client = TRY(TlsClient::create(host, trust));
    const Result<bool> made = talk(client);
    if (made) {
      EXPECT_TRUE(client.is_established());
    }
    return made;
  }
  // Why `host` is not believed; empty when it is.
  std::string refusal(const std::string& host, const Trust& trust) {
    const Result<bool> made = connect(host, trust);
    if (made) return "";
    EXPECT_EQ(made.error().kind, ErrorKind::Unauthorised);
    return std::string(made.error().message());
  }

  runtime::TestFolder folder;
  std::optional<runtime::TlsSession> server;
  std::string heard, read;  // by the server, by the client
};

TEST_F(TlsClientTest, speaks_with_who_has_a_certificate_of_the_given_authority_for_that_name) {
  const auto files = certificate_for(folder, "DNS:rtc.example,IP:127.0.0.1,IP:::1");
  for (const char* host : {"rtc.example", "127.0.0.1", "::1"}) {
    serve(files);
    EXPECT_EQ(refusal(host, {.ca_file = files.certificate}), "") << host;
  }
  serve(files);
  TlsClient client = MUST(TlsClient::create("rtc.example", {.ca_file = files.certificate}));
  EXPECT_TRUE(talk(client).has_value());
  const std::string question(100'000, 'q');
  EXPECT_TRUE(client.write(question).has_value());
  EXPECT_TRUE(talk(client).has_value());
  EXPECT_EQ(heard, question);
  EXPECT_TRUE(server->write("an answer"));
  EXPECT_EQ(talk(client).value(), true);
  EXPECT_EQ(read, "an answer");
  server->close();
  EXPECT_EQ(talk(client).value(), false) << "an end that is TLS's own is told from a cut";
}

TEST_F(TlsClientTest, refuses_an_authority_that_it_does_not_know_and_says_how_to_name_it) {
  const auto files = certificate_for(folder, "DNS:rtc.example");
  serve(files);
  EXPECT_NE(refusal("rtc.example", {}).find("--ca FILE"), std::string::npos);
  const std::string other = runtime::write_certificate(folder, "other").certificate;
  serve(files);
  EXPECT_NE(refusal("rtc.example", {.ca_file = other}).find("--ca FILE"), std::string::npos);
}

TEST_F(TlsClientTest, refuses_another_name_and_does_not_read_it_from_the_subject) {
  const auto files = certificate_for(folder, "DNS:rtc.example,IP:127.0.0.1");
  for (const char* host : {"other.example", "by-name.example", "127.0.0.2", "a.rtc.example"}) {
    serve(files);
    EXPECT_NE(refusal(host, {.ca_file = files.certificate}).find("another name"), std::string::npos)
        << host;
  }
}

TEST_F(TlsClientTest, refuses_a_certificate_that_has_expired_and_says_what_to_do) {
  const auto files = certificate_for(folder, "DNS:rtc.example", -60);
  serve(files);
  const std::string why = refusal("rtc.example", {.ca_file = files.certificate});
  EXPECT_NE(why.find("expired"), std::string::npos) << why;
  EXPECT_NE(why.find("reload"), std::string::npos) << why;
}

TEST_F(TlsClientTest, believes_anybody_only_when_told_so) {
  const auto files = certificate_for(folder, "DNS:rtc.example", -60);
  serve(files);
  EXPECT_EQ(refusal("other.example", {.is_insecure = true}), "");
}

TEST_F(TlsClientTest, names_a_file_of_authorities_that_is_none) {
  const std::string text = folder.write("text.pem", "nothing of the kind\n");
  for (const std::string& file : {text, folder.path("missing.pem")})
    EXPECT_NE(refusal("rtc.example", {.ca_file = file}).find("--ca"), std::string::npos) << file;
}

TEST_F(TlsClientTest, tells_what_speaks_plain_http) {
  TlsClient client = MUST(TlsClient::create("rtc.example", {}));
  std::string plain;
  const auto fed = client.feed("HTTP/1.1 400 Bad Request\r\n\r\n", plain);
  ASSERT_FALSE(fed.has_value());
  EXPECT_EQ(fed.error().kind, ErrorKind::Malformed);
  EXPECT_NE(fed.error().message().find("http://"), std::string::npos);
}

}  // namespace
}  // namespace atrium::atriumctl
