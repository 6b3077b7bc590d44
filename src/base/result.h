// Result<T>: a value or a small, trivially copyable Error.  TRY(expr) yields the value or returns the error;
// MUST(expr) says that failing here is our bug.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace atrium {

// Whose fault an error is, and so who reacts.  Business codes of the API live in api/errors.def, not here.
enum class ErrorKind : uint8_t {
  Malformed,    // the peer sent bytes that do not parse
  Unsupported,  // well-formed, not served here
  Unauthorised, // credentials missing, wrong or expired
  NotFound,
  Conflict,
  LimitExceeded,
  Unavailable,  // disk, kernel or another process refused
  Internal,
};

// `what` must point at a literal: errors are values that outlive every buffer.
struct Error {
  ErrorKind kind = ErrorKind::Internal;
  const char* what = "";
  std::string_view message() const { return what; }
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorKind kind, const char* literal) {
  return std::unexpected<Error>(Error{kind, literal});
}
inline std::unexpected<Error> malformed(const char* literal) {
  return fail(ErrorKind::Malformed, literal);
}

}  // namespace atrium

// GNU statement expressions: the one extension we use, since C++ has no other way to return from an expression.
#define TRY(...)                                                                     \
  __extension__({                                                                    \
    auto&& atrium_try_result = (__VA_ARGS__);                                        \
    if (!atrium_try_result) [[unlikely]]                                             \
      return std::unexpected(atrium_try_result.error());                             \
    ::atrium::detail::take(std::move(atrium_try_result));                            \
  })
#define MUST(...)                                                                    \
  __extension__({                                                                    \
    auto&& atrium_must_result = (__VA_ARGS__);                                       \
    CHECK(atrium_must_result.has_value());                                           \
    ::atrium::detail::take(std::move(atrium_must_result));                           \
  })

namespace atrium::detail {
template <typename T>
T take(std::expected<T, Error>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}
}  // namespace atrium::detail
