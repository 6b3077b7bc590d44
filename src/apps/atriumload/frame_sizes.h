// How large what is sent is: video frames cut into packets as libwebrtc cuts them, and Opus-like packets.  Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace atrium::load {

inline constexpr size_t kPayloadBytesMax = 1'200;

// Payload sizes of one frame: as few packets as `payload_max` permits, all about equal, the larger ones last
// (libwebrtc, RtpPacketizer::SplitAboutEqually).  `payload_max` > 0.
std::vector<size_t> split_frame(size_t frame_bytes, size_t payload_max);

// Bytes of frame number `frame` of a stream of `bits_per_second`: the mean is exact over five frames, single frames
// differ by up to 8 %, so that at 1.2 Mbit/s and 30 frames a second they take four or five packets.
size_t frame_bytes(uint64_t bits_per_second, uint32_t frames_per_second, uint32_t frame);

// 80 to 120 bytes, 100 on average: 40 kbit/s in 20 ms packets.
size_t audio_bytes(uint64_t packet);

}  // namespace atrium::load
