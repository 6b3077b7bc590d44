#include "apps/atriumload/frame_sizes.h"

#include <algorithm>
#include <array>

namespace atrium::load {

std::vector<size_t> split_frame(size_t frame_bytes, size_t payload_max) {
  const size_t packets = std::max<size_t>(1, (frame_bytes + payload_max - 1) / payload_max);
  const size_t larger = frame_bytes % packets;  // these have one byte more
  std::vector<size_t> sizes(packets, frame_bytes / packets);
  std::for_each(sizes.end() - static_cast<std::ptrdiff_t>(larger), sizes.end(),
                [](size_t& size) { ++size; });
  return sizes;
}

size_t frame_bytes(uint64_t bits_per_second, uint32_t frames_per_second, uint32_t frame) {
  static constexpr std::array<uint64_t, 5> kPermille{920, 1'080, 940, 1'060, 1'000};
  const uint64_t mean = bits_per_second / 8 / frames_per_second;
  return static_cast<size_t>(mean * kPermille[frame % kPermille.size()] / 1'000);
}

size_t audio_bytes(uint64_t packet) {
  return 80 + static_cast<size_t>(packet * 7 % 41);
}

}  // namespace atrium::load
