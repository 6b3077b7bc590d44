#include <gtest/gtest.h>

#include "base/crypto.h"
#include "base/seeded_secret_source.h"

namespace atrium {
namespace {

SealingKey key_of(uint64_t seed) {
  SealingKey key;
  SeededSecretSource(seed).fill(key);
  return key;
}

Bytes sealed(std::string_view plain, std::string_view context = "app") {
  SealingNonce nonce;
  SeededSecretSource(7).fill(nonce);
  return seal(key_of(1), nonce, context, as_bytes(plain));
}

TEST(SealTest, opens_with_the_same_key_and_context) {
  for (const std::string& plain : {std::string(), std::string("k"), std::string(1000, 'x')}) {
    const auto opened = unseal(key_of(1), "app", sealed(plain));
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(as_text(*opened), plain);
  }
}

TEST(SealTest, another_key_or_context_does_not_open_it) {
  EXPECT_FALSE(unseal(key_of(2), "app", sealed("secret")));
  EXPECT_FALSE(unseal(key_of(1), "other app", sealed("secret")));
}

TEST(SealTest, each_altered_or_missing_byte_is_noticed) {
  const Bytes good = sealed("secret");
  for (size_t i = 0; i < good.size(); ++i) {
    Bytes altered = good;
    altered[i] ^= 1;
    EXPECT_FALSE(unseal(key_of(1), "app", altered)) << i;
    EXPECT_FALSE(unseal(key_of(1), "app", ByteView(good).first(i))) << i;
  }
}

TEST(SealTest, plain_text_is_not_to_be_seen) {
  EXPECT_EQ(as_text(sealed("a very secret key")).find("secret"), std::string_view::npos);
}

// Case 14 of the test vectors in McGrew and Viega's GCM specification, with an empty context.
TEST(SealTest, matches_the_published_vector) {
  const Bytes out = seal(SealingKey{}, SealingNonce{}, "", Bytes(16, 0));
  EXPECT_EQ(hex(ByteView(out).subspan(12)),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

}  // namespace
}  // namespace atrium
