// api/openapi/2026-12-01.json against the actions themselves, in both directions: each row is described and each
// description is a row; fields, types and bounds are those that calls are held to; answers (the golden files) fit the
// described results, and nothing is described there that no answer has.
#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "adapters/openapi/gateway_fixture.h"
#include "adapters/openapi/query.h"

namespace atrium::openapi {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRoot = ATRIUM_SOURCE_DIR;
constexpr std::string_view kPathBegin = "/#Action=";
constexpr char kWebhook[] = "WH_abcdefghijklmnopq";

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {(std::istreambuf_iterator<char>(file)), {}};
}

const Json& document() {
  static const Json kDocument = [] {
    auto json = parse_json(read(kRoot + "/api/openapi/2026-12-01.json"));
    EXPECT_TRUE(json.has_value()) << (json ? "" : json.error().what);
    return json ? *json : Json();
  }();
  return kDocument;
}

// What a "$ref" leads to, and on; anything else is itself.
const Json& resolved(const Json& json) {
  const Json* found = &json;
  while (const Json* ref = found->find("$ref")) {
    std::string_view path = std::string_view(*ref->if_text()).substr(2);  // "#/"
    found = &document();
    while (found != nullptr && !path.empty()) {
      const size_t slash = std::min(path.find('/'), path.size());
      found = found->find(path.substr(0, slash));
      path.remove_prefix(std::min(slash + 1, path.size()));
    }
    static const Json kNothing;
    EXPECT_NE(found, nullptr) << *ref->if_text() << " is not there";
    if (found == nullptr) return kNothing;
  }
  return *found;
}

std::optional<int64_t> number_at(const Json& json, std::string_view name) {
  const Json* found = json.find(name);
  if (found == nullptr) return std::nullopt;
  return std::get<int64_t>(found->value);
}
std::set<std::string> texts_at(const Json& json, std::string_view name) {
  std::set<std::string> out;
  if (const Json* list = json.find(name))
    for (const Json& one : *list->if_array()) out.insert(*one.if_text());
  return out;
}

// --- one described action ------------------------------------------------------------------------

struct Field {
  const Json* schema = nullptr;  // resolved
  bool required = false;
};
struct Described {
  const Json* operation = nullptr;
  Method method = Method::Get;
  const Json* body = nullptr;  // schema of a POST's body
  std::map<std::string, Field> fields;
  std::map<std::string, Json> example;  // a call that is in order
  std::set<std::string> headers;
};

void add_parameters(Described& out) {
  for (const Json& one : *at(*out.operation, {"parameters"}).if_array()) {
    const Json& parameter = resolved(one);
    const std::string name = text_at(parameter, {"name"});
    if (text_at(parameter, {"in"}) == "header") out.headers.insert(name);
    if (text_at(parameter, {"in"}) == "header" || name == "Action" || name == "Version") continue;
    out.fields[name] = {&resolved(at(parameter, {"schema"})),
                        std::get<bool>(at(parameter, {"required"}).value)};
    out.example[name] = at(parameter, {"example"});
  }
}

void add_body(Described& out) {
  const Json& content = at(*out.operation, {"requestBody", "content", "application/json"});
  out.body = &at(content, {"schema"});
  const auto required = texts_at(*out.body, "required");
  for (const auto& [name, schema] : *at(*out.body, {"properties"}).if_object())
    out.fields[name] = {&resolved(schema), required.contains(name)};
  for (const auto& [name, value] : *at(content, {"example"}).if_object()) out.example[name] = value;
}

std::map<std::string, Described> described_actions() {
  std::map<std::string, Described> out;
  for (const auto& [path, methods] : *at(document(), {"paths"}).if_object()) {
    EXPECT_TRUE(path.starts_with(kPathBegin)) << path;
    EXPECT_EQ(methods.if_object()->size(), 1u) << path;
    const auto& [method, operation] = methods.if_object()->front();
    Described described;
    described.operation = &operation;
    described.method = method == "get" ? Method::Get : Method::Post;
    EXPECT_EQ(text_at(operation, {"operationId"}), path.substr(kPathBegin.size()));
    add_parameters(described);
    if (described.method == Method::Post) add_body(described);
    out.emplace(text_at(operation, {"operationId"}), std::move(described));
  }
  return out;
}

std::vector<const ActionRow*> own_rows() {
  std::vector<const ActionRow*> out;
  for (const ActionRow* row : action_rows())
    if (row->version == kVersionOwn) out.push_back(row);
  return out;
}

// --- against the rows ----------------------------------------------------------------------------

TEST(Description, each_row_is_described_and_each_description_is_a_row) {
  std::set<std::string> rows, described;
  for (const ActionRow* row : own_rows()) rows.emplace(row->name);
  for (const auto& [name, action] : described_actions()) described.insert(name);
  EXPECT_EQ(described, rows);
}

std::string type_of(const Json& schema) {
  const std::string type = text_at(schema, {"type"});
  return type == "array" ? type + " of " + text_at(resolved(at(schema, {"items"})), {"type"})
                         : type;
}
std::string type_of(FieldType type) {
  switch (type) {
    case FieldType::Text:
      return "string";
    case FieldType::Integer:
      return "integer";
    case FieldType::Boolean:
      return "boolean";
    case FieldType::Number:
      return "no type of ours";
    case FieldType::TextList:
      return "array of string";
    case FieldType::IntegerList:
      return "array of integer";
  }
  return "";
}

TEST(Description, fields_are_those_of_the_row_with_their_types) {
  const auto described = described_actions();
  for (const ActionRow* row : own_rows()) {
    std::map<std::string, std::string> read, told;
    for (const FieldRule& rule : row->fields)
      if (rule.use != FieldUse::Refused)
        read[std::string(rule.name)] =
            type_of(rule.type) + (rule.use == FieldUse::Required ? ", required" : "");
    for (const auto& [name, field] : described.at(std::string(row->name)).fields)
      told[name] = type_of(*field.schema) + (field.required ? ", required" : "");
    EXPECT_EQ(told, read) << row->name;
  }
}

TEST(Description, method_scope_quota_and_strictness_are_those_of_the_row) {
  const auto described = described_actions();
  for (const ActionRow* row : own_rows()) {
    const Described& action = described.at(std::string(row->name));
    EXPECT_EQ(action.method, row->method) << row->name;
    EXPECT_EQ(text_at(*action.operation, {"x-scope"}), scope_name(row->scope)) << row->name;
    EXPECT_EQ(number_at(*action.operation, "x-per-second"), row->per_second) << row->name;
    EXPECT_EQ(row->quota, QuotaScope::Account) << row->name << ": the document says so of all";
    EXPECT_EQ(std::get<bool>(at(*action.operation, {"x-changes"}).value), is_change(*row))
        << row->name;
    if (action.body == nullptr) continue;
    EXPECT_EQ(row->unknown, Unknown::Refused) << row->name;
    EXPECT_EQ(to_text(at(*action.body, {"additionalProperties"})), "false") << row->name;
  }
}

TEST(Description, changing_actions_and_no_others_have_the_header_and_its_answer) {
  for (const auto& [name, action] : described_actions()) {
    const bool changes = std::get<bool>(at(*action.operation, {"x-changes"}).value);
    EXPECT_EQ(action.headers.contains("Idempotency-Key"), changes) << name;
    const Json& replayed =
        at(*action.operation, {"responses", "200", "headers", "Idempotency-Replayed"});
    EXPECT_EQ(!replayed.is_null(), changes) << name;
  }
}

TEST(Description, codes_are_those_that_are_sent) {
  std::set<std::string> told = texts_at(document(), "x-error-codes");
  for (const auto& [name, action] : described_actions())
    told.merge(texts_at(*action.operation, "x-error-codes"));
  // Of the vendor's messages alone.
  std::set<std::string> sent,
      others = {"InvalidParameter.IllegalFrom", "InvalidParameter.IllegalTo"};
  for (const ErrorRow& row : error_rows())
    if (row.never.empty() && !others.contains(std::string(row.code))) sent.emplace(row.code);
  EXPECT_EQ(told, sent);
}

// --- calls ---------------------------------------------------------------------------------------

class DescribedCalls : public OwnActionsTest {
 protected:
  DescribedCalls() {
    domain::Webhook webhook;
    webhook.id = WebhookId(kWebhook);
    webhook.app = AppId(kOwnApp);
    webhook.url = "https://backend.example/";
    webhook.secret = "s";
    registry.apply(domain::RestoreWebhooks{{webhook}}, now);
  }
  // Sends a call with these fields and an hour of quota.
  Outcome call(const std::string& name, const Described& action,
               const std::map<std::string, Json>& fields) {
    now.mono += std::chrono::hours(1);
    if (action.method == Method::Get) {
      std::string query;
      for (const auto& [field, value] : fields)
        query += "&" + field + "=" +
                 percent_encode(value.if_text() == nullptr ? to_text(value) : *value.if_text());
      return send(signed_request("GET", url(name, kVersionOwn, query), ""));
    }
    Json::Object body;
    for (const auto& [field, value] : fields) body.emplace_back(field, value);
    return send(signed_request("POST", url(name, kVersionOwn), to_text(Json(body))));
  }
  // Code and message; empty: it was not refused.
  std::string refusal_of(const Outcome& outcome) {
    const auto* response = std::get_if<Response>(&outcome);
    return response == nullptr || response->status == 200
               ? ""
               : code_of(*response) + ": " + message_of(*response);
  }
  std::string with(const std::string& name, const Described& action, const std::string& field,
                   Json value) {
    std::map<std::string, Json> fields = action.example;
    fields[field] = std::move(value);
    return refusal_of(call(name, action, fields));
  }
  // Refused with a described code and the field's name.
  void expect_refused(const std::string& name, const Described& action, const std::string& field,
                      const Json& value) {
    const std::string refusal = with(name, action, field, value);
    const std::string code = refusal.substr(0, refusal.find(": "));
    std::set<std::string> told = texts_at(document(), "x-error-codes");
    told.merge(texts_at(*action.operation, "x-error-codes"));
    const std::string what = name + " with " + field + "=" + to_text(value).substr(0, 80);
    EXPECT_TRUE(told.contains(code)) << what << " answers " << refusal;
    if (code != "InvalidParameter.SizeOverLimit") EXPECT_THAT(refusal, HasSubstr(field)) << what;
  }
  void expect_bounds_of_number(const std::string& name, const Described& action,
                               const std::string& field, const Json& schema) {
    const auto least = number_at(schema, "minimum"), most = number_at(schema, "maximum");
    if (least) expect_refused(name, action, field, Json(*least - 1));
    if (most) expect_refused(name, action, field, Json(*most + 1));
    for (const auto& bound : {least, most})
      if (bound) EXPECT_EQ(with(name, action, field, Json(*bound)), "") << name << " " << field;
  }
  void expect_bounds_of_text(const std::string& name, const Described& action,
                             const std::string& field, const Json& schema) {
    if (const auto most = number_at(schema, "maxLength"))
      expect_refused(name, action, field, Json(std::string(static_cast<size_t>(*most) + 1, 'a')));
    if (number_at(schema, "minLength") == 1) expect_refused(name, action, field, Json(""));
    if (schema.find("enum") != nullptr) expect_refused(name, action, field, Json("another"));
    if (schema.find("pattern") != nullptr) expect_refused(name, action, field, Json("\x01"));
    if (text_at(schema, {"format"}) == "date-time")
      expect_refused(name, action, field, Json("tomorrow"));
    if (text_at(schema, {"format"}) == "uri") expect_refused(name, action, field, Json("nowhere"));
  }
  static Json list_of(size_t count, const Json& item) {
    Json::Array out;
    const bool is_text = text_at(item, {"type"}) == "string";
    for (size_t i = 0; i < count; ++i)
      out.push_back(is_text ? Json("r" + std::to_string(i)) : Json(static_cast<int64_t>(i + 1)));
    return out;
  }
  void expect_bounds_of_list(const std::string& name, const Described& action,
                             const std::string& field, const Json& schema) {
    const Json& item = resolved(at(schema, {"items"}));
    if (const auto most = number_at(schema, "maxItems"))
      expect_refused(name, action, field, list_of(static_cast<size_t>(*most) + 1, item));
    if (number_at(schema, "minItems") == 1) expect_refused(name, action, field, Json::Array{});
    for (const char* bound : {"minimum", "maximum"})
      if (const auto limit = number_at(item, bound)) {
        const int64_t beyond = bound == std::string_view("minimum") ? -1 : 1;
        EXPECT_EQ(with(name, action, field, Json::Array{Json(*limit)}), "") << name << " " << field;
        expect_refused(name, action, field, Json::Array{Json(*limit + beyond)});
      }
  }
};

TEST_F(DescribedCalls, examples_are_in_order) {
  for (const auto& [name, action] : described_actions())
    EXPECT_EQ(refusal_of(call(name, action, action.example)), "") << name;
}

TEST_F(DescribedCalls, what_is_required_is_missed_by_name_and_what_is_not_is_not) {
  for (const auto& [name, action] : described_actions()) {
    std::map<std::string, Json> least;
    for (const auto& [field, value] : action.example) {
      std::map<std::string, Json> fields = action.example;
      fields.erase(field);
      if (action.fields.at(field).required) {
        EXPECT_EQ(refusal_of(call(name, action, fields)),
                  "InvalidParameter: " + field + " is missing.")
            << name;
        least[field] = value;
      }
    }
    for (const auto& [field, described] : action.fields)
      EXPECT_TRUE(!described.required || action.example.contains(field)) << name << " " << field;
    const std::string refusal = refusal_of(call(name, action, least));
    EXPECT_THAT(refusal, testing::Not(HasSubstr("is missing"))) << name;
  }
}

TEST_F(DescribedCalls, of_alternatives_one_is_needed) {
  size_t seen = 0;
  for (const auto& [name, action] : described_actions())
    for (const char* kind : {"oneOf", "anyOf"}) {
      const Json* alternatives = action.body == nullptr ? nullptr : action.body->find(kind);
      if (alternatives == nullptr) continue;
      ++seen;
      std::map<std::string, Json> none = action.example, all = action.example;
      for (const Json& one : *alternatives->if_array())
        for (const std::string& field : texts_at(one, "required")) {
          none.erase(field);
          all.emplace(field,
                      Json("2024-01-02T04:00:00.000Z"));  // those that no example has are times
        }
      const std::string refusal = refusal_of(call(name, action, none));
      for (const Json& one : *alternatives->if_array())
        for (const std::string& field : texts_at(one, "required"))
          EXPECT_THAT(refusal, HasSubstr(field)) << name;
      EXPECT_EQ(refusal_of(call(name, action, all)).empty(), kind == std::string_view("anyOf"))
          << name;
    }
  EXPECT_GE(seen, 3u);
}

TEST_F(DescribedCalls, each_bound_is_one_that_calls_are_held_to) {
  for (const auto& [name, action] : described_actions())
    for (const auto& [field, described] : action.fields) {
      const std::string type = text_at(*described.schema, {"type"});
      if (type == "integer") expect_bounds_of_number(name, action, field, *described.schema);
      if (type == "string") expect_bounds_of_text(name, action, field, *described.schema);
      if (type == "array") expect_bounds_of_list(name, action, field, *described.schema);
    }
}

TEST_F(DescribedCalls, a_wrong_type_is_refused_by_the_fields_name) {
  for (const auto& [name, action] : described_actions())
    for (const auto& [field, described] : action.fields) {
      const std::string type = text_at(*described.schema, {"type"});
      if (action.method == Method::Get && type == "string") continue;  // a query is text
      expect_refused(name, action, field, type == "string" ? Json(1) : Json("x"));
    }
}

TEST_F(DescribedCalls, a_field_that_is_not_described_is_refused_in_a_body) {
  for (const auto& [name, action] : described_actions())
    if (action.method == Method::Post)
      EXPECT_THAT(with(name, action, "Whatever", Json(1)), HasSubstr("Whatever")) << name;
}

TEST_F(DescribedCalls, idempotency_keys_have_the_described_bounds) {
  const Json& schema =
      resolved(at(document(), {"components", "parameters", "IdempotencyKey", "schema"}));
  const auto most = static_cast<size_t>(number_at(schema, "maxLength").value_or(0));
  const auto with_key = [this](const std::string& key) {
    now.mono += std::chrono::hours(1);
    Request request = post_of("DismissRoom", R"(,"RoomId":"room-1")", now);
    request.headers.emplace_back("Idempotency-Key", key);
    return refusal_of(send(request));
  };
  const std::regex pattern(text_at(schema, {"pattern"}));
  for (const std::string& good : {std::string("k"), std::string(most, '~'), std::string("a key")}) {
    EXPECT_TRUE(std::regex_match(good, pattern));
    EXPECT_EQ(with_key(good), "");
  }
  for (const std::string& bad :
       {std::string(), std::string(most + 1, 'k'), std::string("a\tb"), std::string("\xc3\xa9")})
    EXPECT_THAT(with_key(bad), HasSubstr("Idempotency-Key")) << bad;
}

// --- answers -------------------------------------------------------------------------------------

// Holds values against schemas, and remembers which properties it met.
class Validator {
 public:
  // What does not fit, by its path.
  std::vector<std::string> check(const Json& value, const Json& schema) {
    faults_.clear();
    match(value, schema, "");
    return faults_;
  }
  bool has_met(const Json& properties, const std::string& name) const {
    return met_.contains({&properties, name});
  }

 private:
  void fault(const std::string& path, const std::string& what) {
    faults_.push_back((path.empty() ? "/" : path) + ": " + what);
  }
  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.if_object() != nullptr;
    if (type == "array") return value.if_array() != nullptr;
    if (type == "string") return value.if_text() != nullptr;
    if (type == "boolean") return std::holds_alternative<bool>(value.value);
    return type == "integer" && std::holds_alternative<int64_t>(value.value);
  }
  void match(const Json& value, const Json& reference, const std::string& path) {
    const Json& schema = resolved(reference);
    if (const Json* choices = schema.find("oneOf")) return match_one_of(value, *choices, path);
    if (const Json* constant = schema.find("const"))
      if (to_text(*constant) != to_text(value)) fault(path, "is not " + to_text(*constant));
    const std::string type = text_at(schema, {"type"});
    if (!type.empty() && !has_type(value, type)) return fault(path, "is no " + type);
    if (const auto* object = value.if_object()) match_object(*object, schema, path);
    if (const auto* array = value.if_array())
      for (const Json& one : *array) match(one, at(schema, {"items"}), path + "[]");
    if (const auto* text = value.if_text()) match_text(*text, schema, path);
    if (const auto* number = std::get_if<int64_t>(&value.value))
      if (*number < number_at(schema, "minimum").value_or(*number)) fault(path, "is too small");
  }
  void match_text(const std::string& text, const Json& schema, const std::string& path) {
    const auto choices = texts_at(schema, "enum");
    if (!choices.empty() && !choices.contains(text)) fault(path, "is none of the described");
    if (const Json* pattern = schema.find("pattern"))
      if (!std::regex_match(text, std::regex(*pattern->if_text())))
        fault(path, "is malformed: " + text);
  }
  void match_object(const Json::Object& object, const Json& schema, const std::string& path) {
    const Json& properties = at(schema, {"properties"});
    for (const std::string& name : texts_at(schema, "required"))
      if (Json(object).find(name) == nullptr) fault(path, name + " is missing");
    for (const auto& [name, value] : object) {
      const Json* property = properties.find(name);
      if (property == nullptr) {
        fault(path, name + " is not described");
        continue;
      }
      met_.insert({&properties, name});
      match(value, *property, path + "/" + name);
    }
  }
  // What was met in choices that do not fit does not count.
  void match_one_of(const Json& value, const Json& choices, const std::string& path) {
    size_t fitting = 0;
    std::string why;
    for (const Json& choice : *choices.if_array()) {
      Validator alone;
      const auto faults = alone.check(value, choice);
      if (faults.empty()) met_.merge(alone.met_);
      fitting += faults.empty() ? 1 : 0;
      for (const std::string& one : faults) why += " " + one;
    }
    if (fitting != 1) fault(path, "fits " + std::to_string(fitting) + " choices:" + why);
  }

  std::vector<std::string> faults_;
  std::set<std::pair<const Json*, std::string>> met_;  // properties, name
};

struct Golden {
  std::string name, action;
  Json body;
  bool is_success = false;
};
std::vector<Golden> own_goldens() {
  std::vector<Golden> out;
  for (const auto& entry : fs::directory_iterator(kRoot + "/src/adapters/openapi/testdata")) {
    if (entry.path().extension() != ".http") continue;
    const std::string text = read(entry.path());
    Golden golden{.name = entry.path().stem().string(), .action = "", .body = {}};
    golden.body = parse_json(text.substr(text.find("\n\n") + 2)).value_or(Json());
    golden.action = text_at(golden.body, {"ResponseMetadata", "Action"});
    golden.is_success = golden.body.find("Result") != nullptr;
    if (text_at(golden.body, {"ResponseMetadata", "Version"}) == kVersionOwn)
      out.push_back(std::move(golden));
  }
  return out;
}

const Json& answer_schema(const Described& action) {
  return at(*action.operation, {"responses", "200", "content", "application/json", "schema"});
}

// All properties under `schema` that no answer had.
void add_unmet(const Validator& validator, const Json& reference, const std::string& path,
               std::set<const Json*>& done, std::vector<std::string>& out) {
  const Json& schema = resolved(reference);
  if (!done.insert(&schema).second) return;
  if (const Json* choices = schema.find("oneOf"))
    for (const Json& choice : *choices->if_array()) add_unmet(validator, choice, path, done, out);
  if (const Json* items = schema.find("items"))
    add_unmet(validator, *items, path + "[]", done, out);
  const Json* properties = schema.find("properties");
  if (properties == nullptr) return;
  for (const auto& [name, property] : *properties->if_object()) {
    if (!validator.has_met(*properties, name)) out.push_back(path + "/" + name);
    add_unmet(validator, property, path + "/" + name, done, out);
  }
}

TEST(DescribedAnswers, golden_answers_fit_and_show_everything_that_is_described) {
  const auto described = described_actions();
  Validator validator;
  std::set<std::string> answered;
  for (const Golden& golden : own_goldens()) {
    ASSERT_TRUE(described.contains(golden.action)) << golden.name;
    if (!golden.is_success) continue;
    answered.insert(golden.action);
    EXPECT_THAT(validator.check(golden.body, answer_schema(described.at(golden.action))), IsEmpty())
        << golden.name;
  }
  std::set<const Json*> done;
  std::vector<std::string> unmet;
  for (const auto& [name, action] : described) {
    EXPECT_TRUE(answered.contains(name)) << name << " has no golden answer";
    add_unmet(validator, answer_schema(action), name, done, unmet);
  }
  EXPECT_THAT(unmet, IsEmpty()) << "described, and in no golden answer";
}

TEST_F(GatewayTest, described_failures_are_those_that_are_sent) {
  Validator validator;
  const Json& schema = at(document(), {"components", "schemas", "Failure"});
  EXPECT_THAT(validator.check(body_of(post("DismissRoom", kVersionOwn, "{}")), schema), IsEmpty());
  EXPECT_THAT(
      validator.check(body_of(ask(unsigned_request("POST", "/?Action=A&Version=1", ""))), schema),
      IsEmpty());
}

// --- the instrument itself -----------------------------------------------------------------------

TEST(Validator, notices_each_kind_of_misfit) {
  const Json schema = *parse_json(
      R"({"type":"object","required":["A"],"additionalProperties":false,"properties":{)"
      R"("A":{"type":"string","pattern":"^a+$"},"B":{"type":"integer","minimum":1},)"
      R"("C":{"enum":["x"]},"D":{"const":true},"E":{"type":"array","items":{"type":"string"}},)"
      R"("F":{"oneOf":[{"type":"string"},{"const":7}]}}})");
  Validator validator;
  const auto faults = [&](std::string_view json) {
    return validator.check(*parse_json(json), schema).size();
  };
  EXPECT_EQ(faults(R"({"A":"aa","B":1,"C":"x","D":true,"E":["e"],"F":7})"), 0u);
  for (const char* wrong :
       {R"({})", R"({"A":"b"})", R"({"A":1})", R"({"A":"a","B":0})", R"({"A":"a","C":"y"})",
        R"({"A":"a","D":false})", R"({"A":"a","E":[1]})", R"({"A":"a","F":8})",
        R"({"A":"a","G":1})", R"([])"})
    EXPECT_EQ(faults(wrong), 1u) << wrong;
}

}  // namespace
}  // namespace atrium::openapi
