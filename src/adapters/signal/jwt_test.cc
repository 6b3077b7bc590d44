// LiveKit's JWT, verified and refreshed.
#include <gtest/gtest.h>

#include "adapters/signal/test_tokens.h"
#include "adapters/signal/tokens.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using namespace testing;
using domain::ClientCode;
using domain::TrackSource;

constexpr int64_t kNow = 1'700'000'100;
constexpr const char* kHs256 = R"({"alg":"HS256","typ":"JWT"})";

TokenOutcome verify(std::string_view text, int64_t now_s = kNow) {
  return verify_token(text, vector_context(), {}, at_s(now_s));
}
// Claims that are good but for what the test changes.
std::string claims(std::string_view grants = R"("roomJoin":true,"room":"room-1")",
                   std::string_view more = "", std::string_view times = R"("exp":1700003600)") {
  return R"({"iss":"devkey","sub":"alice",)" + std::string(times) + R"(,"video":{)" +
         std::string(grants) + "}" + std::string(more) + "}";
}
const char* refusal_of(const std::string& claims_text) {
  const auto outcome = verify(make_jwt(claims_text));
  return outcome ? "" : outcome.error().message;
}

TEST(Jwt, a_token_of_the_server_sdk_is_verified_with_all_that_it_says) {
  const auto token = verify(kServerSdkJwt, kServerSdkJwtNow);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->kind, domain::TokenKind::Jwt);
  EXPECT_EQ(token->app.value, kDevApp);
  EXPECT_EQ(token->room.value, "room-1");
  EXPECT_EQ(token->user.value, "alice");
  EXPECT_EQ(token->name, "Alice");
  EXPECT_EQ(token->metadata, R"({"m":1})");
  EXPECT_EQ(token->attributes, (std::map<std::string, std::string>{{"a", "b"}}));
  EXPECT_TRUE(token->permissions.can_publish);
  EXPECT_FALSE(token->permissions.can_publish_data);
  EXPECT_TRUE(token->permissions.can_update_metadata);
  EXPECT_FALSE(token->permissions.hidden);
  EXPECT_EQ(token->permissions.publish_sources,
            (std::vector{TrackSource::Camera, TrackSource::Microphone}));
  EXPECT_EQ(token->expires_at, wall_from_unix_s(4102444800));
  EXPECT_EQ(token->api_key, "devkey");
  EXPECT_EQ(token->hash, sha256(as_bytes(kServerSdkJwt)));
}

TEST(Jwt, the_app_id_is_an_api_key_with_either_app_key_as_secret) {
  const domain::Apps context =
      vector_context([](domain::App& dev) { dev.secondary_key = "second"; });
  const std::string text = R"({"iss":"a7e100000000000000000001","sub":"a","exp":1700003600,)"
                           R"("video":{"roomJoin":true,"room":"r"}})";
  EXPECT_TRUE(verify_token(make_jwt(kHs256, text, kDevAppKey), context, {}, at_s(kNow)));
  EXPECT_TRUE(verify_token(make_jwt(kHs256, text, "second"), context, {}, at_s(kNow)));
  EXPECT_FALSE(verify_token(make_jwt(kHs256, text, "secret"), context, {}, at_s(kNow)));
}

TEST(Jwt, every_algorithm_but_hs256_is_refused_before_a_key_is_chosen) {
  // The issuer is unknown: the answer about the algorithm shows that no key was looked for.
  const std::string text =
      R"({"iss":"nobody","sub":"a","exp":1700003600,"video":{"roomJoin":true,"room":"r"}})";
  for (const char* alg : {"none", "None", "HS384", "HS512", "RS256", "ES256", "hs256", ""}) {
    const std::string header = R"({"alg":")" + std::string(alg) + R"("})";
    const auto outcome = verify(make_jwt(header, text, "secret"));
    ASSERT_FALSE(outcome) << alg;
    EXPECT_STREQ(outcome.error().message, "Tokens are signed with HS256.") << alg;
  }
  EXPECT_STREQ(verify(make_jwt("{}", text, "secret")).error().message,
               "Tokens are signed with HS256.");
  EXPECT_STREQ(verify(make_jwt(R"({"alg":256})", text, "secret")).error().message,
               "Tokens are signed with HS256.");
}

TEST(Jwt, an_unsigned_token_is_refused) {
  std::string text = make_jwt(R"({"alg":"none"})", claims(), "secret");
  EXPECT_FALSE(verify(text.substr(0, text.rfind('.') + 1)));
  text = make_jwt(claims());
  EXPECT_FALSE(verify(text.substr(0, text.rfind('.') + 1)));
}

TEST(Jwt, a_critical_extension_is_refused) {
  EXPECT_FALSE(
      verify(make_jwt(R"({"alg":"HS256","crit":["b64"],"b64":false})", claims(), "secret")));
}

TEST(Jwt, a_wrong_secret_or_unknown_issuer_is_refused) {
  EXPECT_FALSE(verify(make_jwt(kHs256, claims(), "Secret")));
  EXPECT_FALSE(verify(make_jwt(
      R"({"iss":"other","sub":"a","exp":1700003600,"video":{"roomJoin":true,"room":"r"}})")));
  EXPECT_FALSE(
      verify(make_jwt(R"({"sub":"a","exp":1700003600,"video":{"roomJoin":true,"room":"r"}})")));
}

TEST(Jwt, no_truncation_and_no_flipped_character_is_accepted) {
  const std::string whole = make_jwt(claims());
  ASSERT_TRUE(verify(whole));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(verify(whole.substr(0, size))) << size;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(verify(changed)) << i;
  }
  EXPECT_FALSE(verify(whole + "="));
  EXPECT_FALSE(verify(whole + ".x"));
}

TEST(Jwt, an_expiry_is_required_and_has_a_minute_of_leeway) {
  EXPECT_STREQ(refusal_of(claims(R"("roomJoin":true,"room":"r")", "", R"("nbf":1)")),
               "The token has no proper expiry.");
  EXPECT_STREQ(refusal_of(claims(R"("roomJoin":true,"room":"r")", "", R"("exp":"soon")")),
               "The token has no proper expiry.");
  const std::string token = make_jwt(claims());
  EXPECT_TRUE(verify(token, 1'700'003'659));
  EXPECT_FALSE(verify(token, 1'700'003'660));
}

TEST(Jwt, a_token_of_tomorrow_waits_but_for_a_minute) {
  const std::string token =
      make_jwt(claims(R"("roomJoin":true,"room":"r")", "", R"("exp":1700003600,"nbf":1700000160)"));
  EXPECT_TRUE(verify(token, 1'700'000'100));
  EXPECT_FALSE(verify(token, 1'700'000'099));
}

TEST(Jwt, times_of_any_size_and_form_are_survived) {
  for (const char* times :
       {R"("exp":1e300)", R"("exp":18446744073709551615)", R"("exp":9223372036854775807.5)"}) {
    const auto token = verify(make_jwt(claims(R"("roomJoin":true,"room":"r")", "", times)));
    ASSERT_TRUE(token) << times;
    EXPECT_EQ(token->expires_at, wall_from_unix_s(253'402'300'799));
  }
  EXPECT_FALSE(verify(make_jwt(claims(R"("roomJoin":true,"room":"r")", "", R"("exp":-1)"))));
  EXPECT_FALSE(verify(make_jwt(claims(R"("roomJoin":true,"room":"r")", "", R"("exp":-1e300)"))));
}

TEST(Jwt, room_join_must_be_granted) {
  EXPECT_STREQ(refusal_of(claims(R"("room":"r")")), "The token does not grant roomJoin.");
  EXPECT_STREQ(refusal_of(claims(R"("roomJoin":false,"room":"r")")),
               "The token does not grant roomJoin.");
  EXPECT_STREQ(refusal_of(claims(R"("roomJoin":"true","room":"r")")),
               "The token does not grant roomJoin.");
  EXPECT_STREQ(refusal_of(R"({"iss":"devkey","sub":"a","exp":1700003600})"),
               "The token grants nothing about rooms.");
}

TEST(Jwt, room_and_identity_must_be_legal) {
  const auto no_room = verify(make_jwt(claims(R"("roomJoin":true)")));
  ASSERT_FALSE(no_room);
  EXPECT_EQ(no_room.error().code, ClientCode::RoomIdIllegal);
  const auto star = verify(make_jwt(claims(R"("roomJoin":true,"room":"*")")));
  ASSERT_FALSE(star);
  EXPECT_EQ(star.error().code, ClientCode::RoomIdIllegal);
}

TEST(Jwt, the_path_must_name_the_tokens_room) {
  EXPECT_TRUE(verify_token(make_jwt(claims()), vector_context(), RoomId("room-1"), at_s(kNow)));
  const auto other =
      verify_token(make_jwt(claims()), vector_context(), RoomId("room-2"), at_s(kNow));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ClientCode::InvalidToken);
}

TEST(Jwt, jti_stands_in_for_a_missing_sub) {
  const auto token = verify(make_jwt(
      R"({"iss":"devkey","jti":"bob","exp":1700003600,"video":{"roomJoin":true,"room":"r"}})"));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->user.value, "bob");
}

TEST(Jwt, absent_grants_have_the_references_defaults) {
  const auto token = verify(make_jwt(claims()));
  ASSERT_TRUE(token);
  EXPECT_EQ(token->permissions, domain::Permissions{});
  const auto listener =
      verify(make_jwt(claims(R"("roomJoin":true,"room":"r","canPublish":false)")));
  ASSERT_TRUE(listener);
  EXPECT_FALSE(listener->permissions.can_publish);
  EXPECT_FALSE(listener->permissions.can_publish_data);  // follows canPublish
  EXPECT_TRUE(listener->permissions.can_subscribe);
}

TEST(Jwt, sources_that_nobody_knows_allow_nothing_rather_than_everything) {
  const auto token =
      verify(make_jwt(claims(R"("roomJoin":true,"room":"r","canPublishSources":["hologram"])")));
  ASSERT_TRUE(token);
  EXPECT_FALSE(token->permissions.can_publish);
}

TEST(Jwt, claims_of_the_wrong_type_or_length_are_refused) {
  const std::string grants = R"("roomJoin":true,"room":"r")";
  EXPECT_STRNE(refusal_of(claims(R"("roomJoin":true,"room":5)")), "");
  EXPECT_STRNE(refusal_of(claims(grants + R"(,"canPublish":"no")")), "");
  EXPECT_STRNE(refusal_of(claims(grants + R"(,"canPublishSources":"camera")")), "");
  EXPECT_STRNE(refusal_of(claims(grants, R"(,"name":1)")), "");
  EXPECT_STRNE(refusal_of(claims(grants, R"(,"attributes":{"a":1})")), "");
  EXPECT_STRNE(refusal_of(claims(grants, R"(,"attributes":[])")), "");
  EXPECT_STRNE(refusal_of(claims(grants, R"(,"name":")" + std::string(257, 'n') + R"(")")), "");
  EXPECT_STREQ(refusal_of(claims(grants, R"(,"name":")" + std::string(256, 'n') + R"(")")), "");
  EXPECT_STREQ(refusal_of(claims(grants, R"(,"roomConfig":{"a":[1]},"kind":"agent")")),
               "");  // not ours: ignored
}

TEST(Jwt, text_that_is_not_unicode_is_refused) {
  EXPECT_STRNE(refusal_of(claims(R"("roomJoin":true,"room":"r")", ",\"name\":\"\xff\"")), "");
  EXPECT_STRNE(refusal_of(claims(R"("roomJoin":true,"room":"r")", R"(,"name":"\ud800")")), "");
}

TEST(Jwt, deep_json_is_refused) {
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_STREQ(refusal_of(claims(R"("roomJoin":true,"room":"r")", R"(,"x":)" + deep)),
               "The token is malformed.");
}

// --- refresh -------------------------------------------------------------------------------------

TEST(Refresh, a_refreshed_token_says_the_same_and_lasts_ten_minutes_or_the_rest) {
  const auto token = verify(make_jwt(
      claims(R"("roomJoin":true,"room":"room-1","hidden":true,"canUpdateOwnMetadata":true)",
             R"(,"name":"Al \"ice\"","metadata":"m","attributes":{"k":"v"})")));
  ASSERT_TRUE(token);
  const auto text = mint_refresh(*token, token->permissions, vector_context(), at_s(kNow));
  EXPECT_EQ(token_line(text.value_or("")), token->hash) << "a backend may name any of the line";
  ASSERT_TRUE(text);
  const auto again = verify(*text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->user, token->user);
  EXPECT_EQ(again->room, token->room);
  EXPECT_EQ(again->name, token->name);
  EXPECT_EQ(again->metadata, token->metadata);
  EXPECT_EQ(again->attributes, token->attributes);
  EXPECT_EQ(again->permissions, token->permissions);
  EXPECT_EQ(again->expires_at, token->expires_at);  // an hour is left
  const auto late = mint_refresh(*token, token->permissions, vector_context(), at_s(1'700'003'500));
  ASSERT_TRUE(late);
  EXPECT_EQ(verify(*late, 1'700'003'500)->expires_at, wall_from_unix_s(1'700'004'100));
}

TEST(Refresh, grants_never_grow) {
  const auto token = verify(make_jwt(claims(
      R"("roomJoin":true,"room":"r","canSubscribe":false,"canPublishSources":["camera","microphone"])")));
  ASSERT_TRUE(token);
  domain::Permissions current;  // everything
  current.can_update_metadata = true;
  auto again = verify(mint_refresh(*token, current, vector_context(), at_s(kNow)).value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->permissions, token->permissions);
  current.can_publish_data = false;
  current.publish_sources = {TrackSource::Microphone, TrackSource::ScreenShare};
  again = verify(mint_refresh(*token, current, vector_context(), at_s(kNow)).value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->permissions.publish_sources, std::vector{TrackSource::Microphone});
  EXPECT_FALSE(again->permissions.can_publish_data);
  current.publish_sources = {TrackSource::ScreenShare};
  again = verify(mint_refresh(*token, current, vector_context(), at_s(kNow)).value());
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->permissions.can_publish);
}

TEST(Refresh, a_descendant_carries_the_hash_of_the_first_token) {
  const std::string first = make_jwt(claims());
  const auto token = verify(first);
  ASSERT_TRUE(token);
  const auto child =
      verify(mint_refresh(*token, token->permissions, vector_context(), at_s(kNow)).value());
  ASSERT_TRUE(child);
  const auto grandchild =
      verify(mint_refresh(*child, child->permissions, vector_context(), at_s(kNow)).value());
  ASSERT_TRUE(grandchild);
  EXPECT_EQ(grandchild->hash, sha256(as_bytes(first)));
}

TEST(Refresh, there_is_none_for_vendor_tokens_gone_keys_and_disabled_apps) {
  const auto vendor = verify(make_vendor_token({}));
  ASSERT_TRUE(vendor);
  EXPECT_FALSE(mint_refresh(*vendor, vendor->permissions, vector_context(), at_s(kNow)));
  const auto token = verify(make_jwt(claims()));
  ASSERT_TRUE(token);
  const domain::Apps context = vector_context([](domain::App& dev) { dev.api_keys.clear(); });
  EXPECT_FALSE(mint_refresh(*token, token->permissions, context, at_s(kNow)));
  const domain::Apps disabled = vector_context([](domain::App& dev) { dev.enabled = false; });
  EXPECT_FALSE(mint_refresh(*token, token->permissions, disabled, at_s(kNow)));
}

}  // namespace
}  // namespace atrium::signal
