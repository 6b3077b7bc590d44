// EndSlots: when lives end whose time has come, where many have the same time: so many at once, the others a little
// later, so that nobody else waits for all of them.  Owner: Core.  Pure.
// Does not: know lives; who takes a slot comes back when it has come and need not ask again.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace atrium::domain {

class EndSlots {
 public:
  static constexpr uint32_t kEndsPerSlot = 20;
  static constexpr Duration kSlot = std::chrono::milliseconds(10);

  // A slot, now or later; each is given to kEndsPerSlot, in the order in which they ask.
  Mono take(Mono now);
  // Whether take() would say now.
  bool is_free(Mono now) const { return next(now) <= now; }
  // What take() would say.
  Mono next(Mono now) const;

 private:
  Mono slot_{};
  uint32_t taken_ = 0;  // of slot_
};

// A reservation as its holder keeps it.  nullopt: it is its turn; else when that is.
std::optional<Mono> wait_for_slot(EndSlots& slots, std::optional<Mono>& reserved, Mono now);

}  // namespace atrium::domain
