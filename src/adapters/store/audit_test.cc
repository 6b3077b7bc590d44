#include "adapters/store/audit.h"

#include <gmock/gmock.h>

#include "adapters/store/audit_body.h"
#include "adapters/store/audit_fixture.h"
#include "adapters/store/rows.h"

namespace atrium::store {
namespace {

using domain::AuditEntry;
using domain::AuditQuery;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AuditEntry full_entry() {
  AuditEntry entry;
  entry.phase = domain::AuditPhase::Counted;
  entry.door = domain::AuditDoor::Timer;
  entry.at = kAuditStart;
  entry.account = "100";
  entry.access_key = "AKLT";
  entry.action = "DismissRoom";
  entry.version = "2026-12-01";
  entry.app = AppId("app");
  entry.room = RoomId("a \"quoted\" \\ room\n\t");
  entry.operation = OperationId("OP_1");
  entry.request_id = "20260102";
  entry.source = "192.0.2.1";
  entry.body_hash = sha256(as_bytes("body"));
  entry.is_dry_run = true;
  entry.is_replay = true;
  entry.status = 400;
  entry.outcome = "InvalidParameter";
  entry.reason = {.why = domain::LeaveReason::RoomDismissed,
                  .number = -1011,
                  .name = "ROOM_DISMISS",
                  .text = std::string("über\0", 6),
                  .operation = OperationId("OP_1"),
                  .operator_id = "AKLT"};
  entry.count = 12;
  return entry;
}

TEST(AuditBody, says_everything_and_is_read_back) {
  const AuditEntry entry = full_entry();
  const std::string body = audit_body(entry);
  EXPECT_EQ(parse_audit_body(body), entry) << body;
  EXPECT_THAT(body, HasSubstr(R"("room":"a \"quoted\" \\ room\u000a\u0009")"));
  EXPECT_EQ(parse_audit_body(audit_body({})), AuditEntry());
}

TEST(AuditBody, leaves_out_what_says_nothing) {
  AuditEntry entry;
  entry.account = "100";
  entry.action = "GetRoom";
  entry.status = 200;
  EXPECT_EQ(
      audit_body(entry),
      R"({"v":2,"phase":"read","door":"openapi","at":0,"account":"100","action":"GetRoom","status":200})");
  EXPECT_EQ(parse_audit_body(audit_body(entry)), entry);
  EXPECT_FALSE(parse_audit_body(
      R"({"v":2,"phase":"read","door":"openapi","at":0,"account":"100","access_key":"","status":200})"))
      << "a second spelling of the same";
}

// As servers wrote it until version 2 of the text.
constexpr std::string_view kVersion1 =
    R"({"v":1,"phase":"refused","door":"twirp","at":5,"account":"100","access_key":"","action":"DismissRoom",)"
    R"("version":"","app":"app","room":"r","operation":"","request_id":"","source":"192.0.2.1","body_hash":null,)"
    R"("dry_run":false,"replay":false,"status":403,"outcome":"AccessDenied","reason":{"why":0,"number":0,"name":"",)"
    R"("text":"","operation":"","operator":""},"count":1})";

TEST(AuditBody, records_of_earlier_servers_are_read) {
  const auto entry = parse_audit_body(kVersion1);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->phase, domain::AuditPhase::Refused);
  EXPECT_EQ(entry->account, "100");
  EXPECT_EQ(entry->status, 403);
  EXPECT_EQ(entry->outcome, "AccessDenied");
  std::string other(kVersion1);
  other.replace(other.find(R"("access_key":"",)"), 16, "");
  EXPECT_FALSE(parse_audit_body(other)) << "they have all their members";
}

TEST(AuditBody, no_beginning_of_one_and_no_other_spelling_is_read) {
  const std::string body = audit_body(full_entry());
  for (size_t size = 0; size < body.size(); ++size)
    EXPECT_FALSE(parse_audit_body(body.substr(0, size))) << size;
  EXPECT_FALSE(parse_audit_body(body + " "));
  std::string other = body;
  other.replace(other.find("\"OP_1\""), 6, "\"\\u004fP_1\"");
  EXPECT_FALSE(parse_audit_body(other)) << "an escape that is not needed";
  other = body;
  other.replace(other.find(":400"), 4, ":0400");
  EXPECT_FALSE(parse_audit_body(other));
  other = body;
  other.replace(other.find("counted"), 7, "guessed");
  EXPECT_FALSE(parse_audit_body(other));
}

TEST(AuditBody, long_texts_are_cut_between_characters_and_bad_ones_replaced) {
  AuditEntry entry;
  entry.action = std::string(1'023, 'a') + "\xc3\xbc";  // would end in the middle of ü
  entry.outcome = "a\xff\xc3";
  entry.reason.text = std::string(5'000, 'b');
  const AuditEntry out = bounded(entry);
  EXPECT_EQ(out.action, std::string(1'023, 'a'));
  EXPECT_EQ(out.outcome, "a\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(out.reason.text.size(), 1'024u);
  EXPECT_EQ(bounded(out), out);
}

TEST(AuditBody, its_time_and_its_members_are_found_without_reading_it) {
  const std::string body = audit_body(full_entry());
  EXPECT_EQ(audit_time(body), unix_us(kAuditStart));
  EXPECT_EQ(audit_time(kVersion1), 5);
  EXPECT_EQ(audit_time("{}"), std::nullopt);
  EXPECT_EQ(audit_time("{\"v\":2,\"at\":x"), std::nullopt);
  EXPECT_TRUE(body.contains(audit_member("action", "DismissRoom")));
  EXPECT_FALSE(body.contains(audit_member("action", "Dismiss")));
  AuditEntry entry;
  entry.app = AppId("a\"p\\p\n");
  entry.room = RoomId(",\"action\":\"DismissRoom\"");
  EXPECT_TRUE(audit_body(entry).contains(audit_member("app", entry.app.value)));
  EXPECT_FALSE(audit_body(entry).contains(audit_member("action", "DismissRoom")));
}

TEST(AuditChain, a_mac_covers_each_column_and_where_one_text_ends) {
  AuditKey key{};
  const Sha256 before = audit_genesis(key);
  const AuditRow row{.sequence = 1,
                     .at_us = 2,
                     .account = "ab",
                     .app = "c",
                     .action = "d",
                     .operation = "e",
                     .body = "f"};
  const Sha256 mac = audit_mac(HmacSha256(key), before, row);
  AuditRow other = row;
  other.account = "a", other.app = "bc";
  EXPECT_NE(audit_mac(HmacSha256(key), before, other), mac);
  EXPECT_NE(audit_mac(HmacSha256(key), mac, row), mac);
  other = row;
  other.sequence = 2;
  EXPECT_NE(audit_mac(HmacSha256(key), before, other), mac);
  key[31] = 1;
  EXPECT_NE(audit_mac(HmacSha256(key), before, row), mac);
}

TEST(AuditChain, a_checkpoint_line_is_good_whole_and_with_its_key_alone) {
  AuditKey key{};
  const AuditCheckpoint checkpoint{.kind = AuditCheckpoint::Kind::Base,
                                   .sequence = 12'000,
                                   .mac = sha256(as_bytes("x")),
                                   .at = kAuditStart};
  const std::string line = checkpoint_line(key, checkpoint);
  EXPECT_THAT(line, testing::StartsWith("audit1 base 12000 1800000000123 "));
  EXPECT_EQ(read_checkpoint_line(key, line), checkpoint);
  for (size_t size = 0; size < line.size(); ++size)
    EXPECT_FALSE(read_checkpoint_line(key, line.substr(0, size)));
  for (size_t i = 0; i < line.size(); ++i) {
    std::string other = line;
    other[i] = other[i] == '1' ? '2' : '1';
    EXPECT_FALSE(read_checkpoint_line(key, other)) << i;
  }
  EXPECT_FALSE(read_checkpoint_line(key, line + " x"));
  key[0] = 1;
  EXPECT_FALSE(read_checkpoint_line(key, line));
}

TEST(AuditChain, damaged_lines_are_counted_and_an_unfinished_one_is_not) {
  const AuditKey key{};
  const std::string good = checkpoint_line(key, {.sequence = 1});
  const AuditCheckpoints found =
      read_checkpoints(key, good + "\n\nrubbish\n" + good + "\nmore\naudit1 he");
  EXPECT_EQ(found.found.size(), 2u);
  EXPECT_EQ(found.damaged_count, 2u);
  EXPECT_EQ(found.first_damaged_line, 3u);
}

using AuditLogTest = AuditFixture;

class AuditScanTest : public AuditFixture {
 protected:
  AuditScanTest() {
    scan_max_ = 6;
    open();
  }
};

TEST_F(AuditLogTest, records_come_back_as_they_were_given) {
  const std::vector<AuditEntry> entries{entry(3), full_entry()};
  append(entries);
  const domain::AuditPage page = MUST(log_->list({.account = "100", .limit = 10}));
  ASSERT_EQ(page.records.size(), 2u);
  EXPECT_EQ(page.records[0].sequence, 1);
  EXPECT_EQ(page.records[0].entry, entries[0]);
  EXPECT_EQ(page.records[1].sequence, 2);
  EXPECT_EQ(page.records[1].entry, bounded(entries[1]));
  EXPECT_NE(page.records[0].mac, page.records[1].mac);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, lists_what_is_asked_for) {
  run(1, 30);
  EXPECT_THAT(list({.account = "100", .limit = 4}), ElementsAre(3, 6, 9, 12));
  EXPECT_THAT(list({.account = "100", .after_sequence = 12, .limit = 2}), ElementsAre(15, 18));
  EXPECT_THAT(list({.account = "100", .app = AppId("app0"), .limit = 9}), ElementsAre(15, 30));
  EXPECT_THAT(list({.account = "100", .action = "DismissRoom", .limit = 2}), ElementsAre(6, 12));
  EXPECT_THAT(
      list({.account = "100", .from = kAuditStart + 9s, .until = kAuditStart + 15s, .limit = 9}),
      ElementsAre(9, 12));
  EXPECT_THAT(list({.account = "100", .operation = OperationId("OP_6"), .limit = 9}),
              ElementsAre(6));
  EXPECT_THAT(list({.account = "200", .operation = OperationId("OP_6"), .limit = 9}), IsEmpty())
      << "another account's";
  EXPECT_THAT(list({.limit = 9}), IsEmpty()) << "no account is not all accounts";
  EXPECT_THAT(list({.account = "100", .limit = 0}), IsEmpty());
}

// Account 100 has every third record.
TEST_F(AuditScanTest, a_page_looks_at_so_many_records_and_says_where_to_go_on) {
  run(1, 60);
  AuditQuery query{.account = "100", .app = AppId("app0"), .limit = 9};
  domain::AuditPage page = MUST(log_->list(query));
  ASSERT_EQ(page.records.size(), 1u);
  EXPECT_EQ(page.records[0].sequence, 15);
  EXPECT_EQ(page.looked_until, 18) << "the sixth of the account";
  EXPECT_TRUE(page.has_more);
  query.after_sequence = 30;
  query.until = kAuditStart + 31s;
  page = MUST(log_->list(query));
  EXPECT_TRUE(page.records.empty());
  EXPECT_EQ(page.looked_until, 48);
  EXPECT_TRUE(page.has_more) << "an empty page is not the end";
  query.after_sequence = 48;
  page = MUST(log_->list(query));
  EXPECT_EQ(page.looked_until, 60);
  EXPECT_FALSE(page.has_more);
  query.after_sequence = 60;
  EXPECT_EQ(MUST(log_->list(query)).looked_until, 60) << "a cursor never goes back";
}

TEST_F(AuditScanTest, pages_of_any_size_miss_none_and_show_none_twice) {
  run(1, 60);
  for (const size_t limit : {1u, 2u, 5u, 100u}) {
    AuditQuery query{.account = "100", .action = "DismissRoom", .limit = limit};
    std::vector<int64_t> seen;
    for (bool has_more = true; has_more;) {
      const domain::AuditPage page = MUST(log_->list(query));
      for (const domain::StoredAudit& record : page.records) seen.push_back(record.sequence);
      query.after_sequence = page.looked_until;
      has_more = page.has_more;
    }
    EXPECT_THAT(seen, ElementsAre(6, 12, 18, 24, 30, 36, 42, 48, 54, 60)) << limit;
  }
}

TEST_F(AuditScanTest, the_records_of_an_operation_are_bounded_too) {
  std::vector<AuditEntry> many(20, entry(6));
  append(many);
  AuditQuery query{.account = "100", .operation = OperationId("OP_6"), .action = "x", .limit = 9};
  const domain::AuditPage page = MUST(log_->list(query));
  EXPECT_TRUE(page.records.empty());
  EXPECT_EQ(page.looked_until, 6);
  EXPECT_TRUE(page.has_more);
}

TEST_F(AuditLogTest, what_is_rolled_back_leaves_no_gap) {
  run(1, 3);
  {
    const Transaction transaction = MUST(Transaction::begin(database_));
    const AuditEntry lost = entry(4);
    ASSERT_TRUE(log_->append(database_, std::span(&lost, 1)));
  }
  log_->undone();
  run(5, 6);
  EXPECT_EQ(number("SELECT max(sequence) FROM audit"), 5);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, no_checkpoint_is_made_of_what_was_rolled_back) {
  run(1, 3);
  {
    const Transaction transaction = MUST(Transaction::begin(database_));
    const AuditEntry lost = entry(4);
    ASSERT_TRUE(log_->append(database_, std::span(&lost, 1)));
  }
  ASSERT_TRUE(log_->checkpoint(now()));
  EXPECT_EQ(newest_sequence(read_checkpoints(key_, file_).found), 3);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, the_chain_goes_on_after_a_restart) {
  run(1, 7);
  open();
  run(8, 25);
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().records, 25);
}

TEST_F(AuditLogTest, a_checkpoint_is_made_after_so_many_records_or_so_long) {
  run(1, 1);  // the first is made at once: nobody knows what the process before it left
  EXPECT_EQ(read_checkpoints(key_, file_).found.size(), 1u);
  EXPECT_EQ(log_->next_checkpoint(), kNever);
  run(2, 10);
  EXPECT_EQ(read_checkpoints(key_, file_).found.size(), 1u);
  EXPECT_EQ(log_->next_checkpoint(), Mono(2s) + 60s);
  run(11, 11);
  ASSERT_EQ(read_checkpoints(key_, file_).found.size(), 2u);
  EXPECT_EQ(read_checkpoints(key_, file_).found[1].sequence, 11);
  run(12, 12);
  passed_ = 70s;
  ASSERT_TRUE(log_->committed(now()));
  EXPECT_EQ(read_checkpoints(key_, file_).found.size(), 2u);
  passed_ = 71s;
  ASSERT_TRUE(log_->committed(now()));
  ASSERT_EQ(read_checkpoints(key_, file_).found.size(), 3u);
  EXPECT_EQ(read_checkpoints(key_, file_).found[2].sequence, 12);
  passed_ = 200s;
  ASSERT_TRUE(log_->committed(now())) << "nothing new";
  EXPECT_EQ(read_checkpoints(key_, file_).found.size(), 3u);
}

TEST_F(AuditLogTest, the_last_checkpoint_of_a_process_is_asked_for) {
  run(1, 5);
  ASSERT_TRUE(log_->checkpoint(now()));
  EXPECT_EQ(newest_sequence(read_checkpoints(key_, file_).found), 5);
  const std::string before = file_;
  ASSERT_TRUE(log_->checkpoint(now()));
  EXPECT_EQ(file_, before) << "nothing new";
}

TEST_F(AuditLogTest, a_checkpoint_that_failed_is_tried_again_when_due) {
  is_file_broken_ = true;
  const AuditEntry one = entry(1);
  append(std::span(&one, 1));
  EXPECT_FALSE(log_->committed(now()));
  EXPECT_TRUE(log_->committed(now())) << "not with every commit";
  is_file_broken_ = false;
  passed_ += 60s;
  ASSERT_TRUE(log_->committed(now()));
  EXPECT_EQ(newest_sequence(read_checkpoints(key_, file_).found), 1);
}

TEST_F(AuditLogTest, whole_segments_go_when_all_of_them_is_old) {
  run(1, 35);
  passed_ = 119s;  // records older than 19 s may go
  EXPECT_EQ(purge(), 10);
  EXPECT_EQ(purge(), 0) << "the second segment ends with record 20";
  EXPECT_EQ(number("SELECT min(sequence) FROM audit"), 11);
  passed_ = 121s;
  EXPECT_EQ(purge(), 10);
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().first_sequence, 21);
  EXPECT_EQ(verify().bases_ahead, 0);
}

TEST_F(AuditLogTest, several_segments_go_at_once_and_never_the_latest_record) {
  run(1, 50);
  ASSERT_TRUE(log_->checkpoint(now()));
  passed_ = 10'000s;
  EXPECT_EQ(purge(25), 20);
  EXPECT_EQ(purge(1'000), 20);
  EXPECT_EQ(purge(1'000), 0);
  EXPECT_EQ(verdict(), "intact");
  run(51, 60);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, the_oldest_segments_go_when_there_are_too_many) {
  run(1, 1'001);
  passed_ = 0s;  // nothing is old
  EXPECT_EQ(purge(100), 10);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, nothing_goes_that_no_checkpoint_covers) {
  is_file_broken_ = true;
  for (int n = 1; n <= 30; ++n) {
    const AuditEntry one = entry(n);
    append(std::span(&one, 1));
  }
  passed_ = 10'000s;
  EXPECT_EQ(purge(), 0);
  is_file_broken_ = false;
  open();
  EXPECT_EQ(purge(), 0) << "not by this process yet";
  ASSERT_TRUE(log_->committed(now()));
  EXPECT_EQ(purge(), 10);
}

TEST_F(AuditLogTest, nothing_goes_whose_base_could_not_be_written) {
  run(1, 30);
  passed_ = 10'000s;
  is_file_broken_ = true;
  {
    const Transaction transaction = MUST(Transaction::begin(database_));
    EXPECT_FALSE(log_->purge(database_, now().wall, 10));
  }
  EXPECT_EQ(number("SELECT count(*) FROM audit"), 30);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, a_purge_may_be_cut_short_after_its_base) {
  run(1, 50);
  passed_ = 10'000s;
  EXPECT_EQ(purge(), 10);
  {
    const Transaction transaction = MUST(Transaction::begin(database_));
    EXPECT_EQ(MUST(log_->purge(database_, now().wall, 20)), 20);
  }  // rolled back
  EXPECT_EQ(verdict(), "intact");
  EXPECT_EQ(verify().bases_ahead, 20);
  EXPECT_EQ(purge(20), 20);
  EXPECT_EQ(verdict(), "intact");
}

TEST_F(AuditLogTest, a_record_that_cannot_be_read_is_no_page) {
  run(1, 3);
  sql("UPDATE audit SET body = '{}' WHERE sequence = 3");
  const auto page = log_->list({.account = "100", .limit = 9});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind, ErrorKind::Malformed);
  run(4, 4);  // and no statement is left open
}

}  // namespace
}  // namespace atrium::store
