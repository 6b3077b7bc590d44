#include "apps/atriumctl/store_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "adapters/openapi/json.h"
#include "adapters/store/backup.h"
#include "adapters/store/schema.h"
#include "adapters/store/store.h"
#include "runtime/directory_lock.h"

namespace atrium::atriumctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);
constexpr const char* kKept = "atrium.db.before-restore-20270115T080000Z";

class StoreCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_ctl_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "data");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  store::Store open(const std::string& directory = "data") const {
    return MUST(
        store::Store::open(path(directory) + "/atrium.db", {}, {.mono = Mono(1s), .wall = kStart}));
  }
  static void ban(store::Store& store, const char* id) {
    const domain::BanRule rule{.id = BanId(id),
                               .app = AppId("app"),
                               .target = {.room = {}, .user = UserId("eve"), .ip = {}},
                               .operator_id = "AK",
                               .reason = std::string(5'000, 'y'),
                               .created_at = kStart,
                               .expires_at = kStart + 60s};
    ASSERT_TRUE(store.apply_batch(std::vector<store::WriteRequest>{
        store::PutBans{.operation = OperationId("OP_1"), .put = {rule}}})[0]);
  }
  size_t bans(const std::string& directory = "data") const {
    store::Store store = open(directory);
    return MUST(store.list_bans(AppId(), BanId(), 100, kStart)).size();
  }
  // Garbage over all pages but the first three.
  static void damage(const std::string& file) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(3 * 4'096);
    out << std::string(fs::file_size(file) - 3 * 4'096, '\x5a');
  }

  ExitCode go(StoreVerb verb, const std::string& file, const std::string& directory = "data",
              bool force = false) {
    out_.str("");
    err_.str("");
    World world{.exchange = {},
                .now = [] { return kStart; },
                .wait = {},
                .out = out_,
                .err = err_,
                .in = in_};
    return run_store(
        output_, {.verb = verb, .file = file, .data_dir = path(directory), .force = force}, world);
  }
  std::string names(const std::string& directory) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_ / directory))
      found.push_back(entry.path().filename().string());
    std::ranges::sort(found);
    std::string out;
    for (const std::string& name : found) out += name + " ";
    return out;
  }

  fs::path folder_;
  Output output_ = Output::Text;
  std::ostringstream out_, err_;
  std::istringstream in_;
};

TEST_F(StoreCommandsTest, a_backup_is_taken_of_a_store_in_use_and_brought_back_elsewhere) {
  store::Store store = open();
  ban(store, "BN_1");
  ASSERT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Ok) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("the copy is good"));
  EXPECT_THAT(out_.str(), HasSubstr("bans: 1"));
  EXPECT_THAT(err_.str(), HasSubstr("copied 100 %"));
  EXPECT_EQ(names("."), "data monday.db ") << "nothing else";
  EXPECT_EQ(fs::status(path("monday.db")).permissions(), fs::perms(0600));
  ban(store, "BN_2");
  ASSERT_EQ(go(StoreVerb::Restore, path("monday.db"), "fresh"), ExitCode::Ok) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("no store.key"));
  EXPECT_EQ(names("fresh"), "atrium.db lock ");
  EXPECT_EQ(bans("fresh"), 1u);
  EXPECT_TRUE(fs::exists(path("monday.db"))) << "a backup may be used again";
}

TEST_F(StoreCommandsTest, a_backup_overwrites_nothing_unless_told_to) {
  { store::Store store = open(); }
  std::ofstream(path("monday.db")) << "precious";
  EXPECT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("--force"));
  EXPECT_EQ(fs::file_size(path("monday.db")), 8u);
  EXPECT_EQ(go(StoreVerb::Backup, path("monday.db"), "data", true), ExitCode::Ok) << err_.str();
  EXPECT_EQ(go(StoreVerb::Check, path("monday.db")), ExitCode::Ok);
}

TEST_F(StoreCommandsTest, a_backup_never_takes_the_place_of_the_store) {
  store::Store store = open();
  ban(store, "BN_1");
  for (const char* part : {"", "-wal", "-shm"}) {
    EXPECT_EQ(go(StoreVerb::Backup, path("data/../data/atrium.db") + part, "data", true),
              ExitCode::Refused)
        << part;
    EXPECT_THAT(err_.str(), HasSubstr("is the store itself"));
  }
  EXPECT_EQ(go(StoreVerb::Backup, path("x.db"), "none"), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("--data-dir"));
}

TEST_F(StoreCommandsTest, of_a_damaged_store_no_backup_is_left) {
  {
    store::Store store = open();
    ban(store, "BN_1");
  }
  damage(path("data/atrium.db"));
  std::ofstream(path("monday.db.tmp")) << "of a run that was killed";
  EXPECT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("damaged"));
  EXPECT_EQ(names("."), "data ");
}

TEST_F(StoreCommandsTest, a_check_says_what_is_wrong_and_what_to_do) {
  {
    store::Store store = open();
    ban(store, "BN_1");
  }
  EXPECT_EQ(go(StoreVerb::Check, ""), ExitCode::Ok) << err_.str();
  EXPECT_THAT(out_.str(),
              HasSubstr("good, schema version " + std::to_string(store::kSchemaVersion)));
  fs::copy_file(path("data/atrium.db"), path("bad.db"));
  damage(path("bad.db"));
  EXPECT_EQ(go(StoreVerb::Check, path("bad.db")), ExitCode::Refused);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("bad.db: damaged.\n  "));
  EXPECT_THAT(err_.str(), HasSubstr("store restore FILE"));
  EXPECT_EQ(go(StoreVerb::Check, path("none.db")), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("unreadable"));
  output_ = Output::Json;
  EXPECT_EQ(go(StoreVerb::Check, path("bad.db")), ExitCode::Refused);
  const auto json = openapi::parse_json(out_.str());
  ASSERT_TRUE(json.has_value()) << out_.str();
  EXPECT_EQ(*json->find("Verdict")->if_text(), "damaged");
  EXPECT_FALSE(json->find("Problems")->if_array()->empty());
}

TEST_F(StoreCommandsTest, a_store_that_is_replaced_is_kept_with_what_its_log_held) {
  {
    store::Store store = open();
    ban(store, "BN_1");
    ASSERT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Ok);
    ban(store, "BN_2");
    // As after a kill: the log is there, and nobody holds the directory.
    fs::create_directories(path("killed"));
    for (const char* part : {"", "-wal"})
      fs::copy_file(path("data/atrium.db") + part, path("killed/atrium.db") + part);
  }
  fs::permissions(path("killed/atrium.db"), fs::perms(0640));
  std::ofstream(path("killed/store.key")) << "key";
  ASSERT_EQ(go(StoreVerb::Restore, path("monday.db"), "killed"), ExitCode::Ok) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr(std::string("kept as ") + path("killed/") + kKept));
  EXPECT_THAT(out_.str(), testing::Not(HasSubstr("store.key")));
  EXPECT_EQ(names("killed"), std::string("atrium.db ") + kKept + " lock store.key ");
  EXPECT_EQ(fs::status(path("killed/atrium.db")).permissions(), fs::perms(0640));
  EXPECT_EQ(bans("killed"), 1u);
  ASSERT_EQ(go(StoreVerb::Restore, path("killed/") + kKept, "again"), ExitCode::Ok) << err_.str();
  EXPECT_EQ(bans("again"), 2u);
}

TEST_F(StoreCommandsTest, a_damaged_store_is_replaced_and_kept_as_it_was) {
  {
    store::Store store = open();
    ban(store, "BN_1");
    ASSERT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Ok);
  }
  std::ofstream(path("data/atrium.db")) << std::string(8'192, 'x');
  std::ofstream(path("data/atrium.db-wal")) << "a log";
  ASSERT_EQ(go(StoreVerb::Restore, path("monday.db")), ExitCode::Ok) << err_.str();
  EXPECT_THAT(err_.str(), HasSubstr("kept as it was"));
  std::ifstream log(path("data/") + kKept + "-wal");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(log), {}), "a log");
  EXPECT_FALSE(fs::exists(path("data/atrium.db-wal"))) << "it would change the new store";
  EXPECT_EQ(fs::file_size(path("data/") + kKept), 8'192u);
  EXPECT_EQ(bans(), 1u);
}

TEST_F(StoreCommandsTest, nothing_is_restored_under_a_running_daemon) {
  {
    store::Store store = open();
    ASSERT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Ok);
    ban(store, "BN_1");
  }
  {
    const auto daemon = runtime::DirectoryLock::take(path("data"));
    ASSERT_TRUE(daemon.has_value());
    EXPECT_EQ(go(StoreVerb::Restore, path("monday.db")), ExitCode::Refused);
    EXPECT_THAT(err_.str(), HasSubstr("Stop it first"));
  }
  EXPECT_EQ(names("data"), "atrium.db lock ");
  EXPECT_EQ(bans(), 1u);
}

TEST_F(StoreCommandsTest, nothing_bad_is_restored) {
  {
    store::Store store = open();
    ban(store, "BN_1");
    ASSERT_EQ(go(StoreVerb::Backup, path("bad.db")), ExitCode::Ok);
  }
  damage(path("bad.db"));
  std::ofstream(path("text.db")) << std::string(8'192, 'x');
  for (const char* file : {"bad.db", "text.db", "none.db", "data/atrium.db"})
    EXPECT_EQ(go(StoreVerb::Restore, path(file)), ExitCode::Refused) << file;
  EXPECT_EQ(names("data"), "atrium.db lock ");
  EXPECT_EQ(bans(), 1u);
}

TEST_F(StoreCommandsTest, programs_read_json) {
  output_ = Output::Json;
  {
    store::Store store = open();
    ban(store, "BN_1");
  }
  ASSERT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Ok);
  EXPECT_EQ(err_.str(), "") << "no progress";
  auto json = openapi::parse_json(out_.str());
  ASSERT_TRUE(json.has_value()) << out_.str();
  EXPECT_EQ(*json->find("Verdict")->if_text(), "good");
  EXPECT_EQ(openapi::to_text(*json->find("Rows")->find("bans")), "1");
  EXPECT_EQ(go(StoreVerb::Backup, path("monday.db")), ExitCode::Refused);
  json = openapi::parse_json(out_.str());
  ASSERT_TRUE(json && json->find("Error"));
  ASSERT_EQ(go(StoreVerb::Restore, path("monday.db")), ExitCode::Ok);
  json = openapi::parse_json(out_.str());
  ASSERT_TRUE(json.has_value()) << out_.str();
  EXPECT_EQ(*json->find("Kept")->if_text(), path("data/") + kKept);
  EXPECT_EQ(openapi::to_text(*json->find("HasKey")), "false");
}

}  // namespace
}  // namespace atrium::atriumctl
