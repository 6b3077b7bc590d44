#include "base/ascii.h"

#include <gtest/gtest.h>

#include <string>

namespace atrium {
namespace {

TEST(Ascii, a_text_is_ascii_when_each_of_its_bytes_is) {
  EXPECT_TRUE(is_ascii(""));
  for (const size_t size : {1u, 15u, 16u, 17u, 100u})
    for (size_t at = 0; at < size; ++at) {
      std::string text(size, '\x7f');
      EXPECT_TRUE(is_ascii(text));
      text[at] = '\x80';
      EXPECT_FALSE(is_ascii(text)) << at << " of " << size;
    }
}

TEST(Ascii, json_escapes_controls_quotation_marks_and_backslashes_alone) {
  for (int byte = 0; byte < 256; ++byte) {
    const bool is_escaped = byte < 0x20 || byte == '"' || byte == '\\';
    EXPECT_EQ(is_escaped_in_json(static_cast<char>(byte)), is_escaped) << byte;
    const std::string text = std::string(20, 'x') + static_cast<char>(byte) + "x";
    EXPECT_EQ(is_any_escaped_in_json(text), is_escaped) << byte;
  }
  EXPECT_FALSE(is_any_escaped_in_json(""));
}

}  // namespace
}  // namespace atrium
