// PacketHistory: the newest payloads of one uplink stream, in one ring of bytes.  It is both the buffer from which
// packets are forwarded and the store for retransmission downstream.
// Owner: UplinkStream.  Memory: fixed at creation.  Cost: one copy in, none out.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "media/video_payload.h"

namespace atrium::media {

inline constexpr uint8_t kNoAudioLevel = 0xff;

struct StoredPacket {
  uint64_t ext_seq = 0;  // 0 = empty slot
  uint64_t position = 0; // of its first byte, counted since the ring was made
  uint32_t timestamp = 0;
  uint16_t size = 0;     // 0: seen, but nothing to forward (padding)
  uint8_t audio_level = kNoAudioLevel;  // first octet of RFC 6464's element: V bit and level
  bool marker = false;
  VideoPayload video;
};

class PacketHistory {
 public:
  explicit PacketHistory(size_t bytes) : bytes_(bytes), slots_(limits::kRtpHistoryPackets) {}

  bool contains(uint64_t ext_seq) const { return slots_[slot_of(ext_seq)].ext_seq == ext_seq; }

  // nullptr: never stored, or overwritten since.
  const StoredPacket* find(uint64_t ext_seq) const {
    const StoredPacket& slot = slots_[slot_of(ext_seq)];
    if (slot.ext_seq != ext_seq || head_ - slot.position > bytes_.size()) return nullptr;
    return &slot;
  }
  ByteView payload(const StoredPacket& packet) const {
    return ByteView(bytes_).subspan(packet.position % bytes_.size(), packet.size);
  }
  // `packet.position` and `size` are set here.  The payload is at most kDatagramBytesMax long.
  void store(StoredPacket packet, ByteView payload) {
    const size_t at = head_ % bytes_.size();
    if (at + payload.size() > bytes_.size()) head_ += bytes_.size() - at;  // never split one packet
    packet.position = head_;
    packet.size = static_cast<uint16_t>(payload.size());
    if (!payload.empty()) std::memcpy(bytes_.data() + head_ % bytes_.size(), payload.data(), payload.size());
    head_ += payload.size();
    slots_[slot_of(packet.ext_seq)] = packet;
  }
  void clear() {
    std::fill(slots_.begin(), slots_.end(), StoredPacket());
    head_ = 0;
  }

 private:
  static size_t slot_of(uint64_t ext_seq) { return ext_seq % limits::kRtpHistoryPackets; }

  std::vector<uint8_t> bytes_;
  std::vector<StoredPacket> slots_;
  uint64_t head_ = 0;
};

}  // namespace atrium::media
