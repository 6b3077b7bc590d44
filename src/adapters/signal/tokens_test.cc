// The vendor's 001 tokens, and the rules that hold for tokens of both kinds.
#include "adapters/signal/tokens.h"

#include <gtest/gtest.h>

#include "adapters/signal/test_tokens.h"
#include "adapters/signal/token_parts.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

using namespace testing;
using domain::ClientCode;
using domain::TrackSource;

constexpr int64_t kNow = 1'700'000'100;

TokenOutcome verify(std::string_view text, std::optional<RoomId> path_room = {},
                    int64_t now_s = kNow) {
  return verify_token(text, vector_context(), path_room, at_s(now_s));
}
ClientCode code_of(const TokenOutcome& outcome) {
  return outcome ? ClientCode{} : outcome.error().code;
}

TEST(Tokens, the_first_vector_is_verified_with_all_that_it_says) {
  const auto token = verify(kT1, {}, kVectorIssued);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->kind, domain::TokenKind::Vendor001);
  EXPECT_EQ(token->app.value, kVectorApp);
  EXPECT_EQ(token->room.value, "new room");
  EXPECT_EQ(token->user.value, "new user id");
  EXPECT_EQ(token->expires_at, wall_from_unix_s(kVectorExpires));
  EXPECT_EQ(token->publish_until, wall_from_unix_s(kVectorExpires));
  EXPECT_FALSE(token->subscribe_until);
  EXPECT_TRUE(token->permissions.can_publish);
  EXPECT_TRUE(token->permissions.can_publish_data);
  EXPECT_TRUE(token->permissions.can_subscribe);
  EXPECT_TRUE(token->permissions.publish_sources.empty());
  EXPECT_EQ(token->hash, sha256(as_bytes(kT1)));
}

TEST(Tokens, the_parts_of_the_vectors_are_the_vendors) {
  const auto t1 = parse_vendor_token(kT1);
  ASSERT_TRUE(t1);
  EXPECT_EQ(t1->nonce, 12345678u);
  EXPECT_EQ(t1->issued_at, 1704164645u);
  EXPECT_EQ(t1->message.size(), 67u);
  EXPECT_EQ(hex(t1->signature), "6aa8963661fa921bdf1bc45cdd34169a211c79b63aa484b1087b05236f95c0ae");
  const auto t3 = parse_vendor_token(kT3);
  ASSERT_TRUE(t3);
  EXPECT_EQ(t3->nonce, 99999999u);
  EXPECT_TRUE(t3->room.empty());
  EXPECT_TRUE(t3->privileges.empty());
}

TEST(Tokens, the_wildcard_vector_takes_its_room_from_the_path) {
  const auto token = verify(kT2, RoomId("room-7"));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->room.value, "room-7");
  EXPECT_EQ(token->user.value, "u-1");
  EXPECT_FALSE(token->expires_at);
  EXPECT_FALSE(token->permissions.can_publish);
  EXPECT_FALSE(token->permissions.can_publish_data);
  EXPECT_TRUE(token->permissions.can_subscribe);
}

TEST(Tokens, a_wildcard_without_a_room_in_the_path_has_no_legal_room) {
  EXPECT_EQ(code_of(verify(kT2)), ClientCode::RoomIdIllegal);
}

TEST(Tokens, a_messaging_token_opens_no_room) {
  EXPECT_EQ(code_of(verify(kT3, {}, kVectorIssued)), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify(kT3, RoomId("room-1"), kVectorIssued)), ClientCode::InvalidToken);
}

TEST(Tokens, either_key_of_the_app_may_have_signed_and_no_other) {
  const domain::Apps context =
      vector_context([](domain::App& dev) { dev.secondary_key = "second"; });
  EXPECT_TRUE(verify_token(make_vendor_token({}), context, {}, at_s(kNow)));
  EXPECT_TRUE(verify_token(make_vendor_token({.key = "second"}), context, {}, at_s(kNow)));
  EXPECT_EQ(code_of(verify_token(make_vendor_token({.key = "third"}), context, {}, at_s(kNow))),
            ClientCode::InvalidToken);
}

TEST(Tokens, an_empty_key_signs_nothing) {
  const domain::Apps context = vector_context([](domain::App& dev) {
    dev.primary_key.clear();
    dev.api_keys = {{"devkey", ""}};
  });
  EXPECT_FALSE(verify_token(make_vendor_token({.key = ""}), context, {}, at_s(kNow)));
  const std::string claims =
      R"({"iss":"devkey","sub":"a","exp":4102444800,"video":{"roomJoin":true,"room":"r"}})";
  EXPECT_FALSE(verify_token(make_jwt(R"({"alg":"HS256"})", claims, ""), context, {}, at_s(kNow)));
}

TEST(Tokens, an_unknown_app_is_an_invalid_token) {
  EXPECT_EQ(code_of(verify(make_vendor_token({.app = "b7e100000000000000000001"}))),
            ClientCode::InvalidToken);
}

TEST(Tokens, a_disabled_app_is_told_only_to_holders_of_its_tokens) {
  const domain::Apps context = vector_context([](domain::App& dev) { dev.enabled = false; });
  EXPECT_EQ(code_of(verify_token(make_vendor_token({}), context, {}, at_s(kNow))),
            ClientCode::JoinRoom);
  EXPECT_EQ(code_of(verify_token(make_vendor_token({.key = "guess"}), context, {}, at_s(kNow))),
            ClientCode::InvalidToken);
}

TEST(Tokens, a_token_holds_until_the_end_of_its_last_second) {
  const std::string token = make_vendor_token({.expire_at = 1'700'000'200});
  EXPECT_TRUE(verify(token, {}, 1'700'000'200));
  EXPECT_EQ(code_of(verify(token, {}, 1'700'000'201)), ClientCode::InvalidToken);
}

TEST(Tokens, the_path_must_name_the_tokens_room) {
  EXPECT_TRUE(verify(make_vendor_token({}), RoomId("room-1")));
  EXPECT_EQ(code_of(verify(make_vendor_token({}), RoomId("room-2"))), ClientCode::InvalidToken);
}

TEST(Tokens, privileges_become_permissions) {
  const auto none = verify(make_vendor_token({.privileges = {}}));
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->permissions.can_publish || none->permissions.can_publish_data ||
               none->permissions.can_subscribe);
  const auto publish_only = verify(make_vendor_token({.privileges = {{0, 1'800'000'000}}}));
  ASSERT_TRUE(publish_only);
  EXPECT_TRUE(publish_only->permissions.can_publish && publish_only->permissions.can_publish_data);
  EXPECT_TRUE(publish_only->permissions.publish_sources.empty());
  EXPECT_EQ(publish_only->publish_until, wall_from_unix_s(1'800'000'000));
  const auto without_zero = verify(make_vendor_token({.privileges = {{1, 0}, {2, 0}, {3, 0}}}));
  ASSERT_TRUE(without_zero);
  EXPECT_FALSE(without_zero->permissions.can_publish || without_zero->permissions.can_publish_data);
}

TEST(Tokens, a_split_publish_privilege_restricts_the_sources) {
  const auto audio = verify(make_vendor_token({.privileges = {{0, 0}, {1, 0}}}));
  ASSERT_TRUE(audio);
  EXPECT_TRUE(audio->permissions.can_publish);
  EXPECT_FALSE(audio->permissions.can_publish_data);
  EXPECT_EQ(audio->permissions.publish_sources,
            (std::vector{TrackSource::Microphone, TrackSource::ScreenShareAudio}));
  const auto video =
      verify(make_vendor_token({.privileges = {{0, 0}, {1, 1'600'000'000}, {2, 0}, {3, 0}}}));
  ASSERT_TRUE(video);
  EXPECT_EQ(video->permissions.publish_sources,
            (std::vector{TrackSource::Camera, TrackSource::ScreenShare}));
  EXPECT_TRUE(video->permissions.can_publish_data);
}

TEST(Tokens, an_expired_privilege_is_no_privilege) {
  const auto token =
      verify(make_vendor_token({.privileges = {{0, 1'700'000'000}, {4, 1'700'000'100}}}));
  ASSERT_TRUE(token);
  EXPECT_FALSE(token->permissions.can_publish);
  EXPECT_FALSE(token->publish_until);
  EXPECT_TRUE(token->permissions.can_subscribe);
  EXPECT_EQ(token->subscribe_until, wall_from_unix_s(1'700'000'100));
}

TEST(Tokens, no_truncation_of_a_vendor_token_is_accepted) {
  const std::string whole = make_vendor_token({});
  ASSERT_TRUE(verify(whole));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(code_of(verify(whole.substr(0, size))), ClientCode::InvalidToken) << size;
}

TEST(Tokens, no_flipped_bit_of_a_vendor_tokens_content_is_accepted) {
  const std::string whole = make_vendor_token({});
  const Bytes content = from_base64(std::string_view(whole).substr(27)).value();
  for (size_t i = 0; i < content.size() * 8; ++i) {
    Bytes flipped = content;
    flipped[i / 8] ^= static_cast<uint8_t>(1u << (i % 8));
    EXPECT_FALSE(verify(whole.substr(0, 27) + base64(flipped))) << "bit " << i;
  }
}

TEST(Tokens, bytes_behind_the_structures_are_faults) {
  EXPECT_EQ(code_of(verify(make_vendor_token({.behind_message = "x"}))), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify(make_vendor_token({.behind_signature = "x"}))),
            ClientCode::InvalidToken);
}

TEST(Tokens, a_token_has_one_text_so_that_its_hash_names_it) {
  std::string text = make_vendor_token({.user = "u-12"});
  ASSERT_TRUE(verify(text));
  ASSERT_TRUE(text.ends_with("=")) << text;
  text.pop_back();
  EXPECT_EQ(code_of(verify(text)), ClientCode::InvalidToken);
}

TEST(Tokens, ids_outside_the_vendors_rule_are_refused_as_such) {
  EXPECT_EQ(code_of(verify(make_vendor_token({.room = "room 1"}))), ClientCode::RoomIdIllegal);
  EXPECT_EQ(code_of(verify(make_vendor_token({.user = "u/1"}))), ClientCode::RoomIdIllegal);
  EXPECT_EQ(code_of(verify(make_vendor_token({.user = ""}))), ClientCode::RoomIdIllegal);
  EXPECT_EQ(code_of(verify(make_vendor_token({.room = std::string(129, 'r')}))),
            ClientCode::RoomIdIllegal);
  EXPECT_TRUE(verify(make_vendor_token({.room = std::string(128, 'r')})));
}

TEST(Tokens, the_id_rules_are_the_vendors_and_the_wide_one) {
  EXPECT_TRUE(is_legal_id("aZ09@_.-", false));
  EXPECT_FALSE(is_legal_id("\xc3\xa4", false));
  EXPECT_FALSE(is_legal_id("", true));
  EXPECT_TRUE(is_legal_id("Besprechung \xc3\xa4 / 1", true));
  EXPECT_FALSE(is_legal_id("a\nb", true));
  EXPECT_FALSE(is_legal_id("a\xc2\x85", true));  // C1
  EXPECT_FALSE(is_legal_id("\xff", true));
  EXPECT_FALSE(is_legal_id("\xed\xa0\x80", true));  // surrogate
  EXPECT_TRUE(is_legal_id(std::string(256, 'a'), true));
  EXPECT_FALSE(is_legal_id(std::string(257, 'a'), true));
}

TEST(Tokens, what_is_no_token_is_refused_politely) {
  EXPECT_EQ(code_of(verify("")), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify("001")), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify("hello")), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify("..")), ClientCode::InvalidToken);
  EXPECT_EQ(code_of(verify(std::string(limits::kTokenBytesMax + 1, 'e'))),
            ClientCode::InvalidToken);
}

}  // namespace
}  // namespace atrium::signal
