// The texts of Json values are what Boost.JSON writes: answers looked so before they were written here.
#include "adapters/openapi/json.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdint>
#include <limits>

namespace atrium::openapi {
namespace {

namespace bj = boost::json;

std::string by_boost(std::string_view text) {
  return bj::serialize(bj::value(bj::string_view(text)));
}

TEST(JsonText, escapes_every_byte_as_boost_does) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    EXPECT_EQ(to_text(Json(one)), by_boost(one)) << byte;
    EXPECT_EQ(to_text(Json("a" + one + one + "z")), by_boost("a" + one + one + "z")) << byte;
  }
}

TEST(JsonText, leaves_text_as_it_is_whether_or_not_it_is_utf8) {
  for (const std::string& text :
       {std::string(), std::string("\xe4\xb8\xad\xf0\x9f\x98\x80"),
        std::string("\xff\xc0\x80\xed\xa0\x80"), std::string("</script>\x7f"),
        std::string("\0\0", 2), std::string(100'000, '"')})
    EXPECT_EQ(to_text(Json(text)), by_boost(text));
}

TEST(JsonText, writes_numbers_as_boost_does) {
  constexpr auto kLeast = std::numeric_limits<int64_t>::min();
  for (const int64_t number : {int64_t{0}, int64_t{-1}, int64_t{9}, int64_t{-10}, kLeast, ~kLeast})
    EXPECT_EQ(to_text(Json(number)), bj::serialize(bj::value(number)));
  for (const uint64_t number : {uint64_t{0}, uint64_t{1} << 63, ~uint64_t{0}})
    EXPECT_EQ(to_text(Json(number)), bj::serialize(bj::value(number)));
  for (const double number : {0.0, -0.0, 1.5, 1e300, -1e-300, 0.1})
    EXPECT_EQ(to_text(Json(number)), bj::serialize(bj::value(number)));
}

TEST(JsonText, nests_as_boost_does) {
  for (
      const char* text :
      {"null", "[]", "{}", R"([[],{},[{}],{"a":[]}])", R"({"":null,"\"\u0001":[true,false,null]})",
       R"({"z":{"y":{"x":[1,[2,[3,"4"]]]}},"a":[{"b":1},{"c":-2.5E-1}],"\u4e2d":"\ud83d\ude00"})"}) {
    const auto json = parse_json(text);
    ASSERT_TRUE(json.has_value()) << text;
    EXPECT_EQ(to_text(*json), bj::serialize(bj::parse(text)));
  }
}

TEST(JsonText, is_put_onto_the_end) {
  std::string out = "[";
  append_quoted(out, "a\n");
  out += ",";
  append_text(out, Json(Json::Object{{"b", 1}}));
  EXPECT_EQ(out, R"(["a\n",{"b":1})");
}

}  // namespace
}  // namespace atrium::openapi
