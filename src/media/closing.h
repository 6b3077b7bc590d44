// Closing: cut, notice and teardown, for one transport or a whole life.  DESIGN section 1 (phases of a dismissal).
// Verbs over EngineState.
//
//   open ──cut: no media, no data, notice written──▶ cut ──close: streams, keys, paths gone──▶ waits for SctpClosed
// ──▶ gone
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

void cut_transport(EngineState& engine, CutTransport command);
void cut_life(EngineState& engine, CutLife command, Now now);
void on_notice_done(EngineState& engine, const SctpNoticeDone& event);

void close_transport(EngineState& engine, TransportId id);
void close_life(EngineState& engine, LifeId id);
// At most kClosesPerTurnMax of those that wait.
void take_closings(EngineState& engine);
void on_sctp_closed(EngineState& engine, TransportId id);

}  // namespace atrium::media
