#include "adapters/signal/notice.h"

#include <gtest/gtest.h>

#include "domain/notices.h"
#include "wire/data_packet.h"

namespace atrium::signal {
namespace {

domain::Notice dismissal() {
  domain::Notice notice;
  notice.name = "ROOM_DISMISS";
  notice.message = "The room was dismissed.";
  notice.operation = OperationId("OP_0123456789abcdefg");
  return notice;
}

TEST(Notice, a_dismissal_names_code_and_operation) {
  EXPECT_EQ(notice_json(dismissal()),
            R"({"code":-1011,"name":"ROOM_DISMISS","message":"The room was dismissed.",)"
            R"("operationId":"OP_0123456789abcdefg"})");
}

TEST(Notice, a_ban_tells_until_when) {
  domain::Notice notice;
  notice.code = domain::ClientCode::KickedOut;
  notice.name = "KICKED_OUT";
  notice.message = "out";
  notice.forbidden_until = wall_from_unix_ms(1'700'000'000'123);
  EXPECT_EQ(notice_json(notice),
            R"({"code":-1006,"name":"KICKED_OUT","message":"out","forbiddenTime":1700000000123})");
}

TEST(Notice, missing_words_are_the_codes_own) {
  domain::Notice notice;
  notice.code = domain::ClientCode::DuplicateLogin;
  EXPECT_NE(notice_json(notice).find(R"("name":"DUPLICATE_LOGIN")"), std::string::npos);
}

TEST(Notice, the_packet_is_a_user_packet_from_nobody_to_its_receiver) {
  const Bytes packet = notice_packet(dismissal());
  const auto view = wire::parse_data_packet(packet);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->kind, wire::DataKind::Reliable);
  EXPECT_EQ(view->topic, "atrium.error");
  EXPECT_EQ(as_text(view->payload), notice_json(dismissal()));
  EXPECT_FALSE(view->has_destinations);
}

// The topic and the JSON of a packet of the server's.
std::string told(const domain::Countdown& countdown) {
  const Bytes packet = countdown_packet(countdown);
  const auto view = wire::parse_data_packet(packet);
  return view ? std::string(view->topic) + " " + std::string(as_text(view->payload)) : "";
}

TEST(Countdown, a_schedule_is_told_with_its_id_and_what_is_left) {
  domain::Countdown countdown{.cause = domain::EndCause::Schedule,
                              .schedule = ScheduleId("SD_0123456789abcdefg"),
                              .due_at = wall_from_unix_ms(1'700'000'000'123),
                              .remaining = std::chrono::microseconds(59'999'900),
                              .reason = "the \"lesson\" is over",
                              .refuses_joins = true};
  EXPECT_EQ(told(countdown),
            R"(atrium.dismissal_scheduled {"scheduleId":"SD_0123456789abcdefg",)"
            R"("dueAt":1700000000123,"remainingMs":59999,"reason":"the \"lesson\" is over",)"
            R"("refusesJoins":true})");
  countdown.is_called_off = true;
  EXPECT_TRUE(told(countdown).starts_with("atrium.dismissal_cancelled {"));
}

TEST(Countdown, an_end_by_policy_is_told_with_its_cause) {
  domain::Countdown countdown{.cause = domain::EndCause::WithoutHost,
                              .due_at = wall_from_unix_ms(1'700'000'000'123),
                              .remaining = std::chrono::seconds(60),
                              .reason = "gone"};
  EXPECT_EQ(told(countdown), R"(atrium.room_ends {"cause":"without_host","dueAt":1700000000123,)"
                             R"("remainingMs":60000,"reason":"gone"})");
  countdown.is_called_off = true;
  EXPECT_TRUE(told(countdown).starts_with("atrium.room_ends_cancelled {"));
}

TEST(Notice, close_codes_are_three_thousand_and_the_code) {
  EXPECT_EQ(domain::close_code(domain::ClientCode::RoomDismiss), 4011);
  EXPECT_EQ(domain::close_code(domain::ClientCode::KickedOut), 4006);
  EXPECT_EQ(domain::close_code(domain::ClientCode::DuplicateLogin), 4004);
  EXPECT_EQ(domain::close_code(domain::ClientCode::TokenExpired), 4009);
}

}  // namespace
}  // namespace atrium::signal
