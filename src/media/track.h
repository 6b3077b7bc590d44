// Track: what one publisher sends on one m-section, and who gets it.  Life: all transports and tracks that may reach
// each other.  Owner: EngineState.  Thread: its shard.  Plain data; the verbs stand beside transport.h's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "media/forwarder.h"
#include "media/types.h"
#include "media/uplink_stream.h"

namespace atrium::media {

struct Life;
struct Transport;

struct Layer {
  std::string rid;                       // empty without simulcast
  std::unique_ptr<UplinkStream> stream;  // from its first packet on
  bool wants_key_frame = false;          // asked for, and none has come
  bool has_requested = false;
  Mono requested_at{};
  std::array<std::optional<Mono>, 2>
      relatched_at;  // its other SSRC came: of the stream, of its repairs
};

struct Track {
  AddUplink given;
  Life* life = nullptr;
  Transport* publisher = nullptr;
  bool is_muted = false;
  bool has_started = false;
  std::vector<Layer> layers;          // one, or one per rid, lowest first
  std::vector<Forwarder> forwarders;  // dense; DownlinkRef knows places
  uint32_t live_layers = 0;           // bit i: layer i has packets
  uint8_t loudest = 127;              // since the last AudioLevel report
  bool has_level = false;
  Mono level_reported_at{};

  TrackId id() const { return given.track; }
};

// One person: one transport, or two where its client uses two connections.
struct Participant {
  std::string sid, identity;
  std::vector<Transport*> transports;
  uint64_t last_message = 0;  // so that a message that names somebody twice arrives once
};

struct Life {
  LifeId id;
  std::vector<Transport*> transports;
  std::unordered_map<std::string, std::unique_ptr<Participant>> participants;  // by sid
  std::unordered_multimap<std::string, Participant*> identities;
  bool is_cut = false;
  bool is_closing = false;
  bool has_sent_late = false;       // PlantLateSend's one packet
  bool has_sent_late_data = false;  // and its one user message
  uint64_t packets_forwarded = 0, packets_after_cut = 0;
  uint64_t messages = 0;
  uint32_t transports_closed = 0;
};

}  // namespace atrium::media
