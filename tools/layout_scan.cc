#include "tools/layout_scan.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace atrium::tools {
namespace {

bool is_word_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

// Blanks [from, to) in `out`, keeping line ends.
void blank(std::string& out, size_t from, size_t to) {
  for (size_t i = from; i < std::min(to, out.size()); ++i)
    if (out[i] != '\n') out[i] = ' ';
}

size_t end_of_quoted(std::string_view text, size_t open) {
  const char quote = text[open];
  for (size_t i = open + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == quote || text[i] == '\n')
      return i;
  }
  return text.size();
}

// R"name( … )name": the position of the closing quote.
size_t end_of_raw(std::string_view text, size_t open) {
  const size_t bracket = text.find('(', open);
  if (bracket == text.npos) return text.size();
  const std::string end = ")" + std::string(text.substr(open + 1, bracket - open - 1)) + "\"";
  const size_t at = text.find(end, bracket);
  return at == text.npos ? text.size() : at + end.size() - 1;
}

// 1'000'000 is one number, not the beginning of a character.
bool is_digit_separator(std::string_view text, size_t at) {
  if (at == 0 || at + 1 >= text.size() || !is_word_char(text[at - 1]) ||
      !is_word_char(text[at + 1]))
    return false;
  size_t begin = at;
  while (begin > 0 && (is_word_char(text[begin - 1]) || text[begin - 1] == '\'')) --begin;
  return std::isdigit(static_cast<unsigned char>(text[begin])) != 0;
}

// Preprocessor lines have braces of their own account.
std::string without_directives(std::string_view code) {
  std::string out(code);
  size_t at = 0;
  while (at < out.size()) {
    size_t end = std::min(out.find('\n', at), out.size());
    const size_t first = out.find_first_not_of(" \t", at);
    if (first < end && out[first] == '#') {
      while (end < out.size() && end > at && out[end - 1] == '\\')
        end = std::min(out.find('\n', end + 1), out.size());
      blank(out, at, end);
    }
    at = end + 1;
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// The declaration without `template <…>`, `[[…]]` and `alignas(…)`, which would confuse the
// question what it declares.
std::string plain_head(std::string_view head) {
  std::string out(trimmed(head));
  while (out.starts_with("template")) {
    int depth = 0;
    size_t at = out.find('<');
    if (at == out.npos) break;
    for (; at < out.size(); ++at) {
      if (out[at] == '<') ++depth;
      if (out[at] == '>' && --depth == 0) break;
    }
    out = std::string(trimmed(std::string_view(out).substr(std::min(at + 1, out.size()))));
  }
  for (const auto& [open, close] : {std::pair{"[[", "]]"}, {"alignas(", ")"}}) {
    const size_t from = out.find(open);
    const size_t to = from == out.npos ? out.npos : out.find(close, from);
    if (to != out.npos) out.erase(from, to + std::string_view(close).size() - from);
  }
  return out;
}

enum class Block { Scope, Function, Other };

Block classify(const std::string& head) {
  const bool has_bracket = head.find('(') != head.npos;
  for (std::string_view word : {"namespace", "class", "struct", "union", "enum", "extern"})
    if (!has_bracket && find_word(head, word) != head.npos) return Block::Scope;
  return has_bracket ? Block::Function : Block::Other;
}

std::string name_in(const std::string& head) {
  const size_t bracket = head.find('(');
  size_t end = bracket;
  while (end > 0 && is_space(head[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 &&
         (is_word_char(head[begin - 1]) || head[begin - 1] == ':' || head[begin - 1] == '~'))
    --begin;
  // A test is known by its arguments.
  const std::string name = head.substr(begin, end - begin);
  const bool is_test = name == "TEST" || name == "TEST_F" || name == "TEST_P";
  return is_test ? name + head.substr(bracket, head.find(')', bracket) + 1 - bracket) : name;
}

class FunctionFinder {
 public:
  explicit FunctionFinder(std::string_view code) : code_(code) {}

  std::vector<Function> find() {
    for (size_t i = 0; i < code_.size(); ++i) {
      if (code_[i] == '(') ++brackets_;
      if (code_[i] == ')') --brackets_;
      if (code_[i] == '{') open(i);
      if (code_[i] == '}') close(i);
      if (code_[i] == ';' && brackets_ <= 0) head_ = i + 1;
    }
    return std::move(found_);
  }

 private:
  struct Opened {
    Block block;
    size_t head;
  };

  void open(size_t at) {
    const bool is_inside = std::any_of(stack_.begin(), stack_.end(),
                                       [](const Opened& o) { return o.block != Block::Scope; });
    const Block block =
        is_inside ? Block::Other : classify(plain_head(code_.substr(head_, at - head_)));
    stack_.push_back({block, head_});
    if (block != Block::Function) head_ = at + 1;
    brackets_ = 0;
  }

  void close(size_t at) {
    if (stack_.empty()) return;
    const Opened opened = stack_.back();
    stack_.pop_back();
    brackets_ = 0;
    const size_t next = code_.find_first_not_of(" \t\r\n", at + 1);
    // `Thing::Thing() : a_{1}, b_{2} { … }`: the braces of members come before the body.
    const bool is_member = opened.block == Block::Function && next != code_.npos &&
                           (code_[next] == ',' || code_[next] == '{');
    if (opened.block == Block::Function && !is_member) add(opened.head, at);
    head_ = is_member ? opened.head : at + 1;
  }

  void add(size_t head, size_t end) {
    const size_t begin = code_.find_first_not_of(" \t\r\n", head);
    const int line = line_of(code_, begin);
    found_.push_back({line, line_of(code_, end) - line + 1,
                      name_in(plain_head(code_.substr(begin, end - begin)))});
  }

  std::string_view code_;
  std::vector<Opened> stack_;
  std::vector<Function> found_;
  size_t head_ = 0;
  int brackets_ = 0;
};

}  // namespace

std::string blank_comments_and_literals(std::string_view source) {
  std::string out(source);
  for (size_t i = 0; i < source.size(); ++i) {
    const std::string_view rest = source.substr(i);
    if (rest.starts_with("//")) {
      const size_t end = std::min(source.find('\n', i), source.size());
      blank(out, i, end);
      i = end;
    } else if (rest.starts_with("/*")) {
      const size_t end = std::min(source.find("*/", i + 2), source.size() - 2) + 2;
      blank(out, i, end);
      i = end - 1;
    } else if (source[i] == '"') {
      const bool is_raw = i > 0 && source[i - 1] == 'R' && (i < 2 || !is_word_char(source[i - 2]));
      const size_t end = is_raw ? end_of_raw(source, i) : end_of_quoted(source, i);
      blank(out, i + 1, end);
      i = end;
    } else if (source[i] == '\'' && !is_digit_separator(source, i)) {
      const size_t end = end_of_quoted(source, i);
      blank(out, i + 1, end);
      i = end;
    }
  }
  return out;
}

std::vector<Include> find_includes(std::string_view source) {
  std::vector<Include> out;
  int number = 0;
  for (std::string_view line : split_lines(source)) {
    ++number;
    line = trimmed(line);
    if (!line.starts_with("#")) continue;
    line = trimmed(line.substr(1));
    if (!line.starts_with("include")) continue;
    line = trimmed(line.substr(7));
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const size_t end = line.find(line[0] == '"' ? '"' : '>', 1);
    if (end != line.npos) out.push_back({number, std::string(line.substr(1, end - 1))});
  }
  return out;
}

std::vector<Function> find_functions(std::string_view code) {
  const std::string plain = without_directives(code);
  return FunctionFinder(plain).find();
}

size_t find_word(std::string_view text, std::string_view word, size_t from) {
  for (size_t at = text.find(word, from); at != text.npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !is_word_char(word.front()) || !is_word_char(text[at - 1]);
    const size_t end = at + word.size();
    const bool ends = end >= text.size() || !is_word_char(word.back()) || !is_word_char(text[end]);
    if (begins && ends) return at;
  }
  return text.npos;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return out;
}

int line_of(std::string_view text, size_t position) {
  return 1 +
         static_cast<int>(std::count(
             text.begin(),
             text.begin() + static_cast<std::ptrdiff_t>(std::min(position, text.size())), '\n'));
}

}  // namespace atrium::tools
