// BareCipher: the fewest steps that make SRTP of a packet with libcrypto, for the bare limit alone.  No replay check,
// no key derivation, rollover counter 0.  RFC 7714 (AEAD_AES_128_GCM), RFC 3711 (AES_CM_128_HMAC_SHA1_80).
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace atrium::bench {

enum class Profile : uint8_t { Gcm, CmSha1 };
inline constexpr size_t kRtpHeader = 12;

constexpr size_t tag_length(Profile profile) {
  return profile == Profile::Gcm ? 16 : 10;
}

// One direction of one peer; its key is made from `number`, the same at both ends.
class BareCipher {
 public:
  BareCipher(Profile profile, uint32_t number, bool encrypts);

  // `header` goes in the clear; writes header, encrypted payload and tag to `out` and yields how many bytes that is.
  size_t protect(std::span<const uint8_t, kRtpHeader> header, std::span<const uint8_t> payload,
                 uint8_t* out);
  // In place.  False: the tag is wrong.
  bool unprotect(std::span<uint8_t> packet);

 private:
  void set_iv(const uint8_t* header);
  void sign(std::span<const uint8_t> bytes, uint8_t* tag);

  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  const Profile profile_;
  std::unique_ptr<EVP_CIPHER_CTX, Free> cipher_;
  std::unique_ptr<EVP_MAC_CTX, Free> mac_;
  std::array<uint8_t, 14> salt_{};
};

}  // namespace atrium::bench
