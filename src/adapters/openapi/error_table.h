// The management API's error codes by name, from the one table api/errors.def (vendor-contract 3.3
// and 3.4).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace atrium::openapi {

enum class ErrorCode : uint8_t {
#define API_ERROR(name, code, code_n, http, retryable, reacts, use) name,
#include "api/errors.def"
#undef API_ERROR
};

enum class Retry : uint8_t { No, Later };  // Later: the same request may succeed if sent again
// Who can do something about it.
enum class Reacts : uint8_t { Caller, KeyOwner, Operator, Developer };

struct ErrorRow {
  ErrorCode name = ErrorCode::InternalError;
  std::string_view code;  // as on the wire: "InvalidParameter.Unmarshal"
  uint32_t code_n = 0;    // the gateway's number; 0: a business error, which has none
  int http = 500;
  Retry retry = Retry::No;
  Reacts reacts = Reacts::Caller;
  std::string_view never;  // why this server never sends it; empty: it does

  bool is_gateway() const { return code_n != 0; }
};

const ErrorRow& error_row(ErrorCode name);
std::span<const ErrorRow> error_rows();  // in the table's order
std::optional<ErrorCode> find_error(std::string_view code);

// What a check found wrong with a request: a code of the table and one English sentence for the
// caller.
struct Refusal {
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
  int64_t retry_after_s = 0;  // 0: no Retry-After header
  std::string allow{};        // 405 only: the Allow header
};

}  // namespace atrium::openapi
