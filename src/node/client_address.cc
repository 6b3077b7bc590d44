#include "node/client_address.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace atrium::node {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_forwarded_for(std::string_view name) {
  constexpr std::string_view kName = "x-forwarded-for";
  return std::ranges::equal(name, kName, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711".
std::optional<IpAddress> hop_address(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
  if (text.front() == '[') return IpAddress::parse(text.substr(1, text.find(']') - 1));
  if (const auto address = IpAddress::parse(text)) return address;
  return IpAddress::parse(text.substr(0, text.find(':')));
}

// Left to right, all headers of the name in their order.
std::vector<std::string_view> hops_of(const HttpRequest& request) {
  std::vector<std::string_view> hops;
  for (const auto& [name, value] : request.headers) {
    if (!is_forwarded_for(name)) continue;
    std::string_view rest = value;
    while (true) {
      const size_t comma = rest.find(',');
      hops.push_back(rest.substr(0, comma));
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return hops;
}

}  // namespace

IpAddress client_address(const HttpRequest& request, std::span<const IpPrefix> trusted_proxies) {
  const auto is_trusted = [&](const IpAddress& address) {
    return std::ranges::any_of(trusted_proxies,
                               [&](const IpPrefix& range) { return range.contains(address); });
  };
  IpAddress address = unmapped(request.peer.ip);
  if (request.is_proxied) return address;
  const std::vector<std::string_view> hops = hops_of(request);
  for (auto hop = hops.rbegin(); hop != hops.rend() && is_trusted(address); ++hop) {
    const auto next = hop_address(*hop);
    if (!next) break;
    address = unmapped(*next);
  }
  return address;
}

}  // namespace atrium::node
