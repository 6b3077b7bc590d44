#include "base/secret_source.h"

#include <array>
#include <ranges>

namespace atrium {
namespace {
constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
// 62^7 milliseconds are 111 years.
constexpr size_t kOrderLength = 7, kRandomLength = 10;
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
  std::array<char, kOrderLength> when{};
  uint64_t rest = order();
  for (char& digit : when | std::views::reverse) {
    digit = kAlphabet[rest % 62];
    rest /= 62;
  }
  std::string out(prefix);
  out.append(when.data(), when.size());
  return out += base62(kRandomLength);
}

}  // namespace atrium
