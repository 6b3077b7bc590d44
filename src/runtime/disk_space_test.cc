#include "runtime/disk_space.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace atrium::runtime {
namespace {

class DiskSpaceTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  const std::string directory_ = testing::TempDir() + "atrium-disk-space";
};

TEST_F(DiskSpaceTest, a_reserve_is_really_allocated_and_given_back) {
  DiskSpace disk(directory_);
  EXPECT_EQ(disk.reserve_bytes(), 0u);
  ASSERT_TRUE(disk.allocate_reserve(1 << 20));
  EXPECT_EQ(disk.reserve_bytes(), 1u << 20);
  struct stat file {};
  ASSERT_EQ(::stat((directory_ + "/reserve").c_str(), &file), 0);
  EXPECT_GE(file.st_blocks * 512, 1 << 20);
  disk.release_reserve();
  EXPECT_EQ(disk.reserve_bytes(), 0u);
  ASSERT_EQ(::stat((directory_ + "/reserve").c_str(), &file), 0);
  EXPECT_EQ(file.st_blocks, 0);
}

TEST_F(DiskSpaceTest, a_smaller_reserve_gives_the_rest_back) {
  DiskSpace disk(directory_);
  ASSERT_TRUE(disk.allocate_reserve(1 << 20));
  ASSERT_TRUE(disk.allocate_reserve(1 << 16));
  EXPECT_EQ(disk.reserve_bytes(), 1u << 16);
  ASSERT_TRUE(disk.allocate_reserve(0));
  EXPECT_EQ(disk.reserve_bytes(), 0u);
}

TEST_F(DiskSpaceTest, a_reserve_without_room_holds_nothing) {
  DiskSpace disk(directory_);
  const auto free = disk.free_bytes();
  ASSERT_TRUE(free.has_value());
  EXPECT_FALSE(disk.allocate_reserve(*free * 2 + (1ull << 40)));
  EXPECT_EQ(disk.reserve_bytes(), 0u);
}

TEST_F(DiskSpaceTest, of_a_directory_that_is_not_there_nothing_is_known) {
  DiskSpace disk(directory_ + "/none");
  EXPECT_FALSE(disk.free_bytes().has_value());
  EXPECT_FALSE(disk.allocate_reserve(1));
}

}  // namespace
}  // namespace atrium::runtime
