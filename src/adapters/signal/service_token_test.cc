// A backend's JWT for the server API: whose it is, what it grants, and that nothing else opens.
#include <gtest/gtest.h>

#include "adapters/signal/test_tokens.h"
#include "adapters/signal/tokens.h"

namespace atrium::signal {
namespace {

using namespace testing;

constexpr int64_t kNow = 1'700'000'100;

std::string claims(std::string_view grants, std::string_view issuer = "devkey",
                   std::string_view times = R"("exp":1700003600)") {
  return R"({"iss":")" + std::string(issuer) + R"(",)" + std::string(times) + R"(,"video":{)" +
         std::string(grants) + "}}";
}
ServiceTokenOutcome verify(const std::string& text, const domain::Apps& apps = vector_context()) {
  return verify_service_token(text, apps, at_s(kNow));
}

TEST(ServiceToken, grants_are_those_of_the_token_and_management_is_the_keys) {
  const auto token = verify(make_jwt(claims(R"("roomAdmin":true,"room":"room-1")")));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->app.value, kDevApp);
  EXPECT_EQ(token->api_key, "devkey");
  EXPECT_TRUE(token->room_admin);
  EXPECT_FALSE(token->room_create);
  EXPECT_FALSE(token->room_list);
  EXPECT_EQ(token->room.value, "room-1");
  EXPECT_FALSE(token->is_management);
  const domain::Apps managing =
      vector_context([](domain::App& dev) { dev.api_keys[0].management = true; });
  EXPECT_TRUE(verify(make_jwt(claims(R"("roomList":true)")), managing)->is_management);
}

TEST(ServiceToken, the_app_id_is_a_key_that_never_manages) {
  const domain::Apps managing =
      vector_context([](domain::App& dev) { dev.api_keys[0].management = true; });
  const std::string text =
      make_jwt(R"({"alg":"HS256"})", claims(R"("roomCreate":true)", kDevApp), kDevAppKey);
  const auto token = verify(text, managing);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_TRUE(token->room_create);
  EXPECT_FALSE(token->is_management);
}

TEST(ServiceToken, a_token_that_does_not_hold_grants_nothing) {
  const std::string grants = R"("roomList":true)";
  EXPECT_FALSE(verify(""));
  EXPECT_FALSE(verify("not.a.token"));
  EXPECT_FALSE(verify(make_jwt(R"({"alg":"HS256"})", claims(grants), "other")));
  EXPECT_FALSE(verify(make_jwt(R"({"alg":"none"})", claims(grants), "secret")));
  EXPECT_FALSE(verify(make_jwt(claims(grants, "nobody"))));
  EXPECT_FALSE(verify(make_jwt(claims(grants, "devkey", R"("exp":1700000000)"))));
  EXPECT_FALSE(verify(make_jwt(claims(grants, "devkey", R"("nbf":1)"))));
  EXPECT_FALSE(verify(make_jwt(R"({"iss":"devkey","exp":1700003600})")));
  EXPECT_FALSE(verify(make_jwt(claims(R"("roomList":"yes")"))));
  EXPECT_FALSE(verify(kT1)) << "001 tokens are for doors";
}

TEST(ServiceToken, a_disabled_application_can_still_be_managed) {
  const domain::Apps disabled = vector_context([](domain::App& dev) { dev.enabled = false; });
  EXPECT_TRUE(verify(make_jwt(claims(R"("roomCreate":true)")), disabled));
}

}  // namespace
}  // namespace atrium::signal
