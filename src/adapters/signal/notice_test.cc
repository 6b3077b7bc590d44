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

TEST(Notice, close_codes_are_three_thousand_and_the_code) {
  EXPECT_EQ(domain::close_code(domain::ClientCode::RoomDismiss), 4011);
  EXPECT_EQ(domain::close_code(domain::ClientCode::KickedOut), 4006);
  EXPECT_EQ(domain::close_code(domain::ClientCode::DuplicateLogin), 4004);
  EXPECT_EQ(domain::close_code(domain::ClientCode::TokenExpired), 4009);
}

}  // namespace
}  // namespace atrium::signal
