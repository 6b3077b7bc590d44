#include "domain/end_slots.h"

namespace atrium::domain {

Mono EndSlots::next(Mono now) const {
  if (slot_ < now) return now;
  return taken_ < kEndsPerSlot ? slot_ : slot_ + kSlot;
}

Mono EndSlots::take(Mono now) {
  const Mono slot = next(now);
  taken_ = slot == slot_ ? taken_ + 1 : 1;
  slot_ = slot;
  return slot;
}

std::optional<Mono> wait_for_slot(EndSlots& slots, std::optional<Mono>& reserved, Mono now) {
  if (!reserved) reserved = slots.take(now);
  if (*reserved > now) return reserved;
  reserved.reset();
  return std::nullopt;
}

}  // namespace atrium::domain
