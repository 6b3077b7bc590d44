// RunState: what main and the workers of a run tell each other while it lasts.  Owner: main.  Any thread: atomics
// alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/socket_address.h"

namespace atrium::load {

enum class Phase : uint8_t {
  Joining,    // clients join; media flows
  Measuring,  // the numbers count from here
  Watching,   // a dismissal was asked for
  Draining,   // nothing new is sent
  Leaving,    // clients say goodbye
  Over,
};

// Where a run may send: see --allow-remote.  This machine's own addresses, which its packets do not leave, always.
class Destinations {
 public:
  explicit Destinations(bool is_everywhere);
  bool permits(const IpAddress& ip) const;

 private:
  // In a network namespace of its own everything is reachable only because somebody arranged it.
  static bool is_in_own_namespace();
  bool is_everywhere_;
  std::vector<IpAddress> own_;
};

struct RunState {
  RunState(size_t clients, size_t rooms, Destinations permitted)
      : destinations(std::move(permitted)),
        dismissed_at_us(rooms),
        packets_of_source(clients * 2) {}

  const Destinations destinations;
  std::atomic<Phase> phase{Phase::Joining};
  std::atomic<bool> has_media{true};  // media and data may be sent
  std::atomic<int64_t> joins_in_flight{0};
  std::atomic<int64_t> settled{0};  // clients whose first join is complete or failed
  std::atomic<int64_t> connections{0};  // of signalling, open
  // Rooms that a server's own signalling ends: how many were asked for, in order, and how many answers came.
  std::atomic<int64_t> rooms_to_end{0}, rooms_ended{0};
  std::vector<std::atomic<int64_t>> dismissed_at_us;     // by room; wall clock; 0: not asked for
  std::vector<std::atomic<uint64_t>> packets_of_source;  // sent; by client number, audio then video
};

}  // namespace atrium::load
