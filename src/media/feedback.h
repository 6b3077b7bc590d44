// Feedback: RTCP ends here.  What publishers and subscribers say is acted on, and each hears reports of our own:
// receiver reports, NACK, PLI and transport-wide feedback upstream, sender reports downstream.  RFC 3550, 4585,
// 5104, 5506. Verbs over EngineState.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

// A decrypted compound.
void receive_rtcp(EngineState& engine, Transport& transport, ByteView compound, Now now);
// Protects and sends one compound or reduced-size packet.
void send_rtcp(EngineState& engine, Transport& transport, ByteView compound);

void send_key_frame_request(EngineState& engine, Track& track, Layer& layer, Now now);
// NACKs, key frame requests, transport-wide feedback and reports that are due.
void send_due_feedback(EngineState& engine, Transport& transport, Now now);
Mono feedback_deadline(const Transport& transport);

}  // namespace atrium::media
