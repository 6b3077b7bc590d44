#include "base/percent.h"

#include <gtest/gtest.h>

#include <optional>

namespace atrium {
namespace {

std::optional<std::string> decoded(std::string_view text, Plus plus = Plus::Itself) {
  std::string out = ">";
  if (!append_percent_decoded(out, text, plus)) return std::nullopt;
  return out.substr(1);
}

TEST(Percent, escapes_of_either_case_are_decoded_behind_what_is_there) {
  EXPECT_EQ(decoded("a%2Fb%20c"), "a/b c");
  EXPECT_EQ(decoded("%e4%BD%a0"), "\xe4\xbd\xa0");
  EXPECT_EQ(decoded("%00"), std::string(1, '\0'));
  EXPECT_EQ(decoded(""), "");
}

TEST(Percent, a_plus_is_a_space_in_forms_alone) {
  EXPECT_EQ(decoded("a+b%2B"), "a+b+");
  EXPECT_EQ(decoded("a+b%2B", Plus::IsSpace), "a b+");
  EXPECT_EQ(decoded("+%2B++%41b%20+", Plus::IsSpace), " +  Ab  ");
  EXPECT_EQ(decoded("+%2B++%41b%20+"), "++++Ab +");
}

TEST(Percent, a_broken_escape_is_refused) {
  for (const char* broken : {"%", "a%2", "%2x", "%x2", "%%20", "% 2"})
    EXPECT_FALSE(decoded(broken)) << broken;
}

}  // namespace
}  // namespace atrium
