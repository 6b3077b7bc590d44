#include "runtime/directory_lock.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

namespace atrium::runtime {
namespace {

TEST(DirectoryLock, is_held_by_one_at_a_time) {
  const std::string directory = testing::TempDir() + "atrium-directory-lock";
  std::filesystem::create_directories(directory);
  std::optional<DirectoryLock> first;
  {
    auto taken = DirectoryLock::take(directory);
    ASSERT_TRUE(taken.has_value());
    first.emplace(std::move(*taken));
  }
  const auto second = DirectoryLock::take(directory);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  first.reset();
  EXPECT_TRUE(DirectoryLock::take(directory).has_value());
  std::filesystem::remove_all(directory);
}

TEST(DirectoryLock, says_when_there_is_no_such_directory) {
  const auto lock = DirectoryLock::take(testing::TempDir() + "atrium-not-there");
  ASSERT_FALSE(lock.has_value());
  EXPECT_EQ(lock.error().kind, ErrorKind::Unavailable);
}

}  // namespace
}  // namespace atrium::runtime
