// What the layout check sees of a C++ file: code without comments and literals, its includes, its
// functions. A scanner, not a compiler: it knows brackets and words, and that is enough for rules
// about layout.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atrium::tools {

struct Include {
  int line = 0;
  std::string path;  // as written, without quotes or brackets
};

struct Function {
  int line = 0;    // where its declaration begins
  int length = 0;  // lines, from there to the closing brace
  std::string name;
};

// Same length and same lines as `source`; comments and what stands in literals are spaces.
std::string blank_comments_and_literals(std::string_view source);
std::vector<Include> find_includes(std::string_view source);
// `code` is without comments and literals.
std::vector<Function> find_functions(std::string_view code);
// `word` stands there by itself: no letter, digit or underscore before or behind it.  Position, or
// npos, from `from` on.
size_t find_word(std::string_view text, std::string_view word, size_t from = 0);
std::vector<std::string_view> split_lines(std::string_view text);
int line_of(std::string_view text, size_t position);

}  // namespace atrium::tools
