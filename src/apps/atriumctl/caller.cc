#include "apps/atriumctl/caller.h"

#include <algorithm>
#include <charconv>
#include <ostream>

#include "adapters/openapi/signer.h"
#include "apps/atriumctl/show.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

std::string target(std::string_view action, std::string_view version) {
  return "/?Action=" + std::string(action) + "&Version=" + std::string(version);
}

Duration retry_after(const HttpReply& reply) {
  const std::string_view text = reply.header("Retry-After");
  int seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::chrono::seconds(std::clamp(seconds, 1, 10));
}

}  // namespace

Answer Caller::ask(std::string_view action, Json::Object fields, std::string_view version) {
  return send("POST", target(action, version), openapi::to_text(Json(std::move(fields))));
}

Answer Caller::ask_in_app(std::string_view action, Json::Object fields, std::string_view version) {
  fields.insert(fields.begin(), {"AppId", settings_.app});
  return ask(action, std::move(fields), version);
}

Answer Caller::ask_in_app_by_get(std::string_view action, openapi::QueryItems fields,
                                 std::string_view version) {
  fields.insert(fields.begin(), {"AppId", settings_.app});
  return ask_by_get(action, fields, version);
}

Answer Caller::ask_by_get(std::string_view action, const openapi::QueryItems& fields,
                          std::string_view version) {
  std::string query = target(action, version);
  for (const auto& [name, value] : fields)
    query += "&" + name + "=" + openapi::percent_encode(value);
  return send("GET", query, "");
}

Answer Caller::send(const char* method, const std::string& query, const std::string& body) {
  for (int64_t attempt = 0;; ++attempt) {
    const Result<HttpReply> reply = world_.exchange(request(method, query, body));
    if (!reply)
      return std::unexpected(
          unreachable(world_.err, settings_.url, reply.error(),
                      "Is atriumd running there? Name another server with --url or ATRIUM_URL."));
    if (reply->status == 429 && attempt < limits::kControlRetriesMax) {
      world_.wait(retry_after(*reply));
      continue;
    }
    return read(*reply);
  }
}

openapi::Request Caller::request(const char* method, const std::string& query,
                                 const std::string& body) const {
  openapi::Request out{.method = method,
                       .target = query,
                       .headers = {{"Host", authority_},
                                   {"Content-Type", "application/json"},
                                   {"Accept", "application/json"},
                                   {"User-Agent", "atriumctl"}},
                       .body = body};
  if (out.method == "POST" && !idempotency_key_.empty())
    out.headers.emplace_back("Idempotency-Key", idempotency_key_);
  openapi::sign_request(out, {settings_.access_key, settings_.secret, settings_.region},
                        world_.now());
  return out;
}

Answer Caller::read(const HttpReply& reply) const {
  const auto body = openapi::parse_json(reply.body);
  const Json* metadata = body ? body->find("ResponseMetadata") : nullptr;
  const Json* error = metadata == nullptr ? nullptr : metadata->find("Error");
  if (error != nullptr) return refused(*metadata, *error);
  const Json* result = metadata == nullptr ? nullptr : body->find("Result");
  if (result != nullptr && result->if_object() != nullptr) return *result;
  world_.err << "atriumctl: what answers at " << settings_.url << " (HTTP " << reply.status
             << ") is not an Atrium server.\nCheck --url, with https:// where the server speaks "
                "TLS; a proxy in between must pass / through.\n";
  return std::unexpected(ExitCode::Unreachable);
}

std::unexpected<ExitCode> Caller::refused(const Json& metadata, const Json& error) const {
  const std::string code = text_of(error, "Code");
  if (settings_.output == Output::Json) world_.out << openapi::to_text(metadata) << "\n";
  world_.err << "atriumctl: refused: " << code << ": " << text_of(error, "Message") << "\n"
             << advice(code) << " (request " << text_of(metadata, "RequestId") << ")\n";
  return std::unexpected(ExitCode::Refused);
}

bool has_keys(const Settings& settings, std::ostream& err) {
  if (!settings.access_key.empty() && !settings.secret.empty()) return true;
  missing(err, "the access key or its secret",
          "Set ATRIUM_ACCESS_KEY and ATRIUM_SECRET_KEY; for a server started with --dev, "
          "give --dev.");
  return false;
}

bool has_app(const Settings& settings, std::ostream& err) {
  if (!settings.app.empty()) return true;
  missing(err, "the app",
          "Give --app APPID or set ATRIUM_APP_ID; for a server started with --dev, give --dev.");
  return false;
}

ExitCode missing(std::ostream& err, const char* what, const char* how) {
  err << "atriumctl: " << what << " is missing.\n" << how << "\n";
  return ExitCode::Usage;
}

ExitCode unreachable(std::ostream& err, const std::string& url, const Error& error,
                     const char* advice) {
  err << "atriumctl: no answer from " << url << ": " << error.message() << ".\n";
  // A server that cannot be trusted is running; its error says what to do.
  if (error.kind != ErrorKind::Unauthorised) err << advice << "\n";
  return ExitCode::Unreachable;
}

void add_if_given(Json::Object& fields, const char* name, const std::string& value) {
  if (!value.empty()) fields.emplace_back(name, value);
}

void add_if_given(Json::Object& fields, const char* name, const std::optional<int64_t>& value) {
  if (value) fields.emplace_back(name, *value);
}

void add_if_given(openapi::QueryItems& fields, const char* name, const std::string& value) {
  if (!value.empty()) fields.emplace_back(name, value);
}

Answer ask_all_by_cursor(Caller& caller, std::string_view action, openapi::QueryItems fields,
                         std::string_view list) {
  fields.emplace_back("Limit", std::to_string(limits::kPageMax));
  fields.emplace_back("Cursor", "");
  Json::Array items;
  while (true) {
    const Answer result = caller.ask_in_app_by_get(action, fields);
    if (!result) return result;
    const Json::Array& page = items_of(*result, list);
    items.insert(items.end(), page.begin(), page.end());
    const Json* next = result->find("NextCursor");
    const std::string* cursor = next == nullptr ? nullptr : next->if_text();
    if (cursor == nullptr || cursor->empty() || *cursor == fields.back().second)
      return Json(Json::Object{{std::string(list), std::move(items)}});
    fields.back().second = *cursor;
  }
}

ExitCode tell(const Answer& result, const Settings& settings, std::ostream& out,
              const std::string& text) {
  if (!result) return result.error();
  out << (settings.output == Output::Json ? openapi::to_text(*result) : text) << "\n";
  return ExitCode::Ok;
}

}  // namespace atrium::atriumctl
