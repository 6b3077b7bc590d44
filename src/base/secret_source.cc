#include "base/secret_source.h"

#include <array>

namespace atrium {
namespace {
constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kSidLength = 17;  // 62^17 > 2^96
}  // namespace

uint64_t SecretSource::u64() {
  std::array<uint8_t, 8> raw{};
  fill(raw);
  uint64_t value = 0;
  for (uint8_t byte : raw) value = (value << 8) | byte;
  return value;
}

std::string SecretSource::base62(size_t count) {
  std::string out;
  out.reserve(count);
  while (out.size() < count) {
    std::array<uint8_t, 32> raw{};
    fill(raw);
    for (uint8_t byte : raw) {
      if (byte >= 248 || out.size() == count) continue;  // 248 = 4 * 62: keeps the choice uniform
      out.push_back(kAlphabet[byte % 62]);
    }
  }
  return out;
}

std::string SecretSource::sid(std::string_view prefix) {
  return std::string(prefix) + base62(kSidLength);
}

}  // namespace atrium
