// Streams: which tracks there are, who subscribes, which SSRC means what, and when key frames are asked for.
// Verbs over EngineState; the command side of the packet path.
#pragma once

#include "media/engine_state.h"

namespace atrium::media {

void add_uplink(EngineState& engine, AddUplink command);
void remove_uplink(EngineState& engine, TrackId id);
void set_uplink_muted(EngineState& engine, SetUplinkMuted command, Now now);
// Refused, with a count, when an SSRC was used under this transport's keys before.
void add_forward(EngineState& engine, AddForward command, Now now);
void remove_forward(EngineState& engine, RemoveForward command);
void pause_forward(EngineState& engine, PauseForward command, Now now);

// Takes a transport out of all tracks: its own end, its subscriptions stop.
void remove_streams_of(EngineState& engine, Transport& transport);

// A key frame of this layer is wanted: asked for now, or kPliIntervalMs after the last request, and again until one
// comes.
void want_key_frame(EngineState& engine, Track& track, uint8_t layer, Now now);
// The same for the layer that this subscriber should get, where it waits for one.
void request_for_subscriber(EngineState& engine, Track& track, const Transport& subscriber, Now now);
// Which layers are alive changed, or somebody joined: forwarders choose anew.
void retarget_forwarders(EngineState& engine, Track& track, Now now);
// Layers that fell silent are no longer offered.
void refresh_live_layers(EngineState& engine, Track& track, Now now);
// After an outage of the subscriber's path its downlinks begin anew, without a visible gap.
void restart_forwarders_to(Transport& subscriber);

}  // namespace atrium::media
