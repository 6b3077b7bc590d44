#include "listeners.h"

#include <gtest/gtest.h>

#include "runtime/tls_test_client.h"
#include "world.h"

namespace atrium::atriumd {
namespace {

// What is wrong when the public listener has `address` and the keys are set so.
std::string problems(const char* address,
                     const std::vector<std::pair<std::string, std::string>>& keys = {},
                     bool dev = false) {
  Settings settings;
  settings.dev = dev;
  settings.http_listen = {{*IpAddress::parse(address), 7880}};
  for (const auto& [name, value] : keys)
    for (const SettingKey& key : setting_keys())
      if (key.name == name) {
        EXPECT_EQ(key.set(settings, value), std::nullopt);
      }
  std::vector<std::string> found;
  check_listeners(settings, found);
  std::string all;
  for (const std::string& problem : found) all += problem + "\n";
  return all;
}

TEST(Listeners, are_not_plain_beyond_loopback_unless_that_is_meant) {
  for (const char* address : {"0.0.0.0", "192.0.2.1", "::"}) {
    const std::string refusal = problems(address);
    for (const char* way :
         {"tls.certificate", "tls.key", "http.insecure_http = true", "http.trusted_proxies"})
      EXPECT_NE(refusal.find(way), refusal.npos) << refusal;
    EXPECT_EQ(problems(address, {{"http.insecure_http", "true"}}), "");
    EXPECT_EQ(problems(address, {{"http.trusted_proxies", "10.0.0.0/8"}}), "");
    EXPECT_EQ(problems(address, {}, true), "") << "--dev is checked by its own rule";
  }
  for (const char* address : {"127.0.0.1", "::1"}) EXPECT_EQ(problems(address), "");
}

TEST(Listeners, want_certificate_and_key_together_and_readable) {
  EXPECT_NE(problems("127.0.0.1", {{"tls.certificate", "a"}}).find("only one is set"),
            std::string::npos);
  EXPECT_NE(problems("127.0.0.1", {{"tls.key", "a"}}).find("only one is set"), std::string::npos);
  EXPECT_EQ(problems("0.0.0.0", {{"tls.certificate", "/none.pem"}, {"tls.key", "/none.key"}}),
            "tls: cannot read /none.pem: No such file or directory\n");
}

TEST(Listeners, believe_no_proxy_header_of_just_anybody) {
  EXPECT_NE(problems("127.0.0.1", {{"http.proxy_protocol", "true"}}).find("http.trusted_proxies"),
            std::string::npos);
  EXPECT_EQ(problems("127.0.0.1",
                     {{"http.proxy_protocol", "true"}, {"http.trusted_proxies", "127.0.0.1"}}),
            "");
}

// A world that has been made and does not run: the test's thread is its control thread.
TEST(Listeners, have_their_certificate_read_anew_or_say_why_not) {
  runtime::TestFolder folder;
  const runtime::TlsFiles good = runtime::write_certificate(folder, "good");
  const runtime::TlsFiles other = runtime::write_certificate(folder, "other");
  Settings settings;
  settings.dev = true;
  settings.data_dir = folder.path("data");
  settings.http_listen = settings.operator_listen = {{*IpAddress::parse("127.0.0.1"), 0}};
  settings.media_port = 0;
  settings.media_shards = 1;
  settings.tls_certificate = good.certificate;
  settings.tls_key = good.key;
  apply_dev_defaults(settings);
  auto world = World::create(settings);
  ASSERT_TRUE(world.has_value()) << world.error();
  EXPECT_TRUE((*world)->reload_tls(settings).has_value());
  Settings changed = settings;
  changed.tls_key = other.key;
  EXPECT_EQ((*world)->reload_tls(changed).error(),
            "tls: " + other.key + ": the key does not belong to the first certificate in " +
                good.certificate);
  changed.tls_certificate = other.certificate;
  EXPECT_TRUE((*world)->reload_tls(changed).has_value());
  changed.tls_certificate = changed.tls_key = "";
  EXPECT_EQ((*world)->reload_tls(changed).error(),
            "tls: TLS cannot be turned on or off while the server runs");
}

TEST(Listeners, that_are_plain_stay_so_until_a_restart) {
  runtime::TestFolder folder;
  const runtime::TlsFiles files = runtime::write_certificate(folder, "good");
  Settings settings;
  settings.dev = true;
  settings.data_dir = folder.path("data");
  settings.http_listen = settings.operator_listen = {{*IpAddress::parse("127.0.0.1"), 0}};
  settings.media_port = 0;
  settings.media_shards = 1;
  apply_dev_defaults(settings);
  auto world = World::create(settings);
  ASSERT_TRUE(world.has_value()) << world.error();
  EXPECT_TRUE((*world)->reload_tls(settings).has_value());
  settings.tls_certificate = files.certificate;
  settings.tls_key = files.key;
  EXPECT_FALSE((*world)->reload_tls(settings).has_value());
}

TEST(Listeners, keys_refuse_what_is_neither_true_nor_false) {
  Settings settings;
  for (const SettingKey& key : listener_keys()) {
    if (std::string_view(key.name).starts_with("tls.")) continue;
    EXPECT_TRUE(key.set(settings, "yes").has_value()) << key.name;
  }
}

}  // namespace
}  // namespace atrium::atriumd
