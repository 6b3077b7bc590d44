#include "adapters/signal/refusal.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace atrium::signal {
namespace {

using domain::ClientCode;

std::string header(const HttpAnswer& answer, std::string_view name) {
  const auto found = std::ranges::find(answer.headers, name,
                                       [](const auto& h) { return std::string_view(h.first); });
  return found == answer.headers.end() ? "" : found->second;
}

TEST(Refusal, each_code_has_its_status) {
  EXPECT_EQ(refuse(ClientCode::InvalidToken, "").status, 401);
  EXPECT_EQ(refuse(ClientCode::RoomIdIllegal, "").status, 400);
  for (ClientCode code : {ClientCode::JoinRoom, ClientCode::KickedOut, ClientCode::RoomDismiss,
                          ClientCode::RoomForbidden, ClientCode::UserForbidden})
    EXPECT_EQ(refuse(code, "").status, 403) << static_cast<int>(code);
}

TEST(Refusal, the_body_is_the_vendors_code_as_json_for_any_origin) {
  const HttpAnswer answer = to_answer(refuse(ClientCode::RoomDismiss, "gone \"for good\""));
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.body, R"({"code":-1011,"name":"ROOM_DISMISS","message":"gone \"for good\""})");
  EXPECT_EQ(header(answer, "Content-Type"), "application/json");
  EXPECT_EQ(header(answer, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(header(answer, "Retry-After"), "");
}

TEST(Refusal, an_empty_message_is_filled_in) {
  EXPECT_FALSE(refuse(ClientCode::UserForbidden, "").message.empty());
}

TEST(Refusal, what_may_succeed_later_says_when) {
  domain::JoinRefused full;
  full.retry_later = true;
  EXPECT_EQ(refuse(full).status, 503);
  EXPECT_EQ(header(to_answer(refuse(full)), "Retry-After"), "1");
  EXPECT_EQ(refuse_busy("draining").status, 503);
  EXPECT_EQ(refuse_too_many("slow down").status, 429);
  EXPECT_EQ(header(to_answer(refuse_too_many("slow down")), "Retry-After"), "1");
  domain::JoinRefused banned;
  banned.code = ClientCode::UserForbidden;
  EXPECT_EQ(refuse(banned).status, 403);
}

TEST(Refusal, a_token_refusal_keeps_its_words) {
  const Refusal refusal = refuse(TokenRefusal{ClientCode::InvalidToken, "The token has expired."});
  EXPECT_EQ(refusal.status, 401);
  EXPECT_EQ(refusal.message, "The token has expired.");
}

TEST(Refusal, a_bad_join_request_is_a_bad_request) {
  const HttpAnswer answer =
      to_answer(refuse_join_request({ErrorKind::Malformed, "join_request is missing"}));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body,
            R"({"code":-1001,"name":"JOIN_ROOM_FAILED","message":"join_request is missing"})");
}

TEST(Answers, validation_succeeds_in_one_word) {
  EXPECT_EQ(validate_success().status, 200);
  EXPECT_EQ(validate_success().body, "success");
  EXPECT_EQ(header(validate_success(), "Access-Control-Allow-Origin"), "*");
}

TEST(Answers, the_dual_form_is_not_found_in_other_words_than_a_missing_room) {
  EXPECT_EQ(dual_form_not_served().status, 404);
  EXPECT_EQ(dual_form_not_served().body.find("requested room does not exist"), std::string::npos);
  EXPECT_EQ(header(dual_form_not_served(), "Access-Control-Allow-Origin"), "*");
}

TEST(Answers, a_plain_get_is_told_to_upgrade) {
  EXPECT_EQ(upgrade_required().status, 426);
  EXPECT_EQ(header(upgrade_required(), "Upgrade"), "websocket");
}

TEST(Answers, a_preflight_allows_what_the_browser_asks_for) {
  const HttpAnswer answer = preflight("authorization,x-custom");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(header(answer, "Access-Control-Allow-Headers"), "authorization,x-custom");
  EXPECT_EQ(header(answer, "Access-Control-Allow-Methods"), "GET, POST, HEAD, OPTIONS");
  EXPECT_EQ(header(preflight(""), "Access-Control-Allow-Headers"), "authorization, content-type");
  EXPECT_EQ(header(preflight("a\r\nSet-Cookie: x"), "Access-Control-Allow-Headers"),
            "authorization, content-type");
  EXPECT_EQ(header(preflight(std::string(2000, 'a')), "Access-Control-Allow-Headers"),
            "authorization, content-type");
}

}  // namespace
}  // namespace atrium::signal
