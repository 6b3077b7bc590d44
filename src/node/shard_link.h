// What crosses between control, the shards, the sctp thread and the store thread.  Values only.
#pragma once

#include <variant>
#include <vector>

#include "adapters/store/store.h"
#include "base/limits.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/sctp_port.h"

namespace atrium::node {

// Messages that may wait for room in a ring: ten to a full room.  Further ones are dropped and counted, so that what
// must not be lost (kRingOverflowMax) always finds room behind them.
inline constexpr size_t kMessagesWaitingMax =
    10 * static_cast<size_t>(limits::kParticipantsPerRoomMax);

struct TakeSnapshot {};
using ShardCommand = std::variant<media::Command, TakeSnapshot>;

struct ShardSnapshot {
  uint32_t shard = 0;
  media::EngineCounters counters;
};
using ShardReport = std::variant<media::Report, ShardSnapshot>;

}  // namespace atrium::node
