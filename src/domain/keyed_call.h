// KeyedCall: a management call that carried an Idempotency-Key.  Plain data; the store keeps it for kCallKeyKeepHours.
#pragma once

#include <optional>
#include <string>

#include "base/crypto.h"
#include "domain/types.h"

namespace atrium::domain {

inline constexpr uint8_t kOutcomeOfAction = 0x80;

struct CallKey {
  std::string account, action, version, key;
  friend auto operator<=>(const CallKey&, const CallKey&) = default;
};
// No secret is in it: an answer is made again from the operation and, where that does not say enough, from `subject`.
struct KeyedCall {
  CallKey key;
  Sha256 body_hash{};
  OperationId operation;  // empty: the call did nothing (an unknown room)
  // What was answered: of a dismissal its DismissOutcome, of anything else its ActionOutcome + kOutcomeOfAction.  None:
  // not known yet, and after a restart as if it had been done.
  std::optional<uint8_t> outcome = {};
  std::string subject =
      {};  // the `Result` as JSON; where that holds secrets, the AppId of the app that it made
  Wall at{};
  friend bool operator==(const KeyedCall&, const KeyedCall&) = default;
};

}  // namespace atrium::domain
