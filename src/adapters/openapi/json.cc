#include "adapters/openapi/json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "adapters/openapi/message.h"
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
  bool on_object_begin(bj::error_code&) { return open(Json::Object{}); }
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
    std::vector<std::pair<std::string, const std::string*>> names;
    names.reserve(members.size());
    for (const auto& member : members) names.emplace_back(ascii_lower(member.first), &member.first);
    std::ranges::sort(names, {}, &std::pair<std::string, const std::string*>::first);
    const auto twice =
        std::ranges::adjacent_find(names, {}, &std::pair<std::string, const std::string*>::first);
    return twice == names.end() ? nullptr : twice->second;
  }

  Json root_;
  std::vector<Json> open_;          // containers around the next value, outermost first
  std::vector<std::string> names_;  // names whose value is not complete yet
  std::string text_;
  std::string fault_;
};

bj::value to_boost(const Json& json);

struct ToBoost {
  bj::value operator()(std::nullptr_t) const { return nullptr; }
  bj::value operator()(const std::string& text) const { return bj::value(bj::string_view(text)); }
  bj::value operator()(const Json::Array& array) const {
    bj::array out;
    out.reserve(array.size());
    for (const Json& item : array) out.push_back(to_boost(item));
    return out;
  }
  bj::value operator()(const Json::Object& object) const {
    bj::object out;
    out.reserve(object.size());
    for (const auto& [name, value] : object) out.insert_or_assign(name, to_boost(value));
    return out;
  }
  template <typename T>
  requires std::is_arithmetic_v<T> bj::value operator()(T number) const { return number; }
};

bj::value to_boost(const Json& json) {
  return std::visit(ToBoost{}, json.value);
}

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

std::string to_text(const Json& json) {
  return bj::serialize(to_boost(json));
}

}  // namespace atrium::openapi
