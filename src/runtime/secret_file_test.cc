#include "runtime/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace atrium::runtime {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("atrium_secret_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "store.key").string(); }
  void write(const std::string& text) { std::ofstream(path()) << text; }

  std::filesystem::path folder_;
};

TEST_F(SecretFileTest, key_is_read_back_and_belongs_to_its_owner_alone) {
  SecretKey key;
  key.fill(0xab);
  ASSERT_TRUE(write_secret_key(path(), key));
  struct stat seen {};
  ASSERT_EQ(::stat(path().c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 0777, 0600u);
  const auto read = read_secret_key(path());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, key);
}

TEST_F(SecretFileTest, file_that_is_there_is_not_replaced) {
  write("precious");
  const auto refused = write_secret_key(path(), SecretKey{});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Conflict);
  EXPECT_FALSE(write_secret_key((folder_ / "none" / "store.key").string(), SecretKey{}));
}

TEST_F(SecretFileTest, no_file_is_no_key_and_another_text_is_refused) {
  const auto none = read_secret_key(path());
  ASSERT_TRUE(none.has_value());
  EXPECT_FALSE(none->has_value());
  for (const std::string& text : {std::string(), std::string("secret"), std::string(62, 'a'),
                                  std::string(66, 'a'), std::string(64, 'g')}) {
    write(text);
    EXPECT_FALSE(read_secret_key(path())) << text.size();
  }
  write(std::string(64, 'a') + "\n");
  EXPECT_TRUE(read_secret_key(path()));
}

}  // namespace
}  // namespace atrium::runtime
