// The backend's side of a dismissal: DismissRoom of the management API, signed as a backend signs it.
#pragma once

#include <string>

#include "apps/atriumload/settings.h"
#include "base/result.h"
#include "base/time.h"

namespace atrium::load {

struct DismissAnswer {
  int status = 0;      // HTTP
  Duration took{};     // from the request's connect to the whole answer
  std::string code{};  // of the error in the envelope; empty: done
};
// Blocks until the answer is there; Unavailable when nobody answers within 30 s.
Result<DismissAnswer> dismiss_room(const Settings& settings, const std::string& room);

}  // namespace atrium::load
