// DismissRooms and GetDismissRooms through the gateway: which rooms are meant, and what became of each.
#include <gmock/gmock.h>

#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class BulkActionsTest : public OwnActionsTest {
 protected:
  // The quota is one call a second.
  domain::DismissRooms dismissal(std::string_view fields) {
    now.mono += 1s;
    return command<domain::DismissRooms>("DismissRooms", fields);
  }
  std::string wrong(std::string_view fields) {
    now.mono += 1s;
    return refusal("DismissRooms", fields);
  }
};

TEST_F(BulkActionsTest, rooms_are_meant_by_name_or_by_what_they_are) {
  const auto listed = dismissal(R"(,"RoomIds":["a","b"],"PerSecond":1000,"Reason":"over")");
  EXPECT_EQ(listed.app, AppId(kOwnApp));
  EXPECT_EQ(listed.filter.rooms, (std::vector<RoomId>{RoomId("a"), RoomId("b")}));
  EXPECT_EQ(listed.per_second, 1'000u);
  EXPECT_EQ(listed.origin.reason, "over");
  EXPECT_EQ(listed.origin.operator_id, "AKLTmanager");
  const auto old = dismissal(R"(,"Prefix":"lesson-","OlderThanSeconds":7200,"UsersAtMost":0)");
  EXPECT_FALSE(old.filter.rooms.has_value());
  EXPECT_EQ(old.filter.prefix, "lesson-");
  EXPECT_EQ(old.filter.older_than, Duration(7'200s));
  EXPECT_EQ(old.filter.users_at_most, 0u);
  EXPECT_EQ(old.per_second, 50u);
  EXPECT_EQ(dismissal(R"(,"Prefix":"")").filter.prefix, "") << "all of them, said so";
}

TEST_F(BulkActionsTest, what_is_wrong_with_the_choice_is_named) {
  EXPECT_THAT(wrong(""), StartsWith("One of RoomIds, Prefix, OlderThanSeconds and UsersAtMost"));
  EXPECT_EQ(wrong(R"(,"RoomIds":[])"), "RoomIds must name a room; leave it out to mean any.");
  EXPECT_EQ(wrong(R"(,"RoomIds":["a b"])"), "RoomIds: a b cannot be a RoomId.");
  EXPECT_EQ(wrong(R"(,"RoomIds":"a")"), "RoomIds must be a list of strings.");
  EXPECT_EQ(wrong(R"(,"Prefix":"a b")"), "Prefix must be what a RoomId can begin with.");
  EXPECT_EQ(wrong(R"(,"OlderThanSeconds":-1)"), "OlderThanSeconds must be 0 to 4294967295.");
  EXPECT_EQ(wrong(R"(,"UsersAtMost":4294967296)"), "UsersAtMost must be 0 to 4294967295.");
  EXPECT_EQ(wrong(R"(,"Prefix":"","PerSecond":0)"), "PerSecond must be 1 to 1000.");
  EXPECT_EQ(wrong(R"(,"Prefix":"","PerSecond":1001)"), "PerSecond must be 1 to 1000.");
  EXPECT_EQ(wrong(R"(,"Prefix":"","Limit":1001)"), "Limit must be 1 to 1000.");
  EXPECT_EQ(wrong(R"(,"Prefix":"","Reason":")" + std::string(1'025, 'r') + "\""),
            "Reason must be at most 1024 bytes.");
  EXPECT_EQ(wrong(R"(,"Prefix":"","All":true)"), "All is not a field of this action.");
}

TEST_F(BulkActionsTest, more_rooms_than_one_call_may_end_end_none) {
  std::string rooms;
  for (int i = 0; i <= 10'000; ++i) rooms += (i == 0 ? "\"r" : ",\"r") + std::to_string(i) + "\"";
  now.mono += 1s;
  const Response over = ask(post_of("DismissRooms", R"(,"RoomIds":[)" + rooms + "]", now));
  EXPECT_EQ(code_of(over), "InvalidParameter.SizeOverLimit");
  EXPECT_THAT(message_of(over), HasSubstr("10000"));
}

TEST_F(BulkActionsTest, accepted_call_says_how_many_and_where_to_ask) {
  dismissal(R"(,"RoomIds":["room-1","none"])");
  domain::BulkDismissal bulk;
  bulk.operation = OperationId(kOperation);
  bulk.per_second = 50;
  bulk.items = {{RoomId("room-1"), RoomSid("RM_abcdefghijklmnopq")}, {RoomId("none"), {}}};
  const domain::ActionReply done{.waiter = WaiterId{7},
                                 .outcome = domain::ActionOutcome::Done,
                                 .operation = OperationId(kOperation),
                                 .bulk = bulk};
  expect_golden("dismiss_rooms", replied(done));
  domain::ActionReply other = done;
  other.bulk = std::nullopt;
  EXPECT_EQ(result_of(replied(other)),
            R"({"Message":"success","OperationId":"OP_abcdefghijklmnopq"})")
      << "given again after a restart";
  other.outcome = domain::ActionOutcome::TooMany;
  const Response busy = replied(other);
  EXPECT_EQ(code_of(busy), "FlowLimitExceeded.TaskNumberOverLimit");
  EXPECT_NE(header_of(busy, "Retry-After"), "");
}

TEST_F(BulkActionsTest, a_dry_run_lists_a_page_of_what_would_end_and_counts_all) {
  join("lesson-1", "ann");
  join("lesson-2", "ann");
  join("other", "ann");
  now.mono += 1s;
  const Response dry =
      ask(post_of("DismissRooms", R"(,"Prefix":"lesson-","DryRun":true,"Limit":1)", now));
  expect_golden("dismiss_rooms_dry", dry);
  EXPECT_TRUE(dry.trace.is_dry_run) << "for the audit";
  EXPECT_TRUE(registry.find_room(AppId(kOwnApp), RoomId("lesson-1")).has_value());
}

TEST_F(BulkActionsTest, what_became_of_each_room_is_shown_page_by_page) {
  const std::string id = "&OperationId=" + std::string(kOperation);
  const auto asked = question<FindBulkPage>("GetDismissRooms", id + "&Offset=5&Limit=6");
  EXPECT_EQ(asked.operation, OperationId(kOperation));
  EXPECT_EQ(asked.offset, 5u);
  EXPECT_EQ(asked.limit, 6u);
  domain::BulkPage page;
  page.bulk.operation = OperationId(kOperation);
  page.bulk.app = AppId(kOwnApp);
  page.bulk.operator_id = "AKLTmanager";
  page.bulk.request_id = "20240102030405000000000000000000";
  page.bulk.reason = "over";
  page.bulk.accepted_at = kNow.wall;
  page.bulk.finished_at = kNow.wall + 2s;
  page.bulk.per_second = 50;
  page.total = 10;
  page.offset = 5;
  using State = domain::BulkItemState;
  for (const State state :
       {State::Waiting, State::Running, State::Dismissed, State::Failed, State::NotThere}) {
    domain::BulkItemResult& one = page.items.emplace_back();
    one.item.room = RoomId("room-" + std::to_string(page.items.size()));
    one.state = state;
    if (state != State::NotThere) one.item.room_sid = RoomSid("RM_abcdefghijklmnopq");
    if (state == State::Dismissed || state == State::Failed)
      one.operation = OperationId("OP_bbcdefghijklmnopq");
  }
  expect_golden("get_dismiss_rooms", gateway.on_bulk(waiting(), true, &page));
  page.bulk.finished_at = std::nullopt;
  EXPECT_EQ(text_at(body_of(gateway.on_bulk(waiting(), true, &page)), {"Result", "State"}),
            "running");
}

TEST_F(BulkActionsTest, operation_that_is_none_or_another_apps_does_not_exist) {
  const std::string id = "&OperationId=" + std::string(kOperation);
  EXPECT_EQ(question<FindBulkPage>("GetDismissRooms", id).limit, 50u);
  domain::BulkPage foreign;
  foreign.bulk.app = AppId(kWideApp);
  EXPECT_EQ(code_of(gateway.on_bulk(waiting(), true, &foreign)),
            "InvalidParameter.NotExistOperation");
  EXPECT_EQ(code_of(gateway.on_bulk(waiting(), true, nullptr)),
            "InvalidParameter.NotExistOperation");
  EXPECT_EQ(code_of(gateway.on_bulk(waiting(), false, nullptr)), "InternalError");
  EXPECT_EQ(message_of(get("GetDismissRooms", "&OperationId=OP_1")),
            "OperationId must be OP_ and 17 letters and digits.");
  EXPECT_EQ(message_of(get("GetDismissRooms", id + "&Offset=-1")), "Offset must be 0 to 10000.");
  EXPECT_EQ(message_of(get("GetDismissRooms", id + "&Offset=10001")), "Offset must be 0 to 10000.");
  EXPECT_EQ(message_of(get("GetDismissRooms", id + "&Limit=1001")), "Limit must be 1 to 1000.");
}

}  // namespace
}  // namespace atrium::openapi
