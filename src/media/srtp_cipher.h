// SrtpCipher: the cryptography of one SRTP or SRTCP session key; knows no packet layout.  Owner:
// SrtpInbound, SrtpOutbound. RFC 3711 sections 4.1.1 (AES-CM), 4.2.1 (HMAC-SHA1), 4.3 (key
// derivation); RFC 7714 sections 8 and 9 (AEAD nonces). The cipher's context is keyed once; a
// packet costs one nonce, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "media/srtp.h"

struct evp_cipher_ctx_st;  // libcrypto's, seen by srtp_cipher.cc alone

namespace atrium::media {

enum class SrtpKeyUse : uint8_t { Rtp, Rtcp };
enum class SrtpDirection : uint8_t { Seal, Open };

struct SrtpSessionKeys {
  std::array<uint8_t, 32> encryption{};
  std::array<uint8_t, 14> salt{};
  std::array<uint8_t, 20> authentication{};  // AES-CM profile only
};
// RFC 3711 section 4.3, key derivation rate 0; a 12-byte master salt is followed by two zero bytes
// (RFC 7714 section 11).
Result<SrtpSessionKeys> derive_session_keys(SrtpProfile profile, ByteView key, ByteView salt,
                                            SrtpKeyUse use);

// What makes the nonce: the stream and its 48-bit SRTP or 31-bit SRTCP index.
struct SrtpNonce {
  uint32_t ssrc = 0;
  uint64_t index = 0;
};

class SrtpCipher {
 public:
  static Result<SrtpCipher> create(SrtpProfile profile, const SrtpSessionKeys& keys,
                                   SrtpDirection direction);
  SrtpCipher(SrtpCipher&&) noexcept;
  SrtpCipher& operator=(SrtpCipher&&) noexcept;
  ~SrtpCipher();

  // Encrypts the parts one after another into `ciphertext` (exactly their size).  `tag` authenticates
  // clear ‖ parts ‖ tail; clear and tail are not encrypted.  False: libcrypto failed, write nothing to the wire.
  bool seal(SrtpNonce nonce, ByteView clear, std::span<const ByteView> parts, ByteView tail,
            ByteSpan ciphertext, ByteSpan tag);
  // In place; false: not authentic.
  bool open(SrtpNonce nonce, ByteView clear, ByteSpan body, ByteView tail, ByteView tag);

 private:
  struct Mac;  // HMAC-SHA1 with both pads hashed in advance
  struct FreeContext {
    void operator()(evp_cipher_ctx_st* context) const;
  };
  SrtpCipher() = default;
  bool set_nonce(SrtpNonce nonce);
  bool seal_gcm(ByteView clear, std::span<const ByteView> parts, ByteView tail, ByteSpan ciphertext,
                ByteSpan tag);
  bool open_gcm(ByteView clear, ByteSpan body, ByteView tail, ByteView tag);
  bool crypt_parts(std::span<const ByteView> parts, uint8_t* out);

  SrtpProfile profile_ = SrtpProfile::AeadAes128Gcm;
  std::array<uint8_t, 14> salt_{};
  std::unique_ptr<evp_cipher_ctx_st, FreeContext> context_;
  std::unique_ptr<Mac> mac_;  // AES-CM profile only
};

}  // namespace atrium::media
