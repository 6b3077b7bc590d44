// Connectivity: how a transport comes up and stays up: STUN, DTLS, consent, and its timer.  RFC 8445, 5764, 7675.
// Verbs over EngineState.  DTLS and SRTP are read only from a five-tuple that passed an authenticated binding
// request.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

// Makes the transport, or refuses with TransportClosed when its life is cut or the shard is full.
void open_transport(EngineState& engine, OpenTransport command, Now now);
void restart_ice(EngineState& engine, RestartIce command, Now now);

void receive_stun(EngineState& engine, ByteView datagram, const FiveTuple& path, Now now);
// A record of a connected association is read at once; a handshake's waits for its turn.
void receive_dtls(EngineState& engine, Transport& transport, ByteView datagram, Now now);
// At most one handshake datagram of the queue.
void take_handshake_step(EngineState& engine, Now now);
void send_application(EngineState& engine, Transport& transport, ByteView packet, Now now);

// Everything of the transport that is due; sets its next deadline.
void on_transport_deadline(EngineState& engine, Transport& transport, Now now);
Mono transport_deadline(const Transport& transport);

}  // namespace atrium::media
