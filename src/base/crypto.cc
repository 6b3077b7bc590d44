#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"
#include "base/secret_source.h"

namespace atrium {
namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrl[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// "00" to "ff": signatures and hashes are written for every signed call.
constexpr auto kHexPairs = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> out{};
  for (size_t byte = 0; byte < out.size(); ++byte)
    out[byte] = {kDigits[byte >> 4], kDigits[byte & 15]};
  return out;
}();

std::string encode64(ByteView data, const char* alphabet, bool pad) {
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (size_t i = 0; i < data.size(); i += 3) {
    const size_t left = data.size() - i;
    const uint32_t group = (uint32_t{data[i]} << 16) | (left > 1 ? uint32_t{data[i + 1]} << 8 : 0) |
                           (left > 2 ? uint32_t{data[i + 2]} : 0);
    out.push_back(alphabet[group >> 18]);
    out.push_back(alphabet[(group >> 12) & 63]);
    if (left > 1) out.push_back(alphabet[(group >> 6) & 63]);
    if (left > 2) out.push_back(alphabet[group & 63]);
    if (pad && left < 3) out.append(3 - left, '=');
  }
  return out;
}

// By character: its six bits where the first to fourth of a group has them, or kNo.  Tables: offers of 16 kB arrive in
// this form.
constexpr uint32_t kNo = 1u << 31;
using Digits64 = std::array<std::array<uint32_t, 256>, 4>;
constexpr Digits64 digits64(std::string_view alphabet) {
  Digits64 out{};
  for (uint32_t place = 0; place < 4; ++place) {
    out[place].fill(kNo);
    for (uint32_t i = 0; i < 64; ++i)
      out[place][static_cast<uint8_t>(alphabet[i])] = i << (18 - 6 * place);
  }
  return out;
}
constexpr Digits64 kStandardDigits = digits64(kStandard), kUrlDigits = digits64(kUrl);

std::optional<Bytes> decode64(std::string_view text, const Digits64& digits) {
  const size_t full = text.size();
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  const size_t padding = full - text.size();
  if (padding > 2 || (padding != 0 && full % 4 != 0) || text.size() % 4 == 1) return std::nullopt;
  Bytes out(text.size() * 3 / 4);
  uint8_t* to = out.data();
  uint32_t seen = 0;  // the bits of all groups: kNo's too where a character is none
  const auto bits = [&](size_t at, size_t place) {
    return digits[place][static_cast<uint8_t>(text[at + place])];
  };
  const size_t whole = text.size() / 4 * 4;
  for (size_t at = 0; at < whole; at += 4, to += 3) {
    const uint32_t group = bits(at, 0) | bits(at, 1) | bits(at, 2) | bits(at, 3);
    seen |= group;
    to[0] = static_cast<uint8_t>(group >> 16);
    to[1] = static_cast<uint8_t>(group >> 8);
    to[2] = static_cast<uint8_t>(group);
  }
  // None, two or three digits: no byte, one or two; what is over must be zero, so that a value has one text.
  uint32_t group = 0;
  for (size_t place = 0; whole + place < text.size(); ++place) group |= bits(whole, place);
  seen |= group;
  const size_t bytes = (text.size() - whole) * 3 / 4;
  if ((seen & kNo) != 0 || (group & (0xffffffu >> (8 * bytes))) != 0) return std::nullopt;
  for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<uint8_t>(group >> (16 - 8 * i));
  return out;
}

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free>;
using HmacContext = std::unique_ptr<EVP_MAC_CTX, Free>;

EVP_MAC_CTX* make_hmac_sha256() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(algorithm);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  CHECK(context != nullptr && EVP_MAC_CTX_set_params(context, parameters) == 1);
  return context;
}

void set_key(EVP_MAC_CTX* context, ByteView key) {
  constexpr uint8_t kNoKey = 0;  // an empty key is a key; a null one means the one before
  CHECK(EVP_MAC_init(context, key.empty() ? &kNoKey : key.data(), key.size(), nullptr) == 1);
}

// `context` is at its start, under its key.
Sha256 mac_of(EVP_MAC_CTX* context, ByteView data) {
  Sha256 out{};
  size_t length = 0;
  CHECK(EVP_MAC_update(context, data.data(), data.size()) == 1 &&
        EVP_MAC_final(context, out.data(), &length, out.size()) == 1);
  return out;
}

Sha256 digest_of(ByteView data) {
  // What the one-shot functions do on each call: look the algorithm up and make a context.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const DigestContext context(EVP_MD_CTX_new());
  Sha256 out{};
  CHECK(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
        EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1 &&
        EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
  return out;
}

}  // namespace

Sha256 sha256(ByteView data) {
  static const Sha256 of_nothing = digest_of({});  // the body of every GET
  return data.empty() ? of_nothing : digest_of(data);
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
  thread_local const HmacContext context(make_hmac_sha256());
  set_key(context.get(), key);
  return mac_of(context.get(), data);
}

HmacSha256::HmacSha256(ByteView key) : context_(make_hmac_sha256()) {
  set_key(context_.get(), key);
}

Sha256 HmacSha256::of(ByteView data) const {
  CHECK(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) ==
        1);  // back to the start, with the same key
  return mac_of(context_.get(), data);
}

void HmacSha256::Free::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

std::array<uint8_t, 20> hmac_sha1(ByteView key, ByteView data) {
  std::array<uint8_t, 20> out{};
  unsigned int length = 0;
  CHECK(HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), data.data(), data.size(),
             out.data(), &length) != nullptr);
  return out;
}

bool constant_time_equal(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string hex(ByteView data) {
  std::string out(data.size() * 2, '\0');
  char* place = out.data();
  for (uint8_t byte : data) place = std::ranges::copy(kHexPairs[byte], place).out;
  return out;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return out;
}

std::string base64(ByteView data) {
  return encode64(data, kStandard, true);
}
std::string base64url(ByteView data) {
  return encode64(data, kUrl, false);
}
std::optional<Bytes> from_base64(std::string_view text) {
  return decode64(text, kStandardDigits);
}
std::optional<Bytes> from_base64url(std::string_view text) {
  return decode64(text, kUrlDigits);
}

namespace {

constexpr size_t kTagBytes = 16;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

int size_of(std::string_view text) {
  return static_cast<int>(text.size());
}

}  // namespace

Bytes seal(const SealingKey& key, const SealingNonce& nonce, std::string_view context,
           ByteView plain) {
  Bytes out(nonce.size() + plain.size() + kTagBytes);
  std::ranges::copy(nonce, out.begin());
  uint8_t* text = out.data() + nonce.size();
  const CipherContext cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int written = 0;
  CHECK(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) ==
        1);
  CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &written, as_bytes(context).data(),
                          size_of(context)) == 1);
  CHECK(EVP_EncryptUpdate(cipher.get(), text, &written, plain.data(),
                          static_cast<int>(plain.size())) == 1);
  CHECK(EVP_EncryptFinal_ex(cipher.get(), text + written, &written) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, text + plain.size()) ==
        1);
  return out;
}

std::optional<Bytes> unseal(const SealingKey& key, std::string_view context, ByteView sealed) {
  if (sealed.size() < SealingNonce().size() + kTagBytes) return std::nullopt;
  const ByteView nonce = sealed.first(SealingNonce().size());
  const ByteView text = sealed.subspan(nonce.size(), sealed.size() - nonce.size() - kTagBytes);
  Bytes tag(sealed.end() - kTagBytes, sealed.end());
  Bytes out(text.size() + 1);  // never a null pointer
  const CipherContext cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  int written = 0, rest = 0;
  CHECK(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) ==
        1);
  CHECK(EVP_DecryptUpdate(cipher.get(), nullptr, &written, as_bytes(context).data(),
                          size_of(context)) == 1);
  CHECK(EVP_DecryptUpdate(cipher.get(), out.data(), &written, text.data(),
                          static_cast<int>(text.size())) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), out.data() + written, &rest) != 1) return std::nullopt;
  out.resize(text.size());
  return out;
}

namespace {

// Each call of RAND_bytes asks the system which process this is, so small draws share one.  What was given away is
// wiped.
class RandomPool {
 public:
  RandomPool() = default;
  ~RandomPool() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  RandomPool(const RandomPool&) = delete;
  RandomPool& operator=(const RandomPool&) = delete;

  static void draw(std::span<uint8_t> out) {
    CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
  }
  // At most kShare bytes.
  void fill(std::span<uint8_t> out) {
    if (left_ < out.size()) {
      draw(bytes_);
      left_ = bytes_.size();
    }
    left_ -= out.size();
    const auto taken = std::span(bytes_).subspan(left_, out.size());
    std::ranges::copy(taken, out.begin());
    OPENSSL_cleanse(taken.data(), taken.size());
  }
  static constexpr size_t kShare = 64;

 private:
  std::array<uint8_t, 1'024> bytes_{};
  size_t left_ = 0;
};

}  // namespace

void OpenSslSecretSource::fill(std::span<uint8_t> out) {
  thread_local RandomPool pool;
  if (out.size() > RandomPool::kShare) return RandomPool::draw(out);
  pool.fill(out);
}

}  // namespace atrium
