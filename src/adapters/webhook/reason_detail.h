// Whether an event's reason has more to say than its one word: both dialects then show the whole object.
#pragma once

#include "domain/types.h"

namespace atrium::webhook {

inline bool has_detail(const domain::Reason& reason) {
  return reason.number != 0 || !reason.name.empty() || !reason.text.empty() ||
         !reason.operation.empty() || !reason.operator_id.empty();
}

}  // namespace atrium::webhook
