#include "adapters/signal/text.h"

#include <gtest/gtest.h>

namespace atrium::signal {
namespace {

TEST(Text, utf8_is_what_rfc_3629_says) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));          // overlong
  EXPECT_FALSE(is_utf8("\xe0\x9f\xbf"));      // overlong
  EXPECT_FALSE(is_utf8("\xf0\x8f\xbf\xbf"));  // overlong
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // above U+10FFFF
  EXPECT_FALSE(is_utf8("\xf5\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("a\xe2\x82"));  // truncated
}

TEST(Text, percent_decoding_keeps_plus_and_refuses_halves) {
  EXPECT_EQ(percent_decode("a%2Fb%20c+d"), "a/b c+d");
  EXPECT_EQ(percent_decode("%e4%BD%a0"), "\xe4\xbd\xa0");
  EXPECT_FALSE(percent_decode("%"));
  EXPECT_FALSE(percent_decode("%2"));
  EXPECT_FALSE(percent_decode("%2g"));
}

TEST(Text, a_query_gives_the_first_value_of_a_name) {
  EXPECT_EQ(query_value("a=1&b=2&a=3", "a"), "1");
  EXPECT_EQ(query_value("a=1&b=2", "b"), "2");
  EXPECT_EQ(query_value("aa=1&a=x%3Dy", "a"), "x=y");
  EXPECT_EQ(query_value("a=x==&b", "a"), "x==");
  EXPECT_EQ(query_value("b", "b"), "");
  EXPECT_FALSE(query_value("", "a"));
  EXPECT_FALSE(query_value("b=2&&", "a"));
  EXPECT_FALSE(query_value("a=%zz", "a"));
}

TEST(Text, names_are_compared_without_case) {
  EXPECT_TRUE(equals_ignoring_case("Bearer ", "bEARER "));
  EXPECT_FALSE(equals_ignoring_case("Bearer", "Bearer "));
}

}  // namespace
}  // namespace atrium::signal
