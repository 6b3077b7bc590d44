// What crosses between control, the shards, the sctp thread and the store thread.  Values only.
#pragma once

#include <variant>
#include <vector>

#include "adapters/store/store.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/sctp_port.h"

namespace atrium::node {

struct TakeSnapshot {};
using ShardCommand = std::variant<media::Command, TakeSnapshot>;

struct ShardSnapshot {
  uint32_t shard = 0;
  media::EngineCounters counters;
};
using ShardReport = std::variant<media::Report, ShardSnapshot>;

}  // namespace atrium::node
