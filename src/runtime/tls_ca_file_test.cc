#include "runtime/tls_ca_file.h"

#include <gtest/gtest.h>

#include "runtime/tls_test_client.h"

namespace atrium::runtime {
namespace {

TEST(TlsCaFile, takes_one_certificate_or_several_with_words_between) {
  const TestFolder folder;
  const std::string first = make_test_certificate("first").certificate;
  const std::string second = make_test_certificate("second").certificate;
  EXPECT_TRUE(check_ca_file(folder.write("one.pem", first)));
  EXPECT_TRUE(check_ca_file(folder.write("two.pem", "Ours:\n" + first + "\nTheirs:\n" + second)));
}

TEST(TlsCaFile, names_the_file_and_what_is_wrong_with_it) {
  const TestFolder folder;
  const TestCertificate made = make_test_certificate("first");
  const std::string missing = folder.path("missing.pem");
  EXPECT_EQ(check_ca_file(missing).error(), missing + " cannot be read");
  const std::string key = folder.write("key.pem", made.key);
  EXPECT_EQ(check_ca_file(key).error(), key + " holds no certificate in PEM");
  const std::string empty = folder.write("empty.pem", "");
  EXPECT_EQ(check_ca_file(empty).error(), empty + " holds no certificate in PEM");
  std::string broken = made.certificate;
  broken.replace(100, 4, "AAAA");
  const std::string bad = folder.write("bad.pem", made.certificate + broken.substr(0, 300));
  EXPECT_EQ(check_ca_file(bad).error(), bad + " holds something that is no certificate");
}

}  // namespace
}  // namespace atrium::runtime
