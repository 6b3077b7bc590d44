// Args: the fields of one request after they were matched with the rules of its action.  Names are
// matched without regard to the case of ASCII letters (vendor-contract 1.5); a JSON null is an
// absent field.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/openapi/error_table.h"
#include "adapters/openapi/json.h"
#include "adapters/openapi/query.h"

namespace atrium::openapi {

enum class FieldType : uint8_t {
  Text,
  Integer,
  Boolean,
  Number,       // the vendor's numbers in strings: "50", or 50; read as integer
  TextList,     // a JSON array of strings; in a query the name again and again
  IntegerList,  // a JSON array of integers; POST only
};
enum class FieldUse : uint8_t { Required, Optional, Refused };
enum class Unknown : uint8_t { Ignored, Refused };

struct FieldRule {
  std::string_view name;
  FieldType type = FieldType::Text;
  FieldUse use = FieldUse::Optional;
  std::string_view why_refused;  // Refused only: one English sentence
};

class Args {
 public:
  // `fields` must outlive the result.  Refusals are InvalidParameter and name the field.
  static std::expected<Args, Refusal> from_body(Json body, std::span<const FieldRule> fields,
                                                Unknown unknown);
  static std::expected<Args, Refusal> from_query(const QueryItems& query,
                                                 std::span<const FieldRule> fields);

  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string_view text(std::string_view name) const;  // empty when absent
  std::optional<int64_t> integer(std::string_view name) const;
  bool flag(std::string_view name) const;                            // false when absent
  std::vector<std::string_view> texts(std::string_view name) const;  // empty when absent
  std::vector<int64_t> integers(std::string_view name) const;        // empty when absent

 private:
  const Json* find(std::string_view name) const;
  std::optional<Refusal> set(const FieldRule& rule, Json value);
  void add_to_list(const FieldRule& rule, std::string_view text);
  std::optional<Refusal> check_complete(std::span<const FieldRule> fields) const;

  // By the rule's spelling, each name once; few enough to be looked through.
  std::vector<std::pair<std::string_view, Json>> values_;
};

}  // namespace atrium::openapi
