// DiskGuard: what is still written while the store's disk fills up.  Figures in, a state out; pure.
// Owner: StoreWorker.  Thread: store.
#pragma once

#include <cstdint>

#include "base/limits.h"

namespace atrium::node {

// Each state includes the ones before it.
enum class DiskState : uint8_t {
  Well,
  HistoryStopped,  // history is not written
  JoinsRefused,    // new joins are refused; calls and resumes go on
  ReserveGone      // what had to be recorded took the reserve, or there never was room for it
};

struct DiskGuardOptions {
  uint64_t reserve = static_cast<uint64_t>(limits::kStoreReserveBytes);
  uint64_t history_free_min = static_cast<uint64_t>(limits::kHistoryFreeBytesMin);
  uint64_t join_free_min = static_cast<uint64_t>(limits::kJoinFreeBytesMin);
};

class DiskGuard {
 public:
  explicit DiskGuard(DiskGuardOptions options) : options_(options) {}

  // The disk was looked at.  True: there is room to allocate the reserve (again); look once more when that is done.
  bool on_look(uint64_t free, uint64_t held);
  // A write that must not be lost found no room.  True: give the reserve up and repeat it.
  bool on_disk_full(uint64_t held);

  DiskState state() const { return state_; }
  uint64_t reserve() const { return options_.reserve; }

 private:
  // given
  const DiskGuardOptions options_;
  // derived
  DiskState state_ = DiskState::Well;
  bool is_full_ = false;  // a write found no room since
};

}  // namespace atrium::node
