#include "adapters/openapi/args.h"

#include <algorithm>
#include <charconv>

#include "adapters/openapi/message.h"

namespace atrium::openapi {
namespace {

Refusal invalid(std::string message) {
  return {ErrorCode::InvalidParameter, std::move(message)};
}

const FieldRule* find_rule(std::span<const FieldRule> fields, std::string_view name) {
  for (const FieldRule& rule : fields)
    if (equals_ignoring_case(rule.name, name)) return &rule;
  return nullptr;
}

bool has_type(const Json& value, FieldType type) {
  switch (type) {
    case FieldType::Text:
      return value.if_text() != nullptr;
    case FieldType::Integer:
    case FieldType::Number:
      return std::holds_alternative<int64_t>(value.value);
    case FieldType::Boolean:
      return std::holds_alternative<bool>(value.value);
    case FieldType::TextList:
      return value.if_array() != nullptr &&
             std::ranges::all_of(*value.if_array(),
                                 [](const Json& one) { return one.if_text() != nullptr; });
    case FieldType::IntegerList:
      return value.if_array() != nullptr &&
             std::ranges::all_of(*value.if_array(), [](const Json& one) {
               return std::holds_alternative<int64_t>(one.value);
             });
  }
  return false;
}

std::string_view type_name(FieldType type) {
  switch (type) {
    case FieldType::Text:
      return "a string";
    case FieldType::Integer:
      return "an integer";
    case FieldType::Number:
      return "an integer, as a string";
    case FieldType::Boolean:
      return "true or false";
    case FieldType::TextList:
      return "a list of strings";
    case FieldType::IntegerList:
      return "a list of integers";
  }
  return "";
}

// A query has only text; what looks like the wanted type is taken for it.
Json typed(std::string_view text, FieldType type) {
  if (type == FieldType::Boolean && (text == "true" || text == "false"))
    return Json(text == "true");
  if (type == FieldType::Integer || type == FieldType::Number) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return Json(number);
  }
  return Json(text);
}

}  // namespace

const Json* Args::find(std::string_view name) const {
  const auto found = std::ranges::find(values_, name, &decltype(values_)::value_type::first);
  return found == values_.end() ? nullptr : &found->second;
}

std::optional<Refusal> Args::set(const FieldRule& rule, Json value) {
  const auto named = [&rule](std::string_view text) {
    return invalid(std::string(rule.name) + std::string(text));
  };
  if (rule.use == FieldUse::Refused) return named(": " + std::string(rule.why_refused));
  if (value.is_null()) return std::nullopt;
  if (rule.type == FieldType::Number && value.if_text() != nullptr) {
    // An empty string counts as absent, as the vendor's own samples have it.
    if (value.if_text()->empty()) return std::nullopt;
    const Json number = typed(*value.if_text(), rule.type);
    if (has_type(number, rule.type)) return set(rule, number);
  }
  if (!has_type(value, rule.type))
    return named(" must be " + std::string(type_name(rule.type)) + ".");
  if (has(rule.name)) return named(" was given twice.");
  values_.emplace_back(rule.name, std::move(value));
  return std::nullopt;
}

void Args::add_to_list(const FieldRule& rule, std::string_view text) {
  if (!has(rule.name)) values_.emplace_back(rule.name, Json::Array{});
  auto& list = std::ranges::find(values_, rule.name, &decltype(values_)::value_type::first)->second;
  std::get<Json::Array>(list.value).emplace_back(text);
}

std::optional<Refusal> Args::check_complete(std::span<const FieldRule> fields) const {
  for (const FieldRule& rule : fields)
    if (rule.use == FieldUse::Required && !has(rule.name))
      return invalid(std::string(rule.name) + " is missing.");
  return std::nullopt;
}

std::expected<Args, Refusal> Args::from_body(Json body, std::span<const FieldRule> fields,
                                             Unknown unknown) {
  auto* object = std::get_if<Json::Object>(&body.value);
  if (object == nullptr)
    return std::unexpected(Refusal{ErrorCode::Unmarshal, "The body must be a JSON object."});
  Args args;
  args.values_.reserve(std::min(object->size(), fields.size()));
  for (auto& [name, value] : *object) {
    const FieldRule* rule = find_rule(fields, name);
    if (rule == nullptr && unknown == Unknown::Refused)
      return std::unexpected(invalid(printable(name) + " is not a field of this action."));
    if (rule == nullptr) continue;
    if (auto refusal = args.set(*rule, std::move(value))) return std::unexpected(*refusal);
  }
  if (auto refusal = args.check_complete(fields)) return std::unexpected(*refusal);
  return args;
}

std::expected<Args, Refusal> Args::from_query(const QueryItems& query,
                                              std::span<const FieldRule> fields) {
  Args args;
  args.values_.reserve(std::min(query.size(), fields.size()));
  for (const auto& [name, value] : query) {
    const FieldRule* rule = find_rule(fields, name);
    if (rule == nullptr) continue;
    if (rule->type == FieldType::TextList) {
      args.add_to_list(*rule, value);
      continue;
    }
    if (auto refusal = args.set(*rule, typed(value, rule->type))) return std::unexpected(*refusal);
  }
  if (auto refusal = args.check_complete(fields)) return std::unexpected(*refusal);
  return args;
}

std::string_view Args::text(std::string_view name) const {
  const Json* found = find(name);
  return found == nullptr ? std::string_view() : std::string_view(*found->if_text());
}

std::optional<int64_t> Args::integer(std::string_view name) const {
  const Json* found = find(name);
  if (found == nullptr) return std::nullopt;
  return std::get<int64_t>(found->value);
}

std::vector<std::string_view> Args::texts(std::string_view name) const {
  std::vector<std::string_view> out;
  const Json* found = find(name);
  if (found == nullptr) return out;
  for (const Json& one : *found->if_array()) out.emplace_back(*one.if_text());
  return out;
}

std::vector<int64_t> Args::integers(std::string_view name) const {
  std::vector<int64_t> out;
  const Json* found = find(name);
  if (found == nullptr) return out;
  for (const Json& one : *found->if_array()) out.push_back(std::get<int64_t>(one.value));
  return out;
}

bool Args::flag(std::string_view name) const {
  const Json* found = find(name);
  return found != nullptr && std::get<bool>(found->value);
}

}  // namespace atrium::openapi
