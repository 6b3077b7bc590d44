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
  // prefix + 17 base-62 characters: RM_, PA_, TR_, OP_, EV_ (DESIGN section 4).  Seven say when it was made, ten are
  // random (59 bits): what was made one after the other lies side by side in the store's trees
  // (docs/decisions/sids-in-order.md).  Nobody is let in for knowing one.
  std::string sid(std::string_view prefix);

 protected:
  // Milliseconds of some clock, or any number that does not fall.
  virtual uint64_t order() { return 0; }
};

// RAND_bytes; aborts when the system has no randomness to give.
class OpenSslSecretSource final : public SecretSource {
 public:
  // `order`: see above; may be called from any thread.  Null: sids in no order.
  explicit OpenSslSecretSource(uint64_t (*order)() = nullptr) : order_(order) {}
  void fill(std::span<uint8_t> out) override;

 protected:
  uint64_t order() override { return order_ == nullptr ? 0 : order_(); }

 private:
  uint64_t (*order_)();
};

}  // namespace atrium
