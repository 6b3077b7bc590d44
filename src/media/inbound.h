// Inbound: the way of a datagram from its five-tuple to the pacer's queue.  RFC 7983 (demultiplexing), 3711, 8285,
// 4588. Verbs over EngineState.  Everything that goes no further is counted by its DropReason.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

void receive_datagram(EngineState& engine, const Datagram& datagram, Now now);

}  // namespace atrium::media
