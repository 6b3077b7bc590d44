// SeededSecretSource: repeatable "randomness" for tests, fuzzers and the simulator only.  Header-only so that nothing
// of it can be linked into the daemon by accident; tools/check_symbols proves that it is not.
#pragma once

#include "base/secret_source.h"

namespace atrium {

class SeededSecretSource final : public SecretSource {
 public:
  explicit SeededSecretSource(uint64_t seed) : state_(seed) {}
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(next() >> 56);
  }
  // SplitMix64.
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 protected:
  uint64_t order() override { return ++sids_; }

 private:
  uint64_t state_;
  uint64_t sids_ = 0;
};

}  // namespace atrium
