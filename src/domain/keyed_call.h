// KeyedCall: a management call that carried an Idempotency-Key.  Plain data; the store keeps it for kCallKeyKeepHours.
#pragma once

#include <optional>
#include <string>

#include "base/crypto.h"
#include "domain/types.h"

namespace atrium::domain {

struct CallKey {
  std::string account, action, version, key;
  friend auto operator<=>(const CallKey&, const CallKey&) = default;
};
// No answer and no secret is in it: the answer is made again from the operation.
struct KeyedCall {
  CallKey key;
  Sha256 body_hash{};
  OperationId operation;  // empty: the call did nothing (an unknown room)
  // The number of its DismissOutcome or ActionOutcome (which of them, the action says); none: not known yet, and after
  // a restart as if it had been done.
  std::optional<uint8_t> outcome = {};
  std::string subject = {};  // what it made, where the answer needs it: an AppId, a ScheduleId
  Wall at{};
  friend bool operator==(const KeyedCall&, const KeyedCall&) = default;
};

}  // namespace atrium::domain
