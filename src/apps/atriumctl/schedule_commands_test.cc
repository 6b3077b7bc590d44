// Requests that room schedule, extend, cancel and policy make, and how they show what comes back.
#include "apps/atriumctl/schedule_commands.h"

#include "apps/atriumctl/canned_server.h"

namespace atrium::atriumctl {
namespace {

class ScheduleCommandsTest : public CannedServer {};

TEST_F(ScheduleCommandsTest, a_countdown_begins_and_says_how_to_take_it_back) {
  results = {R"({"ScheduleId":"SD_1","RoomId":"lobby","DueAt":"2024-01-02T03:14:05.000Z"})"};
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::Add,
                                             .room = "lobby",
                                             .after_s = 600,
                                             .refuse_joins = true,
                                             .warn_before_s = {60, 10},
                                             .reason = "over",
                                             .idempotency_key = "k"}),
            ExitCode::Ok)
      << err.str();
  EXPECT_EQ(asked.at(0),
            post("ScheduleDismissal", R"("RoomId":"lobby","AfterSeconds":600,"Reason":"over",)"
                                      R"("RefuseJoins":true,"WarnBeforeSeconds":[60,10])"));
  EXPECT_EQ(keys.at(0), "k");
  EXPECT_EQ(out.str(),
            "Room lobby will be dismissed at 2024-01-02T03:14:05.000Z: SD_1\n"
            "Take it back with: atriumctl room cancel SD_1\n");
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::Add, .room = "lobby"}),
            ExitCode::Usage);
  EXPECT_TRUE(asked.empty());
}

TEST_F(ScheduleCommandsTest, too_late_has_its_own_exit_code) {
  const ScheduleCommand cancel{.verb = ScheduleVerb::Cancel, .schedule = "SD_1"};
  results = {R"({"State":"cancelled"})", R"({"State":"too_late"})", R"({"State":"too_late"})"};
  EXPECT_EQ(go(run_schedule, cancel), ExitCode::Ok);
  EXPECT_EQ(asked.at(0), post("CancelDismissal", R"("ScheduleId":"SD_1")"));
  EXPECT_EQ(go(run_schedule, cancel), ExitCode::TooLate);
  EXPECT_EQ(out.str(), "");
  EXPECT_TRUE(warns("too late"));
  settings.output = Output::Json;
  EXPECT_EQ(go(run_schedule,
               ScheduleCommand{.verb = ScheduleVerb::Extend, .schedule = "SD_1", .by_s = -30}),
            ExitCode::TooLate);
  EXPECT_EQ(asked.at(0), post("ExtendDismissal", R"("ScheduleId":"SD_1","BySeconds":-30)"));
  EXPECT_EQ(out.str(), "{\"State\":\"too_late\"}\n");
}

TEST_F(ScheduleCommandsTest, countdowns_are_listed_from_all_pages) {
  results = {
      R"({"Schedules":[{"ScheduleId":"SD_1","RoomId":"a","WarnBeforeSeconds":[60,10]}],"NextCursor":"U0RfMQ"})",
      R"({"Schedules":[{"ScheduleId":"SD_2","RoomId":"b","RefuseJoins":true}]})"};
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::List}), ExitCode::Ok)
      << err.str();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1], get("ListSchedules", "&Limit=500&Cursor=U0RfMQ"));
  EXPECT_TRUE(says("SD_1") && says("60, 10") && says("SD_2") && says("refused")) << out.str();
}

TEST_F(ScheduleCommandsTest, a_policy_is_set_shown_and_cleared) {
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::SetPolicy,
                                             .room = "lobby",
                                             .warn_before_s = {60},
                                             .idle_s = 600,
                                             .last_host_left_s = 60,
                                             .hosts = {"ann", "bob"}}),
            ExitCode::Ok);
  EXPECT_EQ(asked.at(0),
            post("SetRoomPolicy", R"("RoomId":"lobby","IdleSeconds":600,"LastHostLeftSeconds":60,)"
                                  R"("Hosts":["ann","bob"],"WarnBeforeSeconds":[60])"));
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::SetPolicy, .room = "lobby"}),
            ExitCode::Usage)
      << "it would clear the policy";
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(go(run_schedule, ScheduleCommand{.verb = ScheduleVerb::ClearPolicy, .room = "lobby"}),
            ExitCode::Ok);
  EXPECT_EQ(asked.at(0), post("SetRoomPolicy", R"("RoomId":"lobby")"));
  const ScheduleCommand get_it{.verb = ScheduleVerb::GetPolicy, .room = "lobby"};
  results = {R"({"PolicyExists":false})",
             R"({"PolicyExists":true,"Policy":{"RoomId":"lobby","Hosts":["ann","bob"]}})"};
  EXPECT_EQ(go(run_schedule, get_it), ExitCode::Refused);
  EXPECT_EQ(go(run_schedule, get_it), ExitCode::Ok);
  EXPECT_EQ(out.str(), "RoomId  lobby\nHosts   ann, bob\n");
}

}  // namespace
}  // namespace atrium::atriumctl
