// Caller: one action asked of the server and its answer, as often as its quota makes necessary.  Lives for one command.
// Does not: know any action, or show a result.
#pragma once

#include <expected>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/openapi/action.h"
#include "adapters/openapi/json.h"
#include "adapters/openapi/query.h"
#include "apps/atriumctl/commands.h"

namespace atrium::atriumctl {

// The `Result`; otherwise what the operator was told already, as exit code.
using Answer = std::expected<openapi::Json, ExitCode>;

class Caller {
 public:
  Caller(const Settings& settings, const std::string& authority, World& world)
      : settings_(settings), authority_(authority), world_(world) {}

  Answer ask(std::string_view action, openapi::Json::Object fields,
             std::string_view version = openapi::kVersionOwn);
  // The same about the app of the settings.
  Answer ask_in_app(std::string_view action, openapi::Json::Object fields,
                    std::string_view version = openapi::kVersionOwn);
  // The same of an action whose fields stand in the query.
  Answer ask_by_get(std::string_view action, const openapi::QueryItems& fields,
                    std::string_view version = openapi::kVersionOwn);
  Answer ask_in_app_by_get(std::string_view action, openapi::QueryItems fields,
                           std::string_view version = openapi::kVersionOwn);
  // From now on POST requests carry it as Idempotency-Key; empty: none.
  void use_idempotency_key(std::string key) { idempotency_key_ = std::move(key); }

 private:
  Answer send(const char* method, const std::string& query, const std::string& body);
  openapi::Request request(const char* method, const std::string& query,
                           const std::string& body) const;
  Answer read(const HttpReply& reply) const;
  std::unexpected<ExitCode> refused(const openapi::Json& metadata,
                                    const openapi::Json& error) const;

  const Settings& settings_;
  const std::string& authority_;
  World& world_;
  std::string idempotency_key_;
};

// Whether there is an access key to sign with; says so when there is none.
bool has_keys(const Settings& settings, std::ostream& err);
// Whether it is said which app is meant; says so when it is not.
bool has_app(const Settings& settings, std::ostream& err);
// Says what is missing and how to give it.
ExitCode missing(std::ostream& err, const char* what, const char* how);
// Says why nothing came from `url`, and what to do about it.
ExitCode unreachable(std::ostream& err, const std::string& url, const Error& error,
                     const char* advice);
// Appends what is not empty.
void add_if_given(openapi::Json::Object& fields, const char* name, const std::string& value);
void add_if_given(openapi::QueryItems& fields, const char* name, const std::string& value);
void add_if_given(openapi::Json::Object& fields, const char* name,
                  const std::optional<int64_t>& value);
// All pages of a list that a GET action of the app gives by Cursor, put together in one result.
Answer ask_all_by_cursor(Caller& caller, std::string_view action, openapi::QueryItems fields,
                         std::string_view list);
// Shows the answer as it is to programs, `text` to people.
ExitCode tell(const Answer& result, const Settings& settings, std::ostream& out,
              const std::string& text);

}  // namespace atrium::atriumctl
