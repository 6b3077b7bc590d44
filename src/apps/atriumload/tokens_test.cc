// What the generator signs must be what the server's own verifier takes.
#include "apps/atriumload/tokens.h"

#include <gtest/gtest.h>

#include "adapters/signal/test_tokens.h"

namespace atrium::load {
namespace {

const Now kNow = signal::testing::at_s(1'800'000'000);

TEST(Tokens, the_server_takes_a_jwt_of_a_publisher) {
  const auto verified =
      signal::verify_token(make_jwt("devkey", "secret", {.room = "load-0", .user = "u7"}, kNow.wall,
                                    std::chrono::hours(1)),
                           signal::testing::vector_context(), std::nullopt, kNow);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_EQ(verified->room.value, "load-0");
  EXPECT_EQ(verified->user.value, "u7");
  EXPECT_TRUE(verified->permissions.can_publish);
  EXPECT_FALSE(verified->permissions.hidden);
}

TEST(Tokens, who_is_hidden_is_invisible_to_the_others) {
  const auto verified = signal::verify_token(
      make_jwt("devkey", "secret", {.room = "load-0", .user = "u7", .hidden = true}, kNow.wall,
               std::chrono::hours(1)),
      signal::testing::vector_context(), std::nullopt, kNow);
  ASSERT_TRUE(verified) << verified.error().message;
  EXPECT_TRUE(verified->permissions.hidden);
}

TEST(Tokens, the_server_takes_a_001_of_a_publisher_and_of_a_listener) {
  for (const bool can_publish : {true, false}) {
    const auto verified = signal::verify_token(
        make_vendor_token(signal::testing::kDevApp, signal::testing::kDevAppKey,
                          {.room = "load-0", .user = "u7", .can_publish = can_publish}, kNow.wall,
                          std::chrono::hours(1), 5),
        signal::testing::vector_context(), std::nullopt, kNow);
    ASSERT_TRUE(verified) << verified.error().message;
    EXPECT_EQ(verified->permissions.can_publish, can_publish);
    EXPECT_TRUE(verified->permissions.can_subscribe);
  }
}

TEST(Tokens, a_wrong_key_is_refused) {
  EXPECT_FALSE(signal::verify_token(
      make_jwt("devkey", "other", {.room = "r", .user = "u"}, kNow.wall, std::chrono::hours(1)),
      signal::testing::vector_context(), std::nullopt, kNow));
}

}  // namespace
}  // namespace atrium::load
