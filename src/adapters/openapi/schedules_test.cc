// Rooms that end by themselves, through the gateway: which command a body becomes, and the answers' exact form.
#include "adapters/openapi/gateway_fixture.h"

namespace atrium::openapi {
namespace {

constexpr char kSchedule[] = "SD_abcdefghijklmnopq";

class ScheduleActionsTest : public OwnActionsTest {
 protected:
  Response replied(domain::ActionOutcome result, std::optional<domain::Schedule> schedule = {}) {
    return OwnActionsTest::replied({.waiter = WaiterId{7},
                                    .outcome = result,
                                    .operation = OperationId(kOperation),
                                    .schedule = std::move(schedule)});
  }
  domain::Schedule schedule(const char* id = kSchedule) {
    domain::Schedule out{.id = ScheduleId(id),
                         .app = AppId(kOwnApp),
                         .room = RoomId("room-1"),
                         .room_sid = RoomSid("RM_abcdefghijklmnopq"),
                         .reason = "the lesson is over",
                         .operator_id = "AKLTmanager",
                         .request_id = "20240102030405000000000000000000",
                         .follows_wall = true};
    out.due_at = now.wall + 60s;
    out.created_at = now.wall;
    out.forbidden = Duration(30s);
    out.warn_before = {30s, 10s};
    return out;
  }
};

TEST_F(ScheduleActionsTest, schedule_dismissal_says_when_and_for_which_session) {
  const auto after = command<domain::ScheduleDismissal>(
      "ScheduleDismissal",
      R"(,"RoomId":"room-1","AfterSeconds":60,"Reason":"over","RefuseJoins":true,)"
      R"("WarnBeforeSeconds":[10,30,10],"ForbiddenInterval":20,)"
      R"("IfRoomSessionId":"RM_abcdefghijklmnopq")");
  EXPECT_EQ(after.app, AppId(kOwnApp));
  EXPECT_EQ(after.room, RoomId("room-1"));
  EXPECT_EQ(after.after, Duration(60s));
  EXPECT_FALSE(after.at.has_value());
  EXPECT_EQ(after.forbidden, Duration(20s));
  EXPECT_TRUE(after.refuses_joins);
  EXPECT_EQ(after.warn_before, (std::vector<Duration>{30s, 10s}));
  EXPECT_EQ(after.if_session, RoomSid("RM_abcdefghijklmnopq"));
  EXPECT_EQ(after.origin.operator_id, "AKLTmanager");
  EXPECT_EQ(after.origin.reason, "over");
  EXPECT_EQ(after.waiter, WaiterId{7});
  const auto at = command<domain::ScheduleDismissal>(
      "ScheduleDismissal", R"(,"RoomId":"room-1","At":"2024-01-02T11:05:05.678+08:00")");
  EXPECT_EQ(at.at, kNow.wall + 60s);
  EXPECT_FALSE(at.after || at.forbidden || at.if_session || at.refuses_joins);
}

TEST_F(ScheduleActionsTest, what_is_wrong_with_a_schedule_is_named) {
  const auto wrong = [this](std::string_view fields) {
    return refusal("ScheduleDismissal", R"(,"RoomId":"room-1")" + std::string(fields));
  };
  EXPECT_EQ(wrong(""), "Either At or AfterSeconds must be given.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":1,"At":"2024-01-02T03:05:05Z")"),
            "Either At or AfterSeconds must be given.");
  EXPECT_EQ(wrong(R"(,"At":"2024-01-02T03:04:05.677Z")"), "At has passed.");
  EXPECT_EQ(wrong(R"(,"At":"2024-03-02T03:04:05Z")"), "At must be at most 2592000 seconds ahead.");
  EXPECT_TRUE(wrong(R"(,"At":"tomorrow")").starts_with("At must be a time of RFC 3339"));
  EXPECT_EQ(wrong(R"(,"AfterSeconds":0)"), "AfterSeconds must be 1 to 2592000 seconds.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":2592001)"), "AfterSeconds must be 1 to 2592000 seconds.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":60,"WarnBeforeSeconds":[0])"),
            "WarnBeforeSeconds: each must be 1 to 2592000 seconds.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":60,"WarnBeforeSeconds":[1,2,3,4,5,6,7,8,9])"),
            "WarnBeforeSeconds may have at most 8 entries.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":60,"WarnBeforeSeconds":["1"])"),
            "WarnBeforeSeconds must be a list of integers.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":60,"IfRoomSessionId":"room-1")"),
            "IfRoomSessionId must be RM_ and 17 letters and digits.");
  EXPECT_EQ(wrong(R"(,"AfterSeconds":60,"DryRun":true)"), "DryRun is not a field of this action.");
  EXPECT_EQ(
      code_of(post("ScheduleDismissal", kVersionOwn, body(R"(,"RoomId":"a b","AfterSeconds":60)"))),
      "InvalidParameter.IllegalRoomID");
}

TEST_F(ScheduleActionsTest, window_after_a_schedule_needs_the_scope_of_bans) {
  GatewayOptions options = make_options();
  options.keys[0].scopes = {KeyScope::Room};
  gateway = make_gateway(std::move(options), secrets);
  const char* window = R"(,"RoomId":"room-1","AfterSeconds":60,"ForbiddenInterval":20)";
  EXPECT_EQ(code_of(post("ScheduleDismissal", kVersionOwn, body(window))), "AccessDenied");
}

TEST_F(ScheduleActionsTest, schedule_dismissal_answers_with_what_counts_down) {
  command<domain::ScheduleDismissal>("ScheduleDismissal",
                                     R"(,"RoomId":"room-1","AfterSeconds":60)");
  expect_golden("schedule_dismissal", replied(domain::ActionOutcome::Done, schedule()));
  // Given again after a restart: no more is known than the operation.
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::Done)),
            R"({"ScheduleId":"SD_abcdefghijklmnopq"})");
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::NoSuchRoom)), "InvalidParameter.NoSuchRoom");
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::TooMany)), "InvalidParameter.SizeOverLimit");
  EXPECT_EQ(replied(domain::ActionOutcome::RecordFailed).status, 500);
}

TEST_F(ScheduleActionsTest, extend_dismissal_moves_to_or_by) {
  const std::string id = R"(,"ScheduleId":"SD_abcdefghijklmnopq")";
  const auto by = command<domain::ExtendDismissal>("ExtendDismissal", id + R"(,"BySeconds":-30)");
  EXPECT_EQ(by.schedule, ScheduleId(kSchedule));
  EXPECT_EQ(by.by, Duration(-30s));
  EXPECT_FALSE(by.at.has_value());
  const auto to = command<domain::ExtendDismissal>("ExtendDismissal",
                                                   id + R"(,"At":"2024-01-02T03:05:05.678Z")");
  EXPECT_EQ(to.at, kNow.wall + 60s);
  expect_golden("extend_dismissal", replied(domain::ActionOutcome::Done, schedule()));
  expect_golden("extend_dismissal_too_late", replied(domain::ActionOutcome::TooLate));
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::NotThere)), "InvalidParameter.NotExistSchedule");
  EXPECT_EQ(refusal("ExtendDismissal", id), "Either At or BySeconds must be given.");
  EXPECT_TRUE(refusal("ExtendDismissal", R"(,"ScheduleId":"OP_x","BySeconds":1)")
                  .starts_with("ScheduleId"));
}

TEST_F(ScheduleActionsTest, extension_out_of_bounds_of_a_known_schedule_is_refused) {
  registry.apply(domain::RestoreSchedules{{schedule()}}, now);
  const std::string id = R"(,"ScheduleId":"SD_abcdefghijklmnopq")";
  EXPECT_EQ(refusal("ExtendDismissal", id + R"(,"BySeconds":-61)"),
            "BySeconds would end the room before now.");
  EXPECT_EQ(refusal("ExtendDismissal", id + R"(,"BySeconds":2592000)"),
            "BySeconds would end the room more than 2592000 seconds from now.");
  command<domain::ExtendDismissal>("ExtendDismissal", id + R"(,"BySeconds":-60)");
}

TEST_F(ScheduleActionsTest, cancel_dismissal_answers_cancelled_or_too_late) {
  const auto cancel = command<domain::CancelDismissal>("CancelDismissal",
                                                       R"(,"ScheduleId":"SD_abcdefghijklmnopq")");
  EXPECT_EQ(cancel.schedule, ScheduleId(kSchedule));
  EXPECT_EQ(cancel.app, AppId(kOwnApp));
  expect_golden("cancel_dismissal", replied(domain::ActionOutcome::Done, schedule()));
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::TooLate)), R"({"State":"too_late"})");
  EXPECT_EQ(code_of(replied(domain::ActionOutcome::NotThere)), "InvalidParameter.NotExistSchedule");
  EXPECT_EQ(replied(domain::ActionOutcome::RecordFailed).status, 500);
}

TEST_F(ScheduleActionsTest, schedules_of_an_app_are_listed_page_by_page) {
  domain::Schedule second = schedule("SD_bbcdefghijklmnopq"), foreign = schedule("SD_c");
  second.room = RoomId("room-2");
  foreign.app = AppId(kWideApp);
  registry.apply(domain::RestoreSchedules{{schedule(), second, foreign}}, now);
  const Response first = get("ListSchedules", "&Limit=1");
  expect_golden("list_schedules", first);
  const std::string cursor = text_at(body_of(first), {"Result", "NextCursor"});
  const std::string rest = result_of(get("ListSchedules", "&Cursor=" + cursor));
  EXPECT_NE(rest.find("SD_bbcdefghijklmnopq"), std::string::npos);
  EXPECT_EQ(rest.find("SD_c"), std::string::npos) << "another app's";
  EXPECT_EQ(rest.find("NextCursor"), std::string::npos);
}

TEST_F(ScheduleActionsTest, policy_has_triggers_or_is_removed) {
  const auto set = command<domain::SetRoomPolicy>(
      "SetRoomPolicy",
      R"(,"RoomId":"room-1","EndAt":"2024-01-02T03:05:05.678Z","MaxDurationSeconds":3600,)"
      R"("IdleSeconds":600,"LastHostLeftSeconds":60,"Hosts":["bob","ann"],)"
      R"("WarnBeforeSeconds":[10,60],"Reason":"free rooms end")");
  ASSERT_TRUE(set.policy.has_value());
  EXPECT_EQ(set.policy->end_at, kNow.wall + 60s);
  EXPECT_EQ(set.policy->max_duration, Duration(3'600s));
  EXPECT_EQ(set.policy->idle, Duration(600s));
  EXPECT_EQ(set.policy->without_host, Duration(60s));
  EXPECT_EQ(set.policy->hosts, (std::vector<UserId>{UserId("ann"), UserId("bob")}));
  EXPECT_EQ(set.policy->warn_before, (std::vector<Duration>{60s, 10s}));
  EXPECT_EQ(set.policy->reason, "free rooms end");
  expect_golden("set_room_policy", replied(domain::ActionOutcome::Done));
  const auto removed = command<domain::SetRoomPolicy>("SetRoomPolicy", R"(,"RoomId":"room-1")");
  EXPECT_FALSE(removed.policy.has_value());
  EXPECT_EQ(result_of(replied(domain::ActionOutcome::NotThere)), R"({"Message":"success"})");
}

TEST_F(ScheduleActionsTest, what_is_wrong_with_a_policy_is_named) {
  const auto wrong = [this](std::string_view fields) {
    return refusal("SetRoomPolicy", R"(,"RoomId":"room-1")" + std::string(fields));
  };
  EXPECT_EQ(wrong(R"(,"EndAt":"2024-01-02T03:04:05Z")"), "EndAt has passed.");
  EXPECT_EQ(wrong(R"(,"MaxDurationSeconds":0)"),
            "MaxDurationSeconds must be 1 to 2592000 seconds.");
  EXPECT_EQ(wrong(R"(,"IdleSeconds":2592001)"), "IdleSeconds must be 1 to 2592000 seconds.");
  EXPECT_EQ(wrong(R"(,"LastHostLeftSeconds":60,"Hosts":["a b"])"), "Hosts must be legal user ids.");
  EXPECT_EQ(wrong(R"(,"Hosts":["ann"])"),
            "Hosts says who is meant by LastHostLeftSeconds, which is missing.");
  std::string many;
  for (int i = 0; i < 101; ++i) many += (i == 0 ? "\"u" : ",\"u") + std::to_string(i) + "\"";
  EXPECT_EQ(wrong(R"(,"LastHostLeftSeconds":60,"Hosts":[)" + many + "]"),
            "Hosts may name at most 100 users.");
}

TEST_F(ScheduleActionsTest, policy_is_shown_as_it_holds) {
  EXPECT_EQ(result_of(get("GetRoomPolicy", "&RoomId=room-1")), R"({"PolicyExists":false})");
  const domain::RoomPolicy policy{.app = AppId(kOwnApp),
                                  .room = RoomId("room-1"),
                                  .end_at = now.wall + 60s,
                                  .max_duration = 3'600s,
                                  .idle = 600s,
                                  .without_host = 60s,
                                  .hosts = {UserId("ann")},
                                  .warn_before = {60s},
                                  .reason = "free rooms end",
                                  .operator_id = "AKLTmanager",
                                  .updated_at = now.wall};
  registry.apply(domain::RestorePolicies{{policy}}, now);
  expect_golden("get_room_policy", get("GetRoomPolicy", "&RoomId=room-1"));
}

}  // namespace
}  // namespace atrium::openapi
