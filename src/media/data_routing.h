// Data routing: what arrives on data channels goes to the others of the same life, under the sender's true name.
// Verbs over EngineState; the bytes are rewritten by wire/data_packet.h.  After a cut nothing is routed.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

void on_sctp_event(EngineState& engine, SctpEvent event, Now now);
// A message of the control side's own.
void send_reliable(EngineState& engine, SendReliable command);
void set_data_permission(EngineState& engine, SetDataPermission command);

}  // namespace atrium::media
