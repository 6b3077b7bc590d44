#include "bench/bare_cipher.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include <algorithm>
#include <cstdlib>

namespace atrium::bench {
namespace {

void must(int ok) {
  if (ok <= 0) std::abort();
}

}  // namespace

BareCipher::BareCipher(Profile profile, uint32_t number, bool encrypts)
    : profile_(profile), cipher_(EVP_CIPHER_CTX_new()) {
  std::array<uint8_t, 16> key{};
  for (size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<uint8_t>(number >> (i % 4 * 8)) ^ static_cast<uint8_t>(i);
  for (size_t i = 0; i < salt_.size(); ++i) salt_[i] = static_cast<uint8_t>(number + i * 7);
  const bool is_gcm = profile == Profile::Gcm;
  must(EVP_CipherInit_ex(cipher_.get(), is_gcm ? EVP_aes_128_gcm() : EVP_aes_128_ctr(), nullptr,
                         key.data(), nullptr, encrypts ? 1 : 0));
  if (is_gcm) return;
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  mac_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char digest[] = "SHA1";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  must(EVP_MAC_init(mac_.get(), key.data(), key.size(), parameters));
}

void BareCipher::set_iv(const uint8_t* header) {
  std::array<uint8_t, 16> iv{};
  if (profile_ == Profile::Gcm) {
    std::copy_n(header + 8, 4, iv.begin() + 2);   // SSRC
    std::copy_n(header + 2, 2, iv.begin() + 10);  // sequence number, behind a rollover counter of 0
    for (size_t i = 0; i < 12; ++i) iv[i] ^= salt_[i];
  } else {
    std::copy_n(header + 8, 4, iv.begin() + 4);
    std::copy_n(header + 2, 2, iv.begin() + 12);
    for (size_t i = 0; i < 14; ++i) iv[i] ^= salt_[i];
  }
  must(EVP_CipherInit_ex(cipher_.get(), nullptr, nullptr, nullptr, iv.data(), -1));
}

void BareCipher::sign(std::span<const uint8_t> bytes, uint8_t* tag) {
  constexpr std::array<uint8_t, 4> kRollover{};
  std::array<uint8_t, 20> whole{};
  size_t size = 0;
  must(EVP_MAC_init(mac_.get(), nullptr, 0, nullptr));
  must(EVP_MAC_update(mac_.get(), bytes.data(), bytes.size()));
  must(EVP_MAC_update(mac_.get(), kRollover.data(), kRollover.size()));
  must(EVP_MAC_final(mac_.get(), whole.data(), &size, whole.size()));
  std::copy_n(whole.begin(), tag_length(Profile::CmSha1), tag);
}

size_t BareCipher::protect(std::span<const uint8_t, kRtpHeader> header,
                           std::span<const uint8_t> payload, uint8_t* out) {
  int done = 0;
  std::ranges::copy(header, out);
  set_iv(header.data());
  uint8_t* const body = out + kRtpHeader;
  uint8_t* const tag = body + payload.size();
  if (profile_ == Profile::Gcm)
    must(EVP_EncryptUpdate(cipher_.get(), nullptr, &done, header.data(), kRtpHeader));
  must(EVP_EncryptUpdate(cipher_.get(), body, &done, payload.data(),
                         static_cast<int>(payload.size())));
  if (profile_ == Profile::Gcm) {
    must(EVP_EncryptFinal_ex(cipher_.get(), tag, &done));
    must(EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_GET_TAG, 16, tag));
  } else {
    sign({out, kRtpHeader + payload.size()}, tag);
  }
  return kRtpHeader + payload.size() + tag_length(profile_);
}

bool BareCipher::unprotect(std::span<uint8_t> packet) {
  if (packet.size() < kRtpHeader + tag_length(profile_)) return false;
  int done = 0;
  const size_t size = packet.size() - kRtpHeader - tag_length(profile_);
  uint8_t* const body = packet.data() + kRtpHeader;
  uint8_t* const tag = body + size;
  set_iv(packet.data());
  if (profile_ == Profile::CmSha1) {
    std::array<uint8_t, 10> expected{};
    sign({packet.data(), kRtpHeader + size}, expected.data());
    if (CRYPTO_memcmp(expected.data(), tag, expected.size()) != 0) return false;
    return EVP_DecryptUpdate(cipher_.get(), body, &done, body, static_cast<int>(size)) > 0;
  }
  return EVP_DecryptUpdate(cipher_.get(), nullptr, &done, packet.data(), kRtpHeader) > 0 &&
         EVP_CIPHER_CTX_ctrl(cipher_.get(), EVP_CTRL_AEAD_SET_TAG, 16, tag) > 0 &&
         EVP_DecryptUpdate(cipher_.get(), body, &done, body, static_cast<int>(size)) > 0 &&
         EVP_DecryptFinal_ex(cipher_.get(), body + size, &done) > 0;
}

}  // namespace atrium::bench
