// Json: one value of a request body or an answer.  Objects keep their order.  Parsing is strict and
// bounded; json.cc is the one file that includes Boost.JSON.  RFC 8259, RFC 7493 §2.3 (no duplicate
// names).
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace atrium::openapi {

struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;
  std::variant<std::nullptr_t, bool, int64_t, uint64_t, double, std::string, Array, Object> value{
      nullptr};

  Json() = default;
  Json(bool v) : value(v) {}
  Json(int v) : value(int64_t{v}) {}
  Json(int64_t v) : value(v) {}
  Json(uint32_t v) : value(int64_t{v}) {}
  Json(uint64_t v) : value(v) {}
  Json(double v) : value(v) {}
  Json(const char* v) : value(std::string(v)) {}
  Json(std::string_view v) : value(std::string(v)) {}
  Json(std::string v) : value(std::move(v)) {}
  Json(Array v) : value(std::move(v)) {}
  Json(Object v) : value(std::move(v)) {}

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
  const std::string* if_text() const { return std::get_if<std::string>(&value); }
  const Object* if_object() const { return std::get_if<Object>(&value); }
  const Array* if_array() const { return std::get_if<Array>(&value); }
  // The member of exactly this name, or null.
  const Json* find(std::string_view name) const;
};

struct JsonFault {
  std::string what;   // "the name 'AppId' stands twice"
  size_t offset = 0;  // byte of the text at which it was noticed
};

// At most kJsonDepthMax levels.  Names that differ only in the case of ASCII letters are
// duplicates, and refused.
std::expected<Json, JsonFault> parse_json(std::string_view text);
// Onto the end of `out`: a string with its quotes and escapes; a value, whose objects name each member once.
void append_quoted(std::string& out, std::string_view text);
void append_text(std::string& out, const Json& json);
std::string to_text(const Json& json);

}  // namespace atrium::openapi
