// The request-target: path and query, decoded once.  What is signed and what is acted on are read
// from the same decoded values, so that no second reading can differ.  WHATWG form decoding: '+'
// and %20 are a space.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/openapi/error_table.h"

namespace atrium::openapi {

using QueryItem = std::pair<std::string, std::string>;  // name, value; decoded
using QueryItems = std::vector<QueryItem>;              // in arrival order

struct Target {
  std::string path;  // decoded; "/" when empty
  QueryItems query;

  // The first of this exact name.
  std::optional<std::string_view> find(std::string_view name) const;
  size_t count(std::string_view name) const;
};

// InvalidParameter for a broken percent escape or more than kQueryItemsMax items.
std::expected<Target, Refusal> parse_target(std::string_view target);

// RFC 3986 unreserved characters stay bare, all else is %XX in upper case: the form that is signed.
std::string percent_encode(std::string_view text);
void append_percent_encoded(std::string& out, std::string_view text);
// percent_encode(a) < percent_encode(b), without making them.
bool is_less_encoded(std::string_view a, std::string_view b);
// As percent_encode, but '/' stays: path segments.
std::string percent_encode_path(std::string_view path);

}  // namespace atrium::openapi
