// Small text rules of the signalling door: UTF-8 (RFC 3629), percent-encoding (RFC 3986), queries.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace atrium::signal {

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);
// C0, DEL or C1 anywhere.  `text` must be UTF-8.
bool has_control_character(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII

// nullopt for a '%' without two hexadecimal digits.  '+' stands for itself.
std::optional<std::string> percent_decode(std::string_view text);
// The first value of `name` in a query, decoded; nullopt when absent or wrongly encoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace atrium::signal
