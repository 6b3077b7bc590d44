// DtlsQueue: handshake datagrams waiting for their turn.  A handshake step costs as much as some hundred packets, so a
// turn takes few (engine.cc), after media.  Bounded and copied into memory that is allocated once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/limits.h"

namespace atrium::media {

class DtlsQueue {
 public:
  struct Entry {
    TransportId transport;
    uint16_t size = 0;
    std::array<uint8_t, limits::kDatagramBytesMax> bytes;
    ByteView view() const { return ByteView(bytes).first(size); }
  };

  DtlsQueue() : ring_(limits::kDtlsQueueMax) {}
  bool is_empty() const { return size_ == 0; }
  bool push(TransportId transport, ByteView datagram) {  // false: full, or longer than kDatagramBytesMax
    if (size_ == ring_.size() || datagram.size() > ring_[0].bytes.size()) return false;
    Entry& entry = ring_[(first_ + size_++) % ring_.size()];
    entry.transport = transport;
    entry.size = static_cast<uint16_t>(datagram.size());
    std::ranges::copy(datagram, entry.bytes.begin());
    return true;
  }
  const Entry& front() const { return ring_[first_]; }
  void pop() {
    first_ = (first_ + 1) % ring_.size();
    --size_;
  }

 private:
  std::vector<Entry> ring_;
  size_t first_ = 0, size_ = 0;
};

}  // namespace atrium::media
