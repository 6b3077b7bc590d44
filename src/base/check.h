// CHECK, DCHECK and BUG: what to do when our own reasoning was wrong.  Nothing a peer can send may reach any of them.
// CHECK aborts always.  DCHECK aborts in debug, sanitizer, simulation and fuzz builds.  BUG aborts there too; in
// release
// it counts and yields true, so that the caller closes that one session: `if (BUG_IF(x)) return …;`.
#pragma once

#include <cstdint>

namespace atrium {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);
void bug_found(const char* what, const char* file, int line);  // counts; logs to stderr
uint64_t bugs_found();

}  // namespace atrium

#define CHECK(expr) \
  (__builtin_expect(static_cast<bool>(expr), 1) ? static_cast<void>(0) \
                                                : ::atrium::check_failed(#expr, __FILE__, __LINE__))
#ifdef ATRIUM_DCHECKS
#define DCHECK(expr) CHECK(expr)
#define BUG(what) ::atrium::check_failed(what, __FILE__, __LINE__)
#else
#define DCHECK(expr) static_cast<void>(sizeof(static_cast<bool>(expr)))
#define BUG(what) ::atrium::bug_found(what, __FILE__, __LINE__)
#endif
