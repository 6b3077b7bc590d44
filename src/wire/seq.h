// Unwrapping of numbers that wrap on the wire: RTP and transport sequence numbers (16 bit) and RTP timestamps (32
// bit). Pure functions and two tiny values; the low bits of an unwrapped number are always the number on the
// wire.
#pragma once

#include <cstdint>
#include <optional>

namespace atrium::wire {

// RFC 1982: is `a` later than `b`?  Half the space apart counts as not later.
constexpr bool is_seq_newer(uint16_t a, uint16_t b) {
  return a != b && static_cast<uint16_t>(a - b) < 0x8000;
}
constexpr bool is_timestamp_newer(uint32_t a, uint32_t b) {
  return a != b && a - b < 0x8000'0000u;
}

// The ext_seq nearest to `reference` whose low 16 bits are `seq`; never below zero.
constexpr uint64_t ext_seq_near(uint64_t reference, uint16_t seq) {
  const auto step =
      static_cast<int16_t>(static_cast<uint16_t>(seq - static_cast<uint16_t>(reference)));
  if (step < 0 && reference < static_cast<uint64_t>(-int64_t{step})) return seq;
  return reference + static_cast<uint64_t>(int64_t{step});
}
constexpr uint64_t ext_timestamp_near(uint64_t reference, uint32_t timestamp) {
  const auto step = static_cast<int32_t>(timestamp - static_cast<uint32_t>(reference));
  if (step < 0 && reference < static_cast<uint64_t>(-int64_t{step})) return timestamp;
  return reference + static_cast<uint64_t>(int64_t{step});
}

// Unwraps a stream of sequence numbers.  The first one maps to 65536 + seq, so that packets from before it have room.
class SeqUnwrapper {
 public:
  constexpr uint64_t unwrap(uint16_t seq) {
    const uint64_t ext_seq = highest_ ? ext_seq_near(*highest_, seq) : 0x1'0000u + seq;
    if (!highest_ || ext_seq > *highest_) highest_ = ext_seq;
    return ext_seq;
  }
  constexpr std::optional<uint64_t> highest() const { return highest_; }

 private:
  std::optional<uint64_t> highest_;
};

// The same for RTP timestamps.  The first one maps to 2^32 + timestamp.
class TimestampUnwrapper {
 public:
  constexpr uint64_t unwrap(uint32_t timestamp) {
    const uint64_t unwrapped =
        highest_ ? ext_timestamp_near(*highest_, timestamp) : 0x1'0000'0000u + timestamp;
    if (!highest_ || unwrapped > *highest_) highest_ = unwrapped;
    return unwrapped;
  }

 private:
  std::optional<uint64_t> highest_;
};

}  // namespace atrium::wire
