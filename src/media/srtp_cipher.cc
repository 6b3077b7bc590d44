// The low-level SHA1 calls are marked deprecated in favour of EVP_MAC, which allocates for each packet in OpenSSL
// 3.0.
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include "media/srtp_cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace atrium::media {
namespace {

constexpr size_t kShaBlock = 64;

// Looked up once: the EVP_aes_… functions leave that to each initialisation.
const EVP_CIPHER* cipher_of(SrtpProfile profile) {
  static EVP_CIPHER* const gcm_128 = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  static EVP_CIPHER* const gcm_256 = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  static EVP_CIPHER* const ctr_128 = EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr);
  switch (profile) {
    case SrtpProfile::AeadAes128Gcm:
      return gcm_128;
    case SrtpProfile::AeadAes256Gcm:
      return gcm_256;
    case SrtpProfile::Aes128CmSha1_80:
      return ctr_128;
  }
  return nullptr;
}
const EVP_CIPHER* prf_of(SrtpProfile profile) {
  static EVP_CIPHER* const ctr_256 = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
  return srtp_key_length(profile) == 32 ? ctr_256 : cipher_of(SrtpProfile::Aes128CmSha1_80);
}

// RFC 3711 section 4.3.1: the derivation labels, counted from the use's first one.
enum class Label : uint8_t { Encryption = 0, Authentication = 1, Salt = 2 };

// The PRF of RFC 3711 section 4.3.3 under one master key: AES-CM of zeros, with the label in the eighth byte of the
// salt from its right end.
class KeyDerivation {
 public:
  KeyDerivation(SrtpProfile profile, ByteView key, ByteView salt) : context_(EVP_CIPHER_CTX_new()) {
    std::copy(salt.begin(), salt.end(), salt_.begin());
    is_good_ = context_ && EVP_EncryptInit_ex(context_.get(), prf_of(profile), nullptr, key.data(),
                                              nullptr) == 1;
  }
  ~KeyDerivation() { OPENSSL_cleanse(salt_.data(), salt_.size()); }
  KeyDerivation(const KeyDerivation&) = delete;
  KeyDerivation& operator=(const KeyDerivation&) = delete;

  bool derive(uint8_t label, ByteSpan out) {
    std::array<uint8_t, 16> iv = salt_;
    iv[7] ^= label;
    constexpr std::array<uint8_t, 32> kZeros{};
    CHECK(out.size() <= kZeros.size());
    int written = 0;
    is_good_ = is_good_ &&
               EVP_EncryptInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data()) == 1 &&
               EVP_EncryptUpdate(context_.get(), out.data(), &written, kZeros.data(),
                                 static_cast<int>(out.size())) == 1 &&
               static_cast<size_t>(written) == out.size();
    return is_good_;
  }

 private:
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
  std::array<uint8_t, 16> salt_{};
  bool is_good_ = false;
};

}  // namespace

Result<SrtpSessionKeys> derive_session_keys(SrtpProfile profile, ByteView key, ByteView salt,
                                            SrtpKeyUse use) {
  const size_t key_length = srtp_key_length(profile);
  const size_t salt_length = srtp_salt_length(profile);
  if (key.size() != key_length || salt.size() != salt_length)
    return malformed("SRTP master key or salt has the wrong length");
  const uint8_t first_label = use == SrtpKeyUse::Rtp ? 0 : 3;
  auto label = [first_label](Label which) {
    return static_cast<uint8_t>(first_label + static_cast<uint8_t>(which));
  };
  SrtpSessionKeys keys;
  KeyDerivation prf(profile, key, salt);
  const bool ok =
      prf.derive(label(Label::Encryption), ByteSpan(keys.encryption).first(key_length)) &&
      prf.derive(label(Label::Salt), ByteSpan(keys.salt).first(salt_length)) &&
      prf.derive(label(Label::Authentication), keys.authentication);
  if (!ok) return fail(ErrorKind::Internal, "libcrypto refused the SRTP key derivation");
  return keys;
}

struct SrtpCipher::Mac {
  SHA_CTX inner, outer;

  explicit Mac(const std::array<uint8_t, 20>& key) {
    std::array<uint8_t, kShaBlock> pad{};
    std::copy(key.begin(), key.end(), pad.begin());
    for (uint8_t& byte : pad) byte ^= 0x36;
    SHA1_Init(&inner);
    SHA1_Update(&inner, pad.data(), pad.size());
    for (uint8_t& byte : pad) byte ^= 0x36 ^ 0x5c;
    SHA1_Init(&outer);
    SHA1_Update(&outer, pad.data(), pad.size());
    OPENSSL_cleanse(pad.data(), pad.size());
  }
  ~Mac() {
    OPENSSL_cleanse(&inner, sizeof(inner));
    OPENSSL_cleanse(&outer, sizeof(outer));
  }
  std::array<uint8_t, 20> of(ByteView clear, ByteView body, ByteView tail) const {
    std::array<uint8_t, 20> digest;
    SHA_CTX sha = inner;
    SHA1_Update(&sha, clear.data(), clear.size());
    SHA1_Update(&sha, body.data(), body.size());
    SHA1_Update(&sha, tail.data(), tail.size());
    SHA1_Final(digest.data(), &sha);
    sha = outer;
    SHA1_Update(&sha, digest.data(), digest.size());
    SHA1_Final(digest.data(), &sha);
    return digest;
  }
};

void SrtpCipher::FreeContext::operator()(evp_cipher_ctx_st* context) const {
  EVP_CIPHER_CTX_free(context);
}

SrtpCipher::SrtpCipher(SrtpCipher&&) noexcept = default;
SrtpCipher& SrtpCipher::operator=(SrtpCipher&&) noexcept = default;
SrtpCipher::~SrtpCipher() {
  OPENSSL_cleanse(salt_.data(), salt_.size());
}

Result<SrtpCipher> SrtpCipher::create(SrtpProfile profile, const SrtpSessionKeys& keys,
                                      SrtpDirection direction) {
  SrtpCipher cipher;
  cipher.profile_ = profile;
  cipher.salt_ = keys.salt;
  cipher.context_.reset(EVP_CIPHER_CTX_new());
  // Counter mode deciphers by enciphering.
  const bool is_cm = profile == SrtpProfile::Aes128CmSha1_80;
  const int encrypt = is_cm || direction == SrtpDirection::Seal ? 1 : 0;
  if (!cipher.context_ || EVP_CipherInit_ex(cipher.context_.get(), cipher_of(profile), nullptr,
                                            keys.encryption.data(), nullptr, encrypt) != 1)
    return fail(ErrorKind::Internal, "libcrypto refused the SRTP cipher");
  if (is_cm) cipher.mac_ = std::make_unique<Mac>(keys.authentication);
  return cipher;
}

// RFC 3711 section 4.1.1 and RFC 7714 sections 8.1, 9.1: the session salt, with SSRC and 48-bit index folded in.
// They
// lie alike in both, but that AES-CM has two more leading bytes of salt and its block counter behind.
bool SrtpCipher::set_nonce(SrtpNonce nonce) {
  std::array<uint8_t, 16> iv{};
  std::copy(salt_.begin(), salt_.end(), iv.begin());
  const size_t at = profile_ == SrtpProfile::Aes128CmSha1_80 ? 4 : 2;
  for (size_t i = 0; i < 4; ++i) iv[at + i] ^= static_cast<uint8_t>(nonce.ssrc >> (24 - 8 * i));
  for (size_t i = 0; i < 6; ++i)
    iv[at + 4 + i] ^= static_cast<uint8_t>(nonce.index >> (40 - 8 * i));
  return EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, iv.data(), -1) == 1;
}

bool SrtpCipher::crypt_parts(std::span<const ByteView> parts, uint8_t* out) {
  for (ByteView part : parts) {
    if (part.empty()) continue;
    int written = 0;
    if (EVP_CipherUpdate(context_.get(), out, &written, part.data(),
                         static_cast<int>(part.size())) != 1 ||
        static_cast<size_t>(written) != part.size())
      return false;
    out += part.size();
  }
  return true;
}

bool SrtpCipher::seal_gcm(ByteView clear, std::span<const ByteView> parts, ByteView tail,
                          ByteSpan ciphertext, ByteSpan tag) {
  EVP_CIPHER_CTX* context = context_.get();
  int written = 0;
  if (EVP_CipherUpdate(context, nullptr, &written, clear.data(), static_cast<int>(clear.size())) !=
      1)
    return false;
  if (!tail.empty() &&
      EVP_CipherUpdate(context, nullptr, &written, tail.data(), static_cast<int>(tail.size())) != 1)
    return false;
  if (!crypt_parts(parts, ciphertext.data())) return false;
  uint8_t none[16];
  return EVP_CipherFinal_ex(context, none, &written) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                             tag.data()) == 1;
}

bool SrtpCipher::open_gcm(ByteView clear, ByteSpan body, ByteView tail, ByteView tag) {
  EVP_CIPHER_CTX* context = context_.get();
  int written = 0;
  uint8_t expected[16];
  std::copy(tag.begin(), tag.end(), expected);
  if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(expected), expected) != 1)
    return false;
  if (EVP_CipherUpdate(context, nullptr, &written, clear.data(), static_cast<int>(clear.size())) !=
      1)
    return false;
  if (!tail.empty() &&
      EVP_CipherUpdate(context, nullptr, &written, tail.data(), static_cast<int>(tail.size())) != 1)
    return false;
  const ByteView part = body;
  if (!crypt_parts(std::span(&part, 1), body.data())) return false;
  uint8_t none[16];
  return EVP_CipherFinal_ex(context, none, &written) == 1;
}

bool SrtpCipher::seal(SrtpNonce nonce, ByteView clear, std::span<const ByteView> parts,
                      ByteView tail, ByteSpan ciphertext, ByteSpan tag) {
  DCHECK(tag.size() == srtp_tag_length(profile_));
  if (!set_nonce(nonce)) return false;
  if (!mac_) return seal_gcm(clear, parts, tail, ciphertext, tag);
  if (!crypt_parts(parts, ciphertext.data())) return false;
  const auto digest = mac_->of(clear, ciphertext, tail);
  std::copy_n(digest.begin(), tag.size(), tag.begin());
  return true;
}

bool SrtpCipher::open(SrtpNonce nonce, ByteView clear, ByteSpan body, ByteView tail, ByteView tag) {
  DCHECK(tag.size() == srtp_tag_length(profile_));
  if (!set_nonce(nonce)) return false;
  if (!mac_) return open_gcm(clear, body, tail, tag);
  const auto digest = mac_->of(clear, body, tail);
  if (CRYPTO_memcmp(digest.data(), tag.data(), tag.size()) != 0) return false;
  const ByteView part = body;
  return crypt_parts(std::span(&part, 1), body.data());
}

}  // namespace atrium::media
