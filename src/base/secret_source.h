// SecretSource: where ufrags, passwords, SSRCs, sids and nonces come from.  A port: the daemon gives
// OpenSslSecretSource
// (base/crypto.cc); tests and the simulator give SeededSecretSource, which CI proves absent from the daemon's
// symbols.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace atrium {

class SecretSource {
 public:
  virtual ~SecretSource() = default;
  virtual void fill(std::span<uint8_t> out) = 0;

  uint64_t u64();
  uint32_t u32() { return static_cast<uint32_t>(u64()); }
  // `count` characters of [0-9A-Za-z], each uniformly chosen.
  std::string base62(size_t count);
  // prefix + 96 random bits as 17 base-62 characters: RM_, PA_, TR_, OP_, EV_ (DESIGN section 4).
  std::string sid(std::string_view prefix);
};

// RAND_bytes; aborts when the system has no randomness to give.
class OpenSslSecretSource final : public SecretSource {
 public:
  void fill(std::span<uint8_t> out) override;
};

}  // namespace atrium
