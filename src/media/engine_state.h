// EngineState: the tables and queues of one shard's media core, and the few verbs that every part of it needs.
// Owner: Engine.  Thread: its shard.
// Lookups: five-tuple → transport (SRTP, DTLS), ufrag → transport (STUN), ids → transport, track, life (commands).
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/secret_source.h"
#include "media/deadline_heap.h"
#include "media/dtls_queue.h"
#include "media/engine.h"
#include "media/engine_counters.h"
#include "media/outbox.h"
#include "media/pacer.h"
#include "media/track.h"
#include "media/transport.h"

namespace atrium::media {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

struct EngineState {
  EngineState(SecretSource& source, EngineOptions engine_options)
      : secrets(source), options(std::move(engine_options)) {}

  // --- verbs ---
  Transport* find_transport(TransportId id);
  Track* find_track(TrackId id);
  Life* find_life(LifeId id);
  // Life, made when it is not known yet.
  Life& life_of(LifeId id);
  // Closed lives are remembered for a while: what comes late for one must not begin it anew.
  void forget_life(LifeId id);
  bool was_closed(LifeId id) const;
  void report(Report report) { reports.push_back(std::move(report)); }
  void to_sctp(SctpCommand command) { sctp.push_back(std::move(command)); }
  void drop(DropReason reason) { counters.drop(reason); }
  // A datagram that is not media, copied.  Without a path it is dropped (the peer has not been heard of yet).
  void send_control(Transport& transport, const FiveTuple& path, ByteView datagram);
  // NTP time on a clock that follows mono, so that steps of the wall clock do not shake lip sync.
  uint64_t ntp(Now now);

  // given
  SecretSource& secrets;
  EngineOptions options;

  // tables
  std::unordered_map<TransportId, std::unique_ptr<Transport>> transports;
  std::unordered_map<LifeId, std::unique_ptr<Life>> lives;
  std::unordered_map<TrackId, std::unique_ptr<Track>> tracks;
  std::unordered_map<FiveTuple, Transport*> paths;
  std::unordered_map<std::string, Transport*, TextHash, std::equal_to<>> ufrags;
  DeadlineHeap<Transport> deadlines;
  std::vector<Transport*> dialling;  // those of the dialling role

  // queues
  Pacer pacer;
  DtlsQueue dtls_queue;
  Outbox outbox;
  std::deque<TransportId> closings;
  std::deque<LifeId> closed_lives;  // the newest; as many as commands can be under way
  std::vector<Report> reports;
  std::vector<SctpCommand> sctp;

  // the turn: from one drain to the next
  size_t turn_budget = static_cast<size_t>(limits::kEncryptedPerTurnMax);
  bool has_ended_turn = false;

  EngineCounters counters;
  bool is_late_send_planted = false, is_late_data_planted = false;
  bool has_ntp_base = false;
  int64_t ntp_base_us = 0;  // unix time at mono zero, fixed at the first use
  Mono latest{};            // of the last call; for a deadline that means "at once"
};

struct Engine::State : EngineState {
  using EngineState::EngineState;
};

}  // namespace atrium::media
