// Settings: the annotated file, accounts and their secrets, what is refused, what a reload would leave for a restart.
#include "settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/limits.h"

namespace atrium::atriumd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("atrium_settings_" +
               std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::create_directories(folder_);
    write("school.secret", "first secret\n");
    write("second.secret", "second secret\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  // What comes of a file with this text.
  ReadSettings read(const std::string& text, CommandLine line = {}) const {
    write("atrium.toml", text);
    line.config_file = path("atrium.toml");
    line.flags.try_emplace("http.insecure_http", "true");
    return read_settings(line);
  }
  std::string only_problem(const std::string& text) const {
    const ReadSettings read_back = read(text);
    EXPECT_EQ(read_back.problems.size(), 1u) << text;
    return read_back.problems.empty() ? "" : read_back.problems.front();
  }

  static constexpr const char* kAccount =
      "[[account]]\nid = \"school\"\n[[account.key]]\naccess_key = \"AKLTone\"\n"
      "secret_file = \"school.secret\"\nscopes = [\"read\", \"room\"]\n";
  std::filesystem::path folder_;
};

TEST_F(SettingsTest, annotated_file_is_good_and_names_every_key) {
  std::ifstream stream(std::string(ATRIUM_SOURCE_DIR) + "/docs/operations/atrium.toml");
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  write("backend.secret", "secret");
  write("dashboard.secret", "secret");
  const ReadSettings settings = read(text);
  EXPECT_THAT(settings.problems, IsEmpty());
  for (const SettingKey& key : setting_keys()) {
    const std::string name = key.name;
    if (name == "fault" || name == "account" || name == "dev.public") continue;
    EXPECT_TRUE(settings.settings.given.contains(name)) << name << " is not in the annotated file";
  }
}

TEST_F(SettingsTest, account_may_have_several_keys_with_scopes_of_their_own) {
  const auto [settings, problems] =
      read(std::string(kAccount) +
           "[[account.key]]\naccess_key = \"AKLTtwo\"\nsecret_file = \"second.secret\"\n"
           "scopes = [\"app\"]\n");
  EXPECT_THAT(problems, IsEmpty());
  ASSERT_EQ(settings.node.keys.size(), 2u);
  EXPECT_EQ(settings.node.keys[0].secret, "first secret");
  EXPECT_EQ(settings.node.keys[0].account, "school");
  EXPECT_TRUE(settings.node.keys[0].scopes.has(openapi::KeyScope::Room));
  EXPECT_FALSE(settings.node.keys[0].scopes.has(openapi::KeyScope::Ban));
  EXPECT_EQ(settings.node.keys[1].scopes, openapi::KeyScopes{openapi::KeyScope::App});
}

TEST_F(SettingsTest, accounts_by_flag_replace_those_of_the_file) {
  CommandLine line;
  line.flags["account"] =
      "id=ops,access_key=AKLTx,secret_file=" + path("second.secret") +
      ",scopes=read+ban;id=b,access_key=AKLTy,secret_file=" + path("school.secret") + ",scopes=app";
  const auto [settings, problems] = read(kAccount, line);
  EXPECT_THAT(problems, IsEmpty());
  ASSERT_EQ(settings.node.keys.size(), 2u);
  EXPECT_EQ(settings.node.keys[0].id, "AKLTx");
  EXPECT_EQ(settings.node.keys[1].account, "b");
}

TEST_F(SettingsTest, what_is_wrong_with_an_account_is_said_by_name) {
  const std::string head = "[[account]]\nid = \"school\"\n[[account.key]]\naccess_key = \"AK\"\n";
  const std::string file = "secret_file = \"school.secret\"\n";
  EXPECT_THAT(only_problem(head + file), HasSubstr("scopes"));
  EXPECT_THAT(only_problem(head + file + "scopes = [\"manage\"]\n"), HasSubstr("\"manage\""));
  EXPECT_THAT(only_problem(head + "scopes = [\"read\"]\n"), HasSubstr("secret_file"));
  EXPECT_THAT(only_problem(head + "secret_file = \"none\"\nscopes = [\"read\"]\n"),
              HasSubstr("cannot be read"));
  EXPECT_THAT(only_problem(head + file + "scopes = [\"read\"]\ncolour = 1\n"),
              HasSubstr("\"colour\""));
  const ReadSettings inline_secret = read(head + "secret = \"hush\"\nscopes = [\"read\"]\n");
  EXPECT_THAT(inline_secret.problems, testing::Contains(HasSubstr("a file of its own")));
  for (const std::string& problem : inline_secret.problems)
    EXPECT_THAT(problem, testing::Not(HasSubstr("hush")));
  EXPECT_THAT(only_problem(std::string(kAccount) + kAccount), HasSubstr("given twice"));
  EXPECT_THAT(only_problem("[media]\nport = 7882\n"), HasSubstr("no account"));
}

TEST_F(SettingsTest, unknown_keys_tables_and_values_are_refused) {
  const std::string account = kAccount;
  EXPECT_THAT(only_problem("[http]\ncolour = 1\n" + account), HasSubstr("http.colour"));
  EXPECT_THAT(only_problem("[[app]]\nid = \"x\"\n" + account), HasSubstr("atriumctl app create"));
  EXPECT_THAT(only_problem("[[other]]\nid = \"x\"\n" + account), HasSubstr("other"));
  EXPECT_THAT(only_problem("[media]\nport = 70000\n" + account), HasSubstr("media.port"));
  EXPECT_THAT(only_problem("[quota]\nNoSuchAction = 3\n" + account), HasSubstr("NoSuchAction"));
  EXPECT_THAT(only_problem("[quota]\nDismissRoom = 0\n" + account), HasSubstr("DismissRoom"));
  EXPECT_THAT(read("[http\n").problems, testing::Contains(HasSubstr("atrium.toml")));
}

TEST_F(SettingsTest, networks_of_webhooks_are_read_and_bounded) {
  const std::string account = kAccount;
  const auto [settings, problems] =
      read("[webhook]\nallow_networks = [\"10.1.2.3/16\", \"fd00::/8\", \"::1\"]\n" + account);
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_THAT(settings.node.webhook_networks,
              ElementsAre(*IpPrefix::parse("10.1.0.0/16"), *IpPrefix::parse("fd00::/8"),
                          *IpPrefix::parse("::1")));
  EXPECT_THAT(only_problem("[webhook]\nallow_networks = [\"example.com\"]\n" + account),
              HasSubstr("webhook.allow_networks"));
  std::string ranges = "\"10.0.0.0/8\"";
  for (int i = 1; i < limits::kAllowNetworksMax; ++i) ranges += ", \"10.0.0.0/8\"";
  EXPECT_THAT(read("[webhook]\nallow_networks = [" + ranges + "]\n" + account).problems, IsEmpty());
  EXPECT_THAT(
      only_problem("[webhook]\nallow_networks = [" + ranges + ", \"10.0.0.0/8\"]\n" + account),
      HasSubstr("webhook.allow_networks: must be at most 256 ranges"));
}

TEST_F(SettingsTest, authorities_of_webhooks_are_read_before_anything_starts) {
  write("ca.pem", "no certificate\n");
  EXPECT_THAT(only_problem("[webhook]\nca_file = \"" + path("ca.pem") + "\"\n" + kAccount),
              HasSubstr("webhook.ca_file: " + path("ca.pem") + " holds no certificate"));
}

TEST_F(SettingsTest, quotas_are_read_from_the_table) {
  const auto [settings, problems] =
      read("[quota]\nDismissRoom = 120\nKickUser = 7\n" + std::string(kAccount));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(settings.node.quotas.at("DismissRoom"), 120u);
  EXPECT_EQ(settings.node.quotas.at("KickUser"), 7u);
}

TEST_F(SettingsTest, flag_wins_over_environment_wins_over_file) {
  const std::string text = std::string("[api]\nregion = \"of-file\"\n") + kAccount;
  EXPECT_EQ(read(text).settings.node.region, "of-file");
  ::setenv("ATRIUM_API_REGION", "of-environment", 1);
  EXPECT_EQ(read(text).settings.node.region, "of-environment");
  CommandLine line;
  line.flags["api.region"] = "of-flag";
  EXPECT_EQ(read(text, line).settings.node.region, "of-flag");
  ::unsetenv("ATRIUM_API_REGION");
}

TEST_F(SettingsTest, reload_names_what_only_a_restart_takes_over) {
  const Settings running = read(kAccount).settings;
  const Settings fresh = read(
                             "[media]\nport = 9000\n[api]\nregion = \"there\"\n[quota]\n"
                             "KickUser = 7\n[webhook]\nallow_networks = [\"10.0.0.0/8\"]\n" +
                             std::string(kAccount))
                             .settings;
  EXPECT_THAT(need_restart(running, fresh), ElementsAre("media.port"));
  EXPECT_THAT(need_restart(running, running), IsEmpty());
}

}  // namespace
}  // namespace atrium::atriumd
