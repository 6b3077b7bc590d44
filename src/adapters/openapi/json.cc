#include "adapters/openapi/json.h"

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <charconv>

#include "adapters/openapi/message.h"
#include "base/ascii.h"
#include "base/check.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

namespace bj = boost::json;

// Builds Json values from the parser's events.  Sizes need no limits of their own: the body has
// one.
class Builder {
 public:
  static constexpr size_t max_array_size = static_cast<size_t>(-1);
  static constexpr size_t max_object_size = static_cast<size_t>(-1);
  static constexpr size_t max_string_size = static_cast<size_t>(-1);
  static constexpr size_t max_key_size = static_cast<size_t>(-1);

  bool on_document_begin(bj::error_code&) { return true; }
  bool on_document_end(bj::error_code&) { return true; }
  bool on_array_begin(bj::error_code&) { return open(Json::Array{}); }
  bool on_array_end(size_t, bj::error_code&) { return close(); }
  bool on_object_begin(bj::error_code&) {
    Json::Object object;
    if (open_.empty()) object.reserve(8);  // of the body itself; not of many small ones within
    return open(std::move(object));
  }
  bool on_object_end(size_t, bj::error_code& error) {
    if (const std::string* twice = repeated_name()) {
      fault_ = "the name '" + printable(*twice) + "' stands twice in one object";
      error = bj::make_error_code(bj::error::syntax);
      return false;
    }
    return close();
  }
  bool on_string_part(bj::string_view text, size_t, bj::error_code&) { return append(text_, text); }
  bool on_string(bj::string_view text, size_t, bj::error_code&) {
    append(text_, text);
    return add(Json(std::exchange(text_, {})));
  }
  bool on_key_part(bj::string_view text, size_t, bj::error_code&) { return append(text_, text); }
  bool on_key(bj::string_view text, size_t, bj::error_code&) {
    append(text_, text);
    names_.push_back(std::exchange(text_, {}));
    return true;
  }
  bool on_number_part(bj::string_view, bj::error_code&) { return true; }
  bool on_int64(int64_t number, bj::string_view, bj::error_code&) { return add(Json(number)); }
  bool on_uint64(uint64_t number, bj::string_view, bj::error_code&) { return add(Json(number)); }
  bool on_double(double number, bj::string_view, bj::error_code&) { return add(Json(number)); }
  bool on_bool(bool flag, bj::error_code&) { return add(Json(flag)); }
  bool on_null(bj::error_code&) { return add(Json()); }
  bool on_comment_part(bj::string_view, bj::error_code&) { return false; }
  bool on_comment(bj::string_view, bj::error_code&) { return false; }

  const std::string& fault() const { return fault_; }
  Json take() { return std::move(root_); }

 private:
  static bool append(std::string& to, bj::string_view text) {
    to.append(text.data(), text.size());
    return true;
  }
  bool open(Json container) {
    open_.push_back(std::move(container));
    return true;
  }
  bool close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    return add(std::move(done));
  }
  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* array = std::get_if<Json::Array>(&open_.back().value)) {
      array->push_back(std::move(value));
    } else {
      std::get<Json::Object>(open_.back().value)
          .emplace_back(std::move(names_.back()), std::move(value));
      names_.pop_back();
    }
    return true;
  }
  // The first name of the innermost object that another one equals, in whatever case.
  const std::string* repeated_name() const {
    const auto& members = std::get<Json::Object>(open_.back().value);
    std::vector<const std::string*> names;
    names.reserve(members.size());
    for (const auto& member : members) names.push_back(&member.first);
    // Members lie in one vector, so that a pointer tells which name came first.
    std::ranges::sort(names, [](const std::string* a, const std::string* b) {
      const auto order = order_ignoring_case(*a, *b);
      return order == 0 ? a < b : order < 0;
    });
    const auto twice = std::ranges::adjacent_find(
        names,
        [](const std::string* a, const std::string* b) { return equals_ignoring_case(*a, *b); });
    return twice == names.end() ? nullptr : *twice;
  }

  Json root_;
  std::vector<Json> open_;          // containers around the next value, outermost first
  std::vector<std::string> names_;  // names whose value is not complete yet
  std::string text_;
  std::string fault_;
};

void append_escaped(std::string& out, char c) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  constexpr std::string_view kNamed = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
  if (const size_t named = kNamed.find(c); named != std::string_view::npos)
    out.append({'\\', kNames[named]});
  else
    out.append({'\\', 'u', '0', '0', kHexDigits[c >> 4], kHexDigits[c & 15]});
}

template <typename T>
void append_number(std::string& out, T number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

struct Appender {
  std::string& out;

  void operator()(std::nullptr_t) const { out.append("null"); }
  void operator()(bool flag) const { out.append(flag ? "true" : "false"); }
  void operator()(int64_t number) const { append_number(out, number); }
  void operator()(uint64_t number) const { append_number(out, number); }
  void operator()(double number) const { out.append(bj::serialize(bj::value(number))); }
  void operator()(const std::string& text) const { append_quoted(out, text); }
  void operator()(const Json::Array& array) const {
    out.push_back('[');
    for (const Json& item : array) {
      if (&item != array.data()) out.push_back(',');
      append_text(out, item);
    }
    out.push_back(']');
  }
  void operator()(const Json::Object& object) const {
    out.push_back('{');
    for (const auto& member : object) {
      if (&member != object.data()) out.push_back(',');
      append_quoted(out, member.first);
      out.push_back(':');
      append_text(out, member.second);
    }
    out.push_back('}');
  }
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  const Object* object = if_object();
  if (object == nullptr) return nullptr;
  for (const auto& [key, member] : *object)
    if (key == name) return &member;
  return nullptr;
}

std::expected<Json, JsonFault> parse_json(std::string_view text) {
  bj::parse_options options;
  options.max_depth = static_cast<size_t>(limits::kJsonDepthMax);
  bj::basic_parser<Builder> parser(options);
  bj::error_code error;
  const size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!error && consumed < text.size())
    return std::unexpected(JsonFault{"something follows the value", consumed});
  if (!error) return parser.handler().take();
  if (!parser.handler().fault().empty())
    return std::unexpected(JsonFault{parser.handler().fault(), consumed});
  if (error == bj::error::too_deep)
    return std::unexpected(JsonFault{"it is nested too deeply", consumed});
  if (error == bj::error::incomplete)
    return std::unexpected(JsonFault{"it ends too early", consumed});
  return std::unexpected(JsonFault{"it is not JSON (" + error.message() + ")", consumed});
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  if (!is_any_escaped_in_json(text)) {  // as most are
    out.append(text).push_back('"');
    return;
  }
  while (true) {
    const auto plain =
        static_cast<size_t>(std::ranges::find_if(text, is_escaped_in_json) - text.begin());
    out.append(text.substr(0, plain));
    if (plain == text.size()) break;
    append_escaped(out, text[plain]);
    text.remove_prefix(plain + 1);
  }
  out.push_back('"');
}

void append_text(std::string& out, const Json& json) {
  std::visit(Appender{out}, json.value);
}

std::string to_text(const Json& json) {
  std::string out;
  append_text(out, json);
  return out;
}

}  // namespace atrium::openapi
