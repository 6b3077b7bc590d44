#include "media/engine_counters.h"

#include "base/check.h"

namespace atrium::media {
namespace {

struct Row {
  const char* name;
  const char* when;
};

constexpr Row kRows[] = {
#define X(name, when) {#name, when},
    ATRIUM_DROP_REASONS(X)
#undef X
};

}  // namespace

const char* name(DropReason reason) {
  CHECK(reason < DropReason::Count);
  return kRows[static_cast<size_t>(reason)].name;
}

const char* description(DropReason reason) {
  CHECK(reason < DropReason::Count);
  return kRows[static_cast<size_t>(reason)].when;
}

}  // namespace atrium::media
