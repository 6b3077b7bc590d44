// Hashes, MACs, sealing, base64 and constant-time compare.  crypto.cc is the one file of base that includes libcrypto.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

struct evp_mac_ctx_st;  // libcrypto's EVP_MAC_CTX

namespace atrium {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(ByteView data);
Sha256 hmac_sha256(ByteView key, ByteView data);
// HMAC-SHA-256 under one key, which is prepared once: for keys that make more than one MAC.  Its memory is as secret as
// the key and wiped at the end.  Not for two threads at once.
class HmacSha256 {
 public:
  explicit HmacSha256(ByteView key);
  Sha256 of(ByteView data) const;

 private:
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
};
std::array<uint8_t, 20> hmac_sha1(ByteView key, ByteView data);
bool constant_time_equal(ByteView a, ByteView b);  // lengths may leak, contents may not

std::string hex(ByteView data);                        // lower case
std::optional<Bytes> from_hex(std::string_view text);  // either case; even length
std::string base64(ByteView data);                     // standard alphabet, padded
std::string base64url(ByteView data);                  // URL alphabet, no padding
// Standard or URL alphabet, padding optional but correct where given; nullopt for anything else.
std::optional<Bytes> from_base64(std::string_view text);
std::optional<Bytes> from_base64url(std::string_view text);

// AES-256-GCM (SP 800-38D).  What is sealed is nonce, ciphertext and tag; it opens only with the same key and context.
using SealingKey = std::array<uint8_t, 32>;
using SealingNonce = std::array<uint8_t, 12>;  // never twice under one key: random
Bytes seal(const SealingKey& key, const SealingNonce& nonce, std::string_view context,
           ByteView plain);
std::optional<Bytes> unseal(const SealingKey& key, std::string_view context, ByteView sealed);

}  // namespace atrium
