#include "base/check.h"

#include <cstdio>
#include <cstdlib>

#include "base/log.h"

namespace atrium {
namespace {
thread_local uint64_t bug_count = 0;
}

void check_failed(const char* expression, const char* file, int line) {
  flush_log();
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", expression, file, line);
  std::abort();
}

void bug_found(const char* what, const char* file, int line) {
  ++bug_count;
  std::fprintf(stderr, "BUG: %s at %s:%d\n", what, file, line);
}

uint64_t bugs_found() { return bug_count; }

}  // namespace atrium
