#include "adapters/openapi/error_table.h"

#include <array>

namespace atrium::openapi {
namespace {

constexpr Retry No = Retry::No;
constexpr Retry Later = Retry::Later;
constexpr Reacts Caller = Reacts::Caller;
constexpr Reacts KeyOwner = Reacts::KeyOwner;
constexpr Reacts Operator = Reacts::Operator;
constexpr Reacts Developer = Reacts::Developer;

constexpr auto kRows = std::to_array<ErrorRow>({
#define SENT ""
#define NEVER(why) why
#define API_ERROR(name, code, code_n, http, retryable, reacts, use) \
  {ErrorCode::name, code, code_n, http, retryable, reacts, use},
#include "api/errors.def"
#undef API_ERROR
#undef NEVER
#undef SENT
});

}  // namespace

const ErrorRow& error_row(ErrorCode name) {
  return kRows[static_cast<size_t>(name)];
}

std::span<const ErrorRow> error_rows() {
  return kRows;
}

std::optional<ErrorCode> find_error(std::string_view code) {
  for (const ErrorRow& row : kRows)
    if (row.code == code) return row.name;
  return std::nullopt;
}

}  // namespace atrium::openapi
