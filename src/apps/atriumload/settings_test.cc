// Every mistake on the command line must name its option and what is allowed.
#include "apps/atriumload/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace atrium::load {
namespace {

using testing::HasSubstr;

std::expected<Settings, NoRun> read(std::vector<const char*> words) {
  words.insert(words.begin(), "atriumload");
  return read_command_line(static_cast<int>(words.size()), words.data());
}
std::string problem(std::vector<const char*> words) {
  const auto settings = read(std::move(words));
  if (settings) return "";
  EXPECT_EQ(settings.error().code, 2);
  return settings.error().text;
}

TEST(CommandLine, one_to_many_has_one_publisher_of_video) {
  const auto settings = read({"one-to-many", "--dev", "--clients", "50"});
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->publishers, 1);
  EXPECT_TRUE(settings->video);
  EXPECT_FALSE(settings->audio);
  EXPECT_EQ(settings->server.text(), "127.0.0.1:7880");
  EXPECT_EQ(settings->srtp_profile, media::SrtpProfile::AeadAes128Gcm);
}

TEST(CommandLine, audio_rooms_publish_audio_of_everybody) {
  const auto settings = read({"audio-rooms", "--dev", "--clients", "7"});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->publishers, 7);
  EXPECT_TRUE(settings->audio);
  EXPECT_FALSE(settings->video);
}

TEST(CommandLine, a_dismissal_may_be_quiet_or_have_a_video) {
  EXPECT_EQ(read({"dismissal", "--dev"})->publishers, 0);
  EXPECT_EQ(read({"dismissal", "--dev", "--publishers", "1"})->publishers, 1);
}

TEST(CommandLine, url_is_taken_apart) {
  const auto settings = read({"churn", "--dev", "--url", "ws://[::1]:7880/r/lobby/"});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->server.text(), "[::1]:7880");
  EXPECT_EQ(settings->path_prefix, "/r/lobby");
}

TEST(CommandLine, help_is_no_mistake) {
  const auto settings = read({"--help"});
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, 0);
  EXPECT_THAT(settings.error().text, HasSubstr("Exit codes"));
}

TEST(CommandLine, mistakes_name_the_option_and_the_range) {
  EXPECT_THAT(problem({}), HasSubstr("scenario"));
  EXPECT_THAT(problem({"one-to-none"}), HasSubstr("one-to-none"));
  EXPECT_THAT(problem({"churn", "--dev", "--duration", "3601"}),
              testing::AllOf(HasSubstr("--duration"), HasSubstr("3600")));
  EXPECT_THAT(problem({"churn", "--dev", "--threads", "0"}),
              testing::AllOf(HasSubstr("--threads"), HasSubstr("64")));
  EXPECT_THAT(problem({"churn", "--dev", "--clients", "3", "--publishers", "4"}),
              HasSubstr("--publishers: at most as many as --clients"));
  EXPECT_THAT(problem({"churn", "--dev", "--rooms", "200", "--clients", "200"}),
              HasSubstr("at most 20000"));
  EXPECT_THAT(problem({"churn", "--dev", "--url", "ws://example.com:1"}), HasSubstr("--url"));
  EXPECT_THAT(problem({"churn", "--dev", "--url", "ws://127.0.0.1:0"}), HasSubstr("--url"));
  EXPECT_THAT(problem({"churn", "--dev", "--video-kbps", "50", "--fps", "120"}),
              HasSubstr("--fps"));
  EXPECT_THAT(problem({"churn", "--dev", "--srtp-profile", "null"}), HasSubstr("--srtp-profile"));
  EXPECT_THAT(problem({"data", "--driver", "janus"}), HasSubstr("--driver"));
}

TEST(CommandLine, missing_credentials_are_asked_for_by_name) {
  EXPECT_THAT(problem({"churn"}), HasSubstr("--api-key"));
  EXPECT_THAT(problem({"churn", "--token", "001"}), HasSubstr("--app-key-file"));
  EXPECT_THAT(problem({"dismissal", "--api-key", "k", "--token", "001"}), HasSubstr("--app"));
  EXPECT_EQ(problem({"churn", "--driver", "janus"}), "");
}

TEST(CommandLine, a_secret_file_that_is_not_there_is_named) {
  EXPECT_THAT(problem({"churn", "--api-key", "k", "--api-secret-file", "/nowhere"}),
              HasSubstr("--api-secret-file: cannot read"));
}

}  // namespace
}  // namespace atrium::load
