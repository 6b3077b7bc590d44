#include "runtime/durable_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace atrium::runtime {
namespace {

namespace fs = std::filesystem;

class DurableFile : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const char* name) const { return folder_ + "/" + name; }
  void write(const char* name, const char* text) const { std::ofstream(path(name)) << text; }
  std::string read(const char* name) const {
    std::ifstream in(path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::string folder_ = testing::TempDir() + "atrium-durable-file";
};

TEST_F(DurableFile, is_made_for_its_owner_alone_and_once) {
  ASSERT_TRUE(make_private_file(path("a")));
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms(0600));
  const auto again = make_private_file(path("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::Conflict);
  fs::create_symlink(path("elsewhere"), path("link"));
  EXPECT_FALSE(make_private_file(path("link"))) << "a link is not followed";
  EXPECT_FALSE(make_private_file(path("none/a")));
}

TEST_F(DurableFile, takes_its_place) {
  write("new", "new");
  ASSERT_TRUE(put_in_place(path("new"), path("a"), Existing::Keep));
  EXPECT_EQ(read("a"), "new");
  EXPECT_FALSE(fs::exists(path("new")));
}

TEST_F(DurableFile, replaces_only_when_told_to) {
  write("new", "new");
  write("a", "old");
  const auto kept = put_in_place(path("new"), path("a"), Existing::Keep);
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().kind, ErrorKind::Conflict);
  EXPECT_EQ(read("a"), "old");
  ASSERT_TRUE(put_in_place(path("new"), path("a"), Existing::Replace));
  EXPECT_EQ(read("a"), "new");
}

TEST_F(DurableFile, takes_the_permissions_of_another) {
  write("a", "");
  write("b", "");
  fs::permissions(path("a"), fs::perms(0640));
  ASSERT_TRUE(take_owner_and_mode(path("a"), path("b")));
  EXPECT_EQ(fs::status(path("b")).permissions(), fs::perms(0640));
  EXPECT_FALSE(take_owner_and_mode(path("none"), path("b")));
}

TEST_F(DurableFile, grows_by_lines) {
  ASSERT_TRUE(append_line(path("lines"), "one"));
  EXPECT_EQ(fs::status(path("lines")).permissions(), fs::perms(0600));
  ASSERT_TRUE(append_line(path("lines"), "two"));
  EXPECT_EQ(read("lines"), "one\ntwo\n");
  EXPECT_FALSE(append_line(path("none/lines"), "one"));
  fs::create_symlink(path("elsewhere"), path("link"));
  EXPECT_FALSE(append_line(path("link"), "one")) << "a link is not followed";
}

TEST_F(DurableFile, what_a_crash_left_of_a_line_goes) {
  write("lines", ("one\n" + std::string(1'500, 'x')).c_str());
  ASSERT_TRUE(append_line(path("lines"), "two"));
  EXPECT_EQ(read("lines"), "one\ntwo\n");
  write("torn", "on");
  ASSERT_TRUE(append_line(path("torn"), "one"));
  EXPECT_EQ(read("torn"), "one\n");
}

TEST_F(DurableFile, a_line_that_could_not_be_written_is_an_error) {
  const auto full = append_line("/dev/full", "one");
  ASSERT_FALSE(full);
  EXPECT_STREQ(full.error().what, "the file cannot be written");
}

}  // namespace
}  // namespace atrium::runtime
