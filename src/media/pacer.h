// Pacer: what waits between reception and encryption.  A bounded queue that gives packets out in order and without
// delay of its own (spreading over time needs an estimate, see bwe.h); a turn takes from it until its budget is used
// up, and a cut empties it of one life.
// Owner: Engine.  Thread: its shard.  Memory: fixed.  Cost: O(1) per packet; dropping a life is one pass.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/limits.h"

namespace atrium::media {

struct QueuedPacket {
  enum class Kind : uint8_t {
    Forward,  // ext_seq of a stream, to all forwarders of its track
    Skip,     // the same number carries nothing: forwarders close the gap
    Repeat,   // seq of one downlink, to be sent again on its retransmission stream
  };
  Kind kind = Kind::Forward;
  uint8_t layer = 0;
  uint16_t seq = 0;  // Repeat
  // Forward, Skip: the uplink's, so that a stream restarted since is noticed; Repeat: the downlink's.
  uint32_t ssrc = 0;
  LifeId life;
  TrackId track;           // Forward, Skip
  TransportId subscriber;  // Repeat
  uint64_t ext_seq = 0;
  uint32_t next_forwarder = 0;  // where a packet goes on that did not fit into the previous turn
};

class Pacer {
 public:
  Pacer() : ring_(limits::kForwardQueueMax) {}

  bool is_empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  bool push(const QueuedPacket& packet) {  // false: full
    if (size_ == ring_.size()) return false;
    ring_[(first_ + size_++) % ring_.size()] = packet;
    return true;
  }
  QueuedPacket& front() { return ring_[first_]; }
  void pop() {
    first_ = (first_ + 1) % ring_.size();
    --size_;
  }
  // Drops everything that `is_unwanted`; yields how many.
  template <typename Predicate>
  size_t drop_if(Predicate is_unwanted) {
    const size_t before = size_;
    size_t kept = 0;
    for (size_t i = 0; i < before; ++i) {
      const QueuedPacket packet = ring_[(first_ + i) % ring_.size()];
      if (is_unwanted(packet)) continue;
      ring_[(first_ + kept++) % ring_.size()] = packet;
    }
    size_ = kept;
    return before - kept;
  }

 private:
  std::vector<QueuedPacket> ring_;
  size_t first_ = 0, size_ = 0;
};

}  // namespace atrium::media
