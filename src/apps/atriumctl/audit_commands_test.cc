#include "apps/atriumctl/audit_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "adapters/store/audit.h"
#include "adapters/store/schema.h"
#include "runtime/durable_file.h"
#include "runtime/secret_file.h"

namespace atrium::atriumctl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);

// A data directory whose server has written twenty records and a checkpoint after every fifth.
class AuditCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    key_.fill(9);
    ASSERT_TRUE(runtime::write_secret_key(path("audit.key"), key_));
    ASSERT_TRUE(database_.run("PRAGMA journal_mode = WAL"));
    ASSERT_TRUE(store::migrate(database_, path("atrium.db")));
    log_.emplace(store::AuditLog::create(database_, options()).value());
    write(20);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  store::AuditOptions options() {
    const auto append = [this](const store::AuditCheckpoint&, std::string_view line) {
      return runtime::append_line(path("audit.checkpoints"), line);
    };
    return {.key = key_, .write_checkpoint = append, .checkpoint_records = 5};
  }
  void write(int count) {
    for (int i = 0; i < count; ++i) {
      domain::AuditEntry entry;
      entry.at = kStart + std::chrono::seconds(++written_);
      entry.account = "100";
      entry.action = "DismissRoom";
      auto transaction = MUST(store::Transaction::begin(database_));
      MUST(log_->append(database_, std::span(&entry, 1)));
      MUST(transaction.commit());
      MUST(log_->committed({.mono = Mono(1s), .wall = entry.at}));
    }
    MUST(log_->checkpoint({.mono = Mono(1s), .wall = kStart}));
  }
  void sql(const char* text) { MUST(database_.run(text)); }

  ExitCode go(AuditCommand command = {}) {
    out_.str("");
    err_.str("");
    World world{.exchange = {},
                .now = [] { return kStart; },
                .wait = {},
                .out = out_,
                .err = err_,
                .in = in_};
    command.verb = AuditVerb::Verify;
    command.data_dir = folder_.string();
    return run_audit(output_, command, world);
  }

  const fs::path folder_ =
      fs::temp_directory_path() /
      ("atrium_audit_" +
       std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  store::AuditKey key_{};
  store::Database database_ = open_database();
  std::optional<store::AuditLog> log_;
  int written_ = 0;
  Output output_ = Output::Text;
  std::ostringstream out_, err_;
  std::istringstream in_;

 private:
  store::Database open_database() const {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    return store::Database::open(path("atrium.db")).value();
  }
};

TEST_F(AuditCommandsTest, an_intact_log_is_said_to_be_so_beside_its_writer) {
  EXPECT_EQ(go(), ExitCode::Ok) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("All 20 records are as the server wrote them, 1 to 20."));
  EXPECT_EQ(err_.str(), "");
  const auto transaction = MUST(store::Transaction::begin(database_));
  EXPECT_EQ(go(), ExitCode::Ok) << "while the server writes: " << err_.str();
}

TEST_F(AuditCommandsTest, the_first_record_that_is_wrong_is_named) {
  sql("UPDATE audit SET account = '200' WHERE sequence = 7");
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), HasSubstr("Record 7 of 2027-01-15T08:00:07.123Z"));
  EXPECT_THAT(err_.str(), HasSubstr("altered; its account is not the one in its text"));
  EXPECT_THAT(err_.str(), HasSubstr("6 records before it are intact"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(AuditCommandsTest, a_tail_that_was_cut_off_is_shown_by_a_checkpoint) {
  sql("DELETE FROM audit WHERE sequence > 12");
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), HasSubstr("Record 13 is the first that is wrong: cut off"));
  EXPECT_THAT(err_.str(), HasSubstr("The checkpoint is of record 16"));
}

TEST_F(AuditCommandsTest, json_says_the_same) {
  output_ = Output::Json;
  EXPECT_EQ(go(), ExitCode::Ok);
  EXPECT_THAT(out_.str(), HasSubstr(R"("Verdict":"intact")"));
  sql("DELETE FROM audit WHERE sequence = 3");
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(out_.str(), HasSubstr(R"("Verdict":"tampered")"));
  EXPECT_THAT(out_.str(),
              HasSubstr(R"("Fault":"missing","Sequence":3,"SequenceUntil":3,"At":null)"));
}

TEST_F(AuditCommandsTest, of_a_row_of_several_records_all_are_named) {
  std::vector<domain::AuditEntry> entries(5);
  for (domain::AuditEntry& entry : entries) {
    entry.at = kStart + std::chrono::seconds(++written_);
    entry.account = "100";
  }
  auto transaction = MUST(store::Transaction::begin(database_));
  MUST(log_->append(database_, entries));
  MUST(transaction.commit());
  MUST(log_->checkpoint({.mono = Mono(2s), .wall = kStart}));
  EXPECT_EQ(go(), ExitCode::Ok);
  EXPECT_THAT(out_.str(), HasSubstr("All 25 records"));
  sql("UPDATE audit SET account = '200' WHERE sequence = 25");
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), HasSubstr("One of the records 21 to 25 of 2027-01-15T08:00:25.123Z is "
                                    "the first that is wrong: altered; its account"));
  EXPECT_THAT(err_.str(), HasSubstr("20 records before it are intact"));
}

TEST_F(AuditCommandsTest, a_copy_of_the_checkpoints_that_was_shipped_elsewhere_is_believed) {
  fs::copy_file(path("audit.checkpoints"), path("shipped"));
  sql("DELETE FROM audit WHERE sequence > 12");
  // Who can write here can shorten the file that is here, too.
  std::ifstream in(path("audit.checkpoints"));
  std::string lines, line;
  while (std::getline(in, line) && !line.starts_with("audit1 head 16 ")) lines += line + "\n";
  in.close();
  std::ofstream(path("audit.checkpoints")) << lines;
  EXPECT_EQ(go(), ExitCode::Ok) << "nothing here tells";
  EXPECT_THAT(out_.str(), HasSubstr("whether more followed them cannot be told"));
  EXPECT_EQ(go({.checkpoints = {path("shipped")}}), ExitCode::Tampered);
  EXPECT_EQ(go({.checkpoints = {path("audit.checkpoints"), path("shipped")}}), ExitCode::Tampered);
}

TEST_F(AuditCommandsTest, a_damaged_line_of_the_checkpoints_is_tampering) {
  std::fstream file(path("audit.checkpoints"), std::ios::in | std::ios::out);
  file.seekp(12);
  file.put('9');
  file.close();
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), HasSubstr("line 1 is not one that the server wrote"));
  EXPECT_THAT(out_.str(), HasSubstr("All 20 records are as the server wrote them"));
}

TEST_F(AuditCommandsTest, a_line_that_is_being_written_is_no_damage) {
  std::ofstream(path("audit.checkpoints"), std::ios::app) << "audit1 he";
  EXPECT_EQ(go(), ExitCode::Ok) << err_.str();
}

TEST_F(AuditCommandsTest, another_key_is_thought_of_where_nothing_fits) {
  ASSERT_TRUE(runtime::write_secret_key(path("other.key"), store::AuditKey{}));
  EXPECT_EQ(go({.key_file = path("other.key")}), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), HasSubstr("--audit-key"));
  sql("UPDATE audit SET account = '200' WHERE sequence = 1");
  EXPECT_EQ(go(), ExitCode::Tampered);
  EXPECT_THAT(err_.str(), Not(HasSubstr("--audit-key"))) << "the checkpoints fit the key";
}

TEST_F(AuditCommandsTest, what_cannot_be_read_is_no_tampering) {
  EXPECT_EQ(go({.key_file = path("none.key")}), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("none.key: there is no such file"));
  EXPECT_EQ(go({.checkpoints = {path("none")}}), ExitCode::Refused);
  EXPECT_EQ(go({.checkpoints = {folder_.string()}}), ExitCode::Refused);
  std::ofstream(path("bad.key")) << "not a key";
  EXPECT_EQ(go({.key_file = path("bad.key")}), ExitCode::Refused);
  EXPECT_THAT(err_.str(), Not(HasSubstr("not a key"))) << "nothing of a key is shown";
}

TEST_F(AuditCommandsTest, a_store_that_is_not_there_is_refused) {
  fs::remove(path("atrium.db"));
  EXPECT_EQ(go(), ExitCode::Refused);
  EXPECT_THAT(err_.str(), HasSubstr("--data-dir"));
}

TEST_F(AuditCommandsTest, a_server_without_checkpoints_yet_is_only_as_sure_as_its_chain) {
  fs::remove(path("audit.checkpoints"));
  EXPECT_EQ(go(), ExitCode::Ok);
  EXPECT_THAT(out_.str(), HasSubstr("The last 20 are later than the last checkpoint"));
}

}  // namespace
}  // namespace atrium::atriumctl
