// ListRoomInfo and ListUserInfo: what they ask of the store, and how they show its answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/openapi/gateway_fixture.h"
#include "adapters/openapi/timestamps.h"

namespace atrium::openapi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// kNow is 2024-01-02T03:04:05.678Z.
constexpr char kWindow[] = "&StartTime=2024-01-02T09:04:05%2B08:00&EndTime=2024-01-02T02:04:05Z";
constexpr Wall kFrom = wall_from_unix_s(1'704'157'445), kUntil = wall_from_unix_s(1'704'161'045);

class HistoryActionsTest : public GatewayTest {
 protected:
  Outcome get(std::string_view action, std::string_view version, std::string_view fields,
              const char* app = kOwnApp) {
    return send(signed_request(
        "GET", url(action, version, "&AppId=" + std::string(app) + std::string(fields)), "",
        {"AKLTreader", "secret-2"}));
  }
  template <typename Asked>
  domain::HistoryQuery query(std::string_view action, std::string_view version,
                             std::string_view fields, const char* app = kOwnApp) {
    outcome = get(action, version, fields, app);
    const auto* call = std::get_if<StoreCall>(&outcome);
    const auto* asked = call == nullptr ? nullptr : std::get_if<Asked>(&call->question);
    if (asked != nullptr) return asked->query;
    ADD_FAILURE() << fields << " does not ask the store";
    return {};
  }
  domain::HistoryQuery lives(std::string_view fields) {
    return query<ListLives>("ListRoomInfo", kVersion2023, fields);
  }
  domain::HistoryQuery visitors(std::string_view fields, const char* app = kOwnApp) {
    return query<ListVisitors>("ListUserInfo", kVersion2023, fields, app);
  }
  std::string refusal(std::string_view action, std::string_view version, std::string_view fields) {
    Outcome refused = get(action, version, fields);
    const auto* response = std::get_if<Response>(&refused);
    if (response == nullptr) return "";
    return code_of(*response) + ": " + message_of(*response);
  }
  const PendingCall& call() const { return std::get<StoreCall>(outcome).call; }

  Outcome outcome;
};

TEST_F(HistoryActionsTest, both_versions_ask_for_the_window_and_the_first_page) {
  for (const auto version : {kVersion2020, kVersion2023}) {
    const auto asked = query<ListLives>("ListRoomInfo", version, kWindow);
    EXPECT_EQ(asked.app, AppId(kOwnApp));
    EXPECT_TRUE(asked.room.empty());
    EXPECT_EQ(asked.from, kFrom);
    EXPECT_EQ(asked.until, kUntil);
    EXPECT_EQ(asked.limit, 20u);
    EXPECT_EQ(asked.offset, 0u);
    const auto users =
        query<ListVisitors>("ListUserInfo", version, std::string(kWindow) + "&RoomId=r");
    EXPECT_EQ(users.room, RoomId("r"));
    EXPECT_TRUE(users.without_linux) << "the vendor's default";
    EXPECT_TRUE(users.users.empty());
  }
}

TEST_F(HistoryActionsTest, pages_are_clamped_and_counted_from_one) {
  const std::string window = kWindow;
  const auto third = lives(window + "&PageNum=3&PageSize=1000");
  EXPECT_EQ(third.limit, 100u);
  EXPECT_EQ(third.offset, 200u);
  EXPECT_EQ(lives(window + "&PageSize=0").limit, 1u);
  EXPECT_EQ(lives(window + "&PageSize=-9223372036854775808").limit, 1u);
  for (const char* wrong : {"&PageNum=0", "&PageNum=-1", "&PageNum=100001", "&PageNum=one"})
    EXPECT_THAT(refusal("ListRoomInfo", kVersion2020, window + wrong),
                HasSubstr("InvalidParameter: PageNum"))
        << wrong;
}

TEST_F(HistoryActionsTest, a_window_is_cut_to_a_day_and_to_the_last_fortnight) {
  const auto long_one = lives("&StartTime=2024-01-01T00:00:00Z&EndTime=2024-01-03T00:00:00Z");
  EXPECT_EQ(long_one.until - long_one.from, std::chrono::hours(24));
  const auto early = lives("&StartTime=2023-12-19T00:00:00Z&EndTime=2023-12-19T06:00:00Z");
  EXPECT_EQ(early.from, kNow.wall - std::chrono::days(14));
  EXPECT_EQ(early.until, *parse_rfc3339("2023-12-19T06:00:00Z"));
  const auto gone = lives("&StartTime=2023-01-01T00:00:00Z&EndTime=2024-01-02T00:00:00Z");
  EXPECT_LT(gone.until, gone.from) << "nothing is in it";
}

TEST_F(HistoryActionsTest, what_cannot_be_a_window_is_refused_by_its_name) {
  const char* kStart = "&StartTime=2024-01-02T01:04:05Z";
  EXPECT_THAT(refusal("ListRoomInfo", kVersion2020, kStart),
              HasSubstr("InvalidParameter: EndTime is missing"));
  EXPECT_THAT(
      refusal("ListRoomInfo", kVersion2020, std::string(kStart) + "&EndTime=2024-01-02T01:04:04Z"),
      HasSubstr("InvalidParameter: EndTime must not be before StartTime"));
  for (const char* wrong : {"", "1704157445", "2024-01-02T01:04:05", "2024-02-30T00:00:00Z"})
    EXPECT_THAT(refusal("ListUserInfo", kVersion2023, std::string(kStart) + "&EndTime=" + wrong),
                HasSubstr("InvalidParameter: EndTime must be"))
        << wrong;
}

TEST_F(HistoryActionsTest, a_room_is_required_of_users_in_the_older_version_alone) {
  EXPECT_THAT(refusal("ListUserInfo", kVersion2020, kWindow), HasSubstr("RoomId is missing"));
  EXPECT_THAT(refusal("ListUserInfo", kVersion2020, std::string(kWindow) + "&RoomId="),
              HasSubstr("InvalidParameter.IllegalRoomID"));
  EXPECT_TRUE(visitors(std::string(kWindow) + "&RoomId=").room.empty());
  EXPECT_THAT(refusal("ListUserInfo", kVersion2023, std::string(kWindow) + "&RoomId=a%20b"),
              HasSubstr("InvalidParameter.IllegalRoomID"));
}

TEST_F(HistoryActionsTest, users_are_named_with_commas_and_impossible_ones_dropped) {
  const std::string window = kWindow;
  EXPECT_THAT(visitors(window + "&UserId=ann,,b%20b,bob,").users,
              ElementsAre(UserId("ann"), UserId("bob")));
  EXPECT_THAT(visitors(window + "&UserId=b%20b", kWideApp).users, ElementsAre(UserId("b b")));
  EXPECT_TRUE(visitors(window + "&UserId=").users.empty());
  EXPECT_EQ(visitors(window + "&UserId=1,2,3,4,5,6,7,8,9,10").users.size(), 10u);
  EXPECT_THAT(refusal("ListUserInfo", kVersion2023, window + "&UserId=1,2,3,4,5,6,7,8,9,10,11"),
              HasSubstr("InvalidParameter.UserCountOverLimit"));
  outcome = get("ListUserInfo", kVersion2023, window + "&UserId=b%20b,%20");
  EXPECT_EQ(result_of(std::get<Response>(outcome)),
            R"({"Total":0,"PageNum":1,"PageSize":20,"UserList":[]})")
      << "nobody, not everybody";
}

TEST_F(HistoryActionsTest, servers_are_shown_when_asked_for) {
  EXPECT_FALSE(visitors(std::string(kWindow) + "&ExcludeServerUser=false").without_linux);
  EXPECT_TRUE(visitors(std::string(kWindow) + "&excludeserveruser=true").without_linux);
}

domain::LivesPage two_lives() {
  domain::LivesPage page;
  page.total = 5;
  page.lives = {{.room_sid = RoomSid("RM_a"),
                 .room = RoomId("lobby"),
                 .started_at = kFrom + 900ms,
                 .ended_at = kFrom + 61s},
                {.room_sid = RoomSid("RM_b"),
                 .room = RoomId("lobby"),
                 .started_at = kFrom + 62s,
                 .ended_at = {},
                 .users_now = 3}};
  return page;
}

TEST_F(HistoryActionsTest, lives_are_shown_with_what_follows_them) {
  lives(std::string(kWindow) + "&PageSize=2&PageNum=2");
  domain::LivesPage page = two_lives();
  expect_golden("list_room_info_2023", gateway.on_lives(call(), &page));
  page.total = 4;
  EXPECT_FALSE(
      std::get<bool>(at(body_of(gateway.on_lives(call(), &page)), {"Result", "HasMore"}).value));
  page = {.total = 1, .lives = {}};
  EXPECT_FALSE(
      std::get<bool>(at(body_of(gateway.on_lives(call(), &page)), {"Result", "HasMore"}).value))
      << "the page lies behind the last";
  EXPECT_EQ(code_of(gateway.on_lives(call(), nullptr)), "InternalError");
}

TEST_F(HistoryActionsTest, visitors_are_shown_with_their_comings_and_goings) {
  query<ListVisitors>("ListUserInfo", kVersion2020, std::string(kWindow) + "&RoomId=lobby");
  domain::VisitorsPage page;
  page.total = 2;
  page.visitors = {{.room_sid = RoomSid("RM_a"),
                    .room = RoomId("lobby"),
                    .user = UserId("ann"),
                    .with = {.kind = domain::DeviceKind::Ios,
                             .model = "iPhone15,2",
                             .sdk = "swift 2.1.0",
                             .network = "wifi"},
                    .published = true,
                    .first_joined_at = kFrom,
                    .last_left_at = kFrom + 90s,
                    .present = 50s + 999ms,
                    .visits = {{kFrom, kFrom + 20s}, {kFrom + 60s, kFrom + 90s}}},
                   {.room_sid = RoomSid("RM_a"),
                    .room = RoomId("lobby"),
                    .user = UserId("bob"),
                    .with = {.kind = domain::DeviceKind::Unknown, .network = "carrier pigeon"},
                    .hidden = true,
                    .first_joined_at = kFrom + 5s,
                    .last_left_at = {},
                    .present = 7s,
                    .visits = {{kFrom + 5s, std::nullopt}}}};
  expect_golden("list_user_info_2020", gateway.on_visitors(call(), &page));
  EXPECT_EQ(code_of(gateway.on_visitors(call(), nullptr)), "InternalError");
}

const domain::Reason kDismissed{.why = domain::LeaveReason::RoomDismissed,
                                .number = -1011,
                                .name = "ROOM_DISMISS",
                                .text = "the lesson is over",
                                .operation = OperationId(kOperation),
                                .operator_id = "AKLTmanager"};

TEST_F(HistoryActionsTest, our_own_version_says_why_a_life_ended) {
  query<ListLives>("ListRoomInfo", kVersionOwn, kWindow);
  domain::LivesPage page = two_lives();
  page.lives[0].reason = kDismissed;
  for (domain::LifeEntry& life : page.lives) life.room_sid = RoomSid("RM_abcdefghijklmnopq");
  expect_golden("list_room_info_own", gateway.on_lives(call(), &page));
  lives(kWindow);
  EXPECT_THAT(gateway.on_lives(call(), &page).body, Not(HasSubstr("ROOM_DISMISS")))
      << "the vendor's versions have no such field";
}

TEST_F(HistoryActionsTest, our_own_version_says_why_each_visit_ended) {
  query<ListVisitors>("ListUserInfo", kVersionOwn, kWindow);
  domain::VisitorsPage page;
  page.total = 2;
  page.visitors = {{.room_sid = RoomSid("RM_abcdefghijklmnopq"),
                    .room = RoomId("lobby"),
                    .user = UserId("ann"),
                    .with = {.kind = domain::DeviceKind::Ios,
                             .model = "iPhone15,2",
                             .sdk = "swift 2.1.0",
                             .network = "wifi"},
                    .published = true,
                    .first_joined_at = kFrom,
                    .last_left_at = kFrom + 90s,
                    .present = 50s + 999ms,
                    .visits = {{kFrom, kFrom + 20s, {.why = domain::LeaveReason::UserLeave}},
                               {kFrom + 60s, kFrom + 90s, kDismissed}}},
                   {.room_sid = RoomSid("RM_abcdefghijklmnopq"),
                    .room = RoomId("lobby"),
                    .user = UserId("bob"),
                    .with = {},
                    .hidden = true,
                    .first_joined_at = kFrom + 5s,
                    .last_left_at = {},
                    .present = 7s,
                    .visits = {{kFrom + 5s, std::nullopt}}}};
  expect_golden("list_user_info_own", gateway.on_visitors(call(), &page));
  outcome = get("ListUserInfo", kVersionOwn, std::string(kWindow) + "&UserId=b%20b");
  EXPECT_EQ(result_of(std::get<Response>(outcome)),
            R"({"Total":0,"PageNum":1,"PageSize":20,"Users":[]})")
      << "nobody, in this version's words";
}

TEST_F(HistoryActionsTest, each_of_the_two_has_ten_calls_a_second_for_both_versions) {
  for (int i = 0; i < 5; ++i) {
    lives(kWindow);
    query<ListLives>("ListRoomInfo", kVersion2020, kWindow);
  }
  EXPECT_THAT(refusal("ListRoomInfo", kVersion2020, kWindow), HasSubstr("FlowLimitExceeded"));
  visitors(kWindow);
}

TEST(Rfc3339, is_read_with_any_offset_and_fraction) {
  const Wall base = wall_from_unix_s(1'704'164'645);
  EXPECT_EQ(parse_rfc3339("2024-01-02T03:04:05Z"), base);
  EXPECT_EQ(parse_rfc3339("2024-01-02t03:04:05z"), base);
  EXPECT_EQ(parse_rfc3339("2024-01-02T11:04:05+08:00"), base);
  EXPECT_EQ(parse_rfc3339("2024-01-02T11:04:05 08:00"), base) << "a plus of a query";
  EXPECT_EQ(parse_rfc3339("2024-01-01T21:34:05-05:30"), base);
  EXPECT_EQ(parse_rfc3339("2024-01-02T03:04:05.25Z"), base + 250ms);
  EXPECT_EQ(parse_rfc3339("2024-01-02T03:04:05.123456789Z"),
            base + std::chrono::microseconds(123'456));
  EXPECT_EQ(parse_rfc3339("2024-01-02T03:04:60Z"), base + 54s) << "a leap second";
}

TEST(Rfc3339, anything_else_is_refused) {
  const std::string whole = "2024-01-02T03:04:05.678+08:00";
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(parse_rfc3339(whole.substr(0, length))) << length;
  for (const char* wrong :
       {"2024-01-02 03:04:05Z", "2024-13-02T03:04:05Z", "2023-02-29T03:04:05Z",
        "2024-01-02T24:04:05Z", "2024-01-02T03:60:05Z", "2024-01-02T03:04:61Z",
        "2024-01-02T03:04:05.Z", "2024-01-02T03:04:05+0800", "2024-01-02T03:04:05+24:00",
        "2024-01-02T03:04:05ZZ", "+024-01-02T03:04:05Z"})
    EXPECT_FALSE(parse_rfc3339(wrong)) << wrong;
}

TEST(Rfc3339, is_written_to_the_second) {
  EXPECT_EQ(rfc3339_s(wall_from_unix_ms(1'704'164'645'999)), "2024-01-02T03:04:05Z");
}

}  // namespace
}  // namespace atrium::openapi
