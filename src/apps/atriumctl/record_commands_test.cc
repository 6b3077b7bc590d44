// Requests that events tail and audit list make, and how they show what comes back.
#include "apps/atriumctl/record_commands.h"

#include "apps/atriumctl/canned_server.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

// "MTI" is a cursor as the server writes it: base64url of a number.
constexpr char kOneEvent[] =
    R"({"Events":[{"Cursor":"MTI","Sequence":7,"EventId":"EV_1","Kind":"UserLeft",)"
    R"("At":"2024-01-02T03:04:05.678Z","RoomId":"lobby","RoomSessionId":"RM_1","UserId":"ann",)"
    R"("Reason":{"Why":"room_dismissed","OperationId":"OP_1"}}],"NextCursor":"MTI"})";

class RecordCommandsTest : public CannedServer {};

TEST_F(RecordCommandsTest, an_event_is_a_line) {
  results = {kOneEvent, kOneEvent};
  const RecordCommand command{
      .verb = RecordVerb::TailEvents, .since = "2024-01-02T00:00:00Z", .room = "lobby"};
  EXPECT_EQ(go(run_records, command), ExitCode::Ok) << err.str();
  ASSERT_EQ(asked.size(), 1u) << "a page that is not full is the last";
  EXPECT_EQ(asked[0], get("ListEvents", "&Limit=1000&RoomId=lobby&Since=2024-01-02T00%3A00%3A00Z"));
  EXPECT_EQ(out.str(),
            "2024-01-02T03:04:05.678Z UserLeft room=lobby session=RM_1 sequence=7 user=ann "
            "why=room_dismissed "
            "operation=OP_1 EV_1\n");
  settings.output = Output::Json;
  EXPECT_EQ(go(run_records, command), ExitCode::Ok);
  EXPECT_EQ(out.str().find("{\"Cursor\":\"MTI\""), 0u) << out.str();
  EXPECT_EQ(out.str().find('\n'), out.str().size() - 1);
}

TEST_F(RecordCommandsTest, following_asks_on_from_the_last_event_until_interrupted) {
  results = {kOneEvent, R"({"Events":[],"NextCursor":"MTI"})", kOneEvent};
  interrupted_after = 3;
  const RecordCommand command{
      .verb = RecordVerb::TailEvents, .since = "2024-01-02T00:00:00Z", .follow = true};
  EXPECT_EQ(go(run_records, command), ExitCode::Ok);
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[1], get("ListEvents", "&Limit=1000&Cursor=MTI"));
  EXPECT_EQ(asked[2], asked[1]);
  EXPECT_EQ(waited, Duration(2s));
}

TEST_F(RecordCommandsTest, a_full_page_is_followed_by_the_next_at_once) {
  std::string events;
  for (int64_t i = 0; i < limits::kEventPageMax; ++i)
    events += std::string(i == 0 ? "" : ",") + R"({"Kind":"x"})";
  results = {R"({"Events":[)" + events + R"(],"NextCursor":"OTk"})",
             R"({"Events":[],"NextCursor":"OTk"})"};
  EXPECT_EQ(go(run_records, RecordCommand{.verb = RecordVerb::TailEvents}), ExitCode::Ok);
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1], get("ListEvents", "&Limit=1000&Cursor=OTk"));
  EXPECT_EQ(waited, Duration());
}

TEST_F(RecordCommandsTest, lost_events_are_told_on_standard_error) {
  results = {R"({"Events":[],"NextCursor":"MTI","Lost":true,"OldestCursor":"OTk"})"};
  EXPECT_EQ(go(run_records, RecordCommand{.verb = RecordVerb::TailEvents, .after = "MTI"}),
            ExitCode::Ok);
  EXPECT_EQ(asked.at(0), get("ListEvents", "&Limit=1000&Cursor=MTI"));
  EXPECT_TRUE(warns("events are lost")) << err.str();
  EXPECT_EQ(out.str(), "");
}

TEST_F(RecordCommandsTest, an_empty_page_of_the_audit_log_may_have_more_behind_it) {
  results = {R"({"Records":[],"NextCursor":"OTk","HasMore":true})",
             R"({"Records":[],"NextCursor":"MTIz","HasMore":false})"};
  EXPECT_EQ(go(run_records, RecordCommand{.verb = RecordVerb::ListAudit,
                                          .operation = "OP_abcdefghijklmnopq",
                                          .all_apps = true}),
            ExitCode::Ok)
      << err.str();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_TRUE(asked[1].ends_with("&Cursor=OTk")) << asked[1];
}

TEST_F(RecordCommandsTest, the_audit_log_is_asked_with_filters) {
  const std::string record =
      R"({"Records":[{"Sequence":3,"Phase":"finished","Door":"openapi","At":"2024-01-02T03:04:05.678Z",)"
      R"("AccessKey":"AKLT1","Action":"DismissRoom","RoomId":"lobby","DryRun":true,"Status":200}],"NextCursor":"Mw"})";
  results = {record, record};
  EXPECT_EQ(go(run_records, RecordCommand{.verb = RecordVerb::ListAudit, .action = "DismissRoom"}),
            ExitCode::Ok)
      << err.str();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0], "GET " + own("ListAudit") + "&Limit=1000&AppId=" + kCannedApp +
                          "&ActionName=DismissRoom&Since=2024-01-01T03%3A04%3A05Z&Cursor=");
  EXPECT_EQ(out.str(),
            "2024-01-02T03:04:05.678Z #3 finished DismissRoom by=AKLT1 door=openapi room=lobby "
            "dry-run status=200\n");
  EXPECT_EQ(go(run_records, RecordCommand{.verb = RecordVerb::ListAudit,
                                          .operation = "OP_abcdefghijklmnopq",
                                          .all_apps = true}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(asked.at(0),
            "GET " + own("ListAudit") + "&Limit=1000&OperationId=OP_abcdefghijklmnopq&Cursor=");
}

}  // namespace
}  // namespace atrium::atriumctl
