// Forwarding: from the pacer's queue to encrypted datagrams, within a turn's budget.  RFC 7667 section 3.7, 4588,
// 8285.
// Verbs over EngineState.  Extensions are written anew under the subscriber's ids; no upstream element passes but
// the level.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

// Encrypts at most `budget` packets, which it counts down; what does not fit stays in the queue.
void forward_queued(EngineState& engine, size_t& budget, Now now);

}  // namespace atrium::media
