// Layer selection: which simulcast layer a subscriber should get.  Here stands what may be added later (bandwidth of
// each layer against the estimate); for now: the highest live layer that is not above the wanted one.
#pragma once

#include <bit>
#include <cstdint>

namespace atrium::media {

inline constexpr int kNoLayer = -1;

// Bit i of `live` says that layer i has packets.  Where all live ones are above the wanted layer, the lowest of them:
// a picture that is too large is better than none.
constexpr int select_layer(uint32_t live, uint8_t wanted) {
  if (live == 0) return kNoLayer;
  const uint32_t allowed = live & ((2u << wanted) - 1);
  if (allowed == 0) return std::countr_zero(live);
  return 31 - std::countl_zero(allowed);
}

}  // namespace atrium::media
