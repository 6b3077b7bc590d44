#include "base/ip_prefix.h"

#include <algorithm>
#include <charconv>

namespace atrium {
namespace {

constexpr uint8_t kBitsV4 = 32, kBitsV6 = 128, kMappedBits = 96;

uint8_t bits_of(const IpAddress& address) {
  return address.is_v6 ? kBitsV6 : kBitsV4;
}

bool is_mapped(const IpAddress& address) {
  return address.is_v6 &&
         std::all_of(address.bytes.begin(), address.bytes.begin() + 10,
                     [](uint8_t byte) { return byte == 0; }) &&
         address.bytes[10] == 0xff && address.bytes[11] == 0xff;
}

}  // namespace

IpAddress unmapped(const IpAddress& address) {
  if (!is_mapped(address)) return address;
  IpAddress v4;
  std::copy_n(address.bytes.begin() + 12, 4, v4.bytes.begin());
  return v4;
}

IpPrefix IpPrefix::of(const IpAddress& address, uint8_t length) {
  IpPrefix prefix{address, std::min(length, bits_of(address))};
  for (size_t i = 0; i < prefix.network.bytes.size(); ++i) {
    const int kept = std::clamp(prefix.length - static_cast<int>(8 * i), 0, 8);
    prefix.network.bytes[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
  return prefix;
}

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  int length = bits_of(*address);
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    int given = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), given);
    const bool is_number = error == std::errc() && end == digits.data() + digits.size();
    if (!is_number || given < 0 || given > length) return std::nullopt;
    length = given;
  }
  if (is_mapped(*address) && length >= kMappedBits)
    return of(unmapped(*address), static_cast<uint8_t>(length - kMappedBits));
  return of(*address, static_cast<uint8_t>(length));
}

bool IpPrefix::contains(const IpAddress& address) const {
  const IpAddress plain = unmapped(address);
  return plain.is_v6 == network.is_v6 && of(plain, length).network == network;
}

std::string IpPrefix::text() const {
  if (length == bits_of(network)) return network.text();
  return network.text() + "/" + std::to_string(length);
}

}  // namespace atrium
