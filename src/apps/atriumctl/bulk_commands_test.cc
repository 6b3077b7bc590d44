// Requests that room dismiss-many makes, and how it shows what comes back.
#include "apps/atriumctl/bulk_commands.h"

#include "apps/atriumctl/canned_server.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

class BulkCommandsTest : public CannedServer {};

TEST_F(BulkCommandsTest, rooms_are_named_and_the_operation_is_told) {
  results = {
      R"({"Message":"success","OperationId":"OP_1","Accepted":2,"NotThere":1,"PerSecond":5})"};
  EXPECT_EQ(go(run_bulk, BulkCommand{.verb = BulkVerb::Dismiss,
                                     .rooms = {"a", "b", "c"},
                                     .per_second = 5,
                                     .reason = "over",
                                     .idempotency_key = "key-1"}),
            ExitCode::Ok)
      << err.str();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0],
            post("DismissRooms", R"("RoomIds":["a","b","c"],"PerSecond":5,"Reason":"over")"));
  EXPECT_EQ(keys[0], "key-1");
  EXPECT_TRUE(says("2 rooms are being dismissed, 5 a second; 1 of those named are not there."))
      << out.str();
  EXPECT_TRUE(says("dismiss-many-status OP_1"));
}

TEST_F(BulkCommandsTest, a_filter_can_be_tried_dry) {
  results = {R"({"State":"dry_run","DryRun":true,"WouldDismiss":1,"NotThere":0,)"
             R"("Rooms":[{"RoomId":"lesson-1","RoomSessionId":"RM_1"}]})"};
  EXPECT_EQ(go(run_bulk, BulkCommand{.verb = BulkVerb::Dismiss,
                                     .prefix = "lesson-",
                                     .older_than_s = 60,
                                     .users_at_most = 0,
                                     .dry_run = true}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(asked.at(0),
            post("DismissRooms", R"("Prefix":"lesson-","OlderThanSeconds":60,"UsersAtMost":0,)"
                                 R"("DryRun":true,"Limit":1000)"));
  EXPECT_TRUE(says("1 rooms would be dismissed")) << out.str();
  EXPECT_TRUE(says("lesson-1  RM_1"));
}

TEST_F(BulkCommandsTest, every_room_is_meant_only_where_that_is_said) {
  EXPECT_EQ(go(run_bulk, BulkCommand{.verb = BulkVerb::Dismiss, .per_second = 5}), ExitCode::Usage);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(go(run_bulk, BulkCommand{.verb = BulkVerb::Dismiss, .all = true}), ExitCode::Ok);
  EXPECT_EQ(asked.at(0), post("DismissRooms", R"("Prefix":"")"));
}

TEST_F(BulkCommandsTest, what_became_of_each_room_is_shown_from_all_pages) {
  std::string page;
  for (int64_t i = 0; i < limits::kBulkPageMax; ++i)
    page += std::string(i == 0 ? "" : ",") + R"({"RoomId":"r","State":"dismissed"})";
  results = {
      R"({"State":"running","Total":1001,"Offset":0,"Rooms":[)" + page + "]}",
      R"({"State":"finished","Total":1001,"Offset":1000,"Rooms":[{"RoomId":"last","State":"failed"}]})"};
  const BulkCommand command{.verb = BulkVerb::Status, .operation = "OP_abcdefghijklmnopq"};
  EXPECT_EQ(go(run_bulk, command), ExitCode::Ok) << err.str();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1],
            get("GetDismissRooms", "&OperationId=OP_abcdefghijklmnopq&Offset=1000&Limit=1000"));
  EXPECT_EQ(out.str().find("Dismissal of 1001 rooms: finished, 1000 dismissed, 1 failed.\n"), 0u);
}

}  // namespace
}  // namespace atrium::atriumctl
