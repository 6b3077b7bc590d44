#include "node/disk_guard.h"

#include <algorithm>

namespace atrium::node {

bool DiskGuard::on_look(uint64_t free, uint64_t held) {
  // Space that the reserve is still to take is nobody else's.
  const uint64_t missing = options_.reserve - std::min(held, options_.reserve);
  const uint64_t usable = free - std::min(missing, free);
  const bool has_room = usable >= options_.join_free_min && free >= missing;
  if (has_room) is_full_ = false;
  if (missing > 0 || is_full_)
    state_ = DiskState::ReserveGone;
  else if (usable < options_.join_free_min)
    state_ = DiskState::JoinsRefused;
  else if (usable < options_.history_free_min)
    state_ = DiskState::HistoryStopped;
  else
    state_ = DiskState::Well;
  return missing > 0 && has_room;
}

bool DiskGuard::on_disk_full(uint64_t held) {
  is_full_ = true;
  state_ = DiskState::ReserveGone;
  return held > 0;
}

}  // namespace atrium::node
