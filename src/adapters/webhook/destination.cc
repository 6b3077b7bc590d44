#include "adapters/webhook/destination.h"

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::webhook {
namespace {

namespace urls = boost::urls;

constexpr uint16_t kHttpPort = 80, kHttpsPort = 443;
constexpr size_t kNameMax = 253, kLabelMax = 63;  // RFC 1035 section 2.3.4

// --- the URL -------------------------------------------------------------------------------------

std::unexpected<std::string> wrong(std::string why) {
  return std::unexpected(std::move(why));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_label(std::string_view label) {
  const auto is_inner = [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; };
  return !label.empty() && label.size() <= kLabelMax && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, is_inner);
}

// A name whose last label is a number would be read by resolvers as an address in some old spelling: 127.1,
// 2130706433, 0x7f.1 (WHATWG URL, "ends in a number").
bool ends_in_number(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return last.starts_with("0x") || std::ranges::all_of(last, is_digit);
}

bool is_domain_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kNameMax || ends_in_number(name)) return false;
  while (true) {
    const size_t dot = name.find('.');
    if (!is_label(name.substr(0, dot))) return false;
    if (dot == name.npos) return true;
    name.remove_prefix(dot + 1);
  }
}

std::expected<std::string, std::string> host_of(const urls::url_view& url) {
  const std::string_view text(url.encoded_host());
  switch (url.host_type()) {
    case urls::host_type::ipv4:
      return std::string(text);
    case urls::host_type::ipv6: {
      const std::string_view inner = text.substr(1, text.size() - 2);  // without the brackets
      const auto address = IpAddress::parse(inner);
      if (!address) return wrong("URL: its IPv6 address is not one; a zone cannot be given.");
      return address->text();
    }
    case urls::host_type::name: {
      std::string name = lower(text);
      if (name.empty()) return wrong("URL: it names no host.");
      if (!is_domain_name(name))
        return wrong(
            "URL: its host must be a domain name of letters, digits and hyphens, or an address.");
      return name;
    }
    default:
      return wrong("URL: its host must be a domain name or an address.");
  }
}

std::expected<uint16_t, std::string> port_of(const urls::url_view& url, bool is_tls) {
  if (!url.has_port() || url.port().empty()) return is_tls ? kHttpsPort : kHttpPort;
  const uint16_t port = url.port_number();  // 0 where it is none
  if (port == 0) return wrong("URL: its port must be 1 to 65535.");
  return port;
}

std::string host_header_of(const Destination& destination) {
  const bool is_v6 = destination.host.find(':') != std::string::npos;
  std::string out = is_v6 ? "[" + destination.host + "]" : destination.host;
  const uint16_t own_port = destination.is_tls ? kHttpsPort : kHttpPort;
  if (destination.port != own_port) out += ":" + std::to_string(destination.port);
  return out;
}

// --- addresses -----------------------------------------------------------------------------------

struct Embedding {
  IpPrefix range;
  size_t at;         // byte of the IPv6 address at which the IPv4 address begins
  bool is_inverted;  // Teredo: all bits flipped
};

std::vector<IpPrefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<IpPrefix> out;
  for (const char* text : texts) {
    const auto prefix = IpPrefix::parse(text);
    CHECK(prefix.has_value());
    out.push_back(*prefix);
  }
  return out;
}

// IANA's special-purpose registries (RFC 6890) and multicast: nothing that is meant for the whole Internet.
const std::vector<IpPrefix>& refused_ranges() {
  static const std::vector<IpPrefix> kRanges = prefixes({
      "0.0.0.0/8",        // this network; 0.0.0.0 reaches this host
      "10.0.0.0/8",       // private
      "100.64.0.0/10",    // shared, carrier-grade NAT
      "127.0.0.0/8",      // loopback
      "169.254.0.0/16",   // link-local, metadata services
      "172.16.0.0/12",    // private
      "192.0.0.0/24",     // IETF protocol assignments
      "192.0.2.0/24",     // documentation
      "192.88.99.0/24",   // 6to4 relays, given up
      "192.168.0.0/16",   // private
      "198.18.0.0/15",    // benchmarks
      "198.51.100.0/24",  // documentation
      "203.0.113.0/24",   // documentation
      "224.0.0.0/4",      // multicast
      "240.0.0.0/4",      // reserved, and broadcast
      "::/128",           // unspecified
      "::1/128",          // loopback
      "64:ff9b:1::/48",   // NAT64 of a private network: leads wherever that network says
      "100::/64",         // discard
      "2001:2::/48",      // benchmarks
      "2001:10::/28",     // ORCHID, given up
      "2001:20::/28",     // ORCHIDv2
      "2001:db8::/32",    // documentation
      "3fff::/20",        // documentation
      "5f00::/16",        // segment routing
      "fc00::/7",         // unique local
      "fe80::/10",        // link-local
      "fec0::/10",        // site-local, given up
      "ff00::/8",         // multicast
  });
  return kRanges;
}

const std::vector<Embedding>& embeddings() {
  static const std::vector<Embedding> kEmbeddings{
      {*IpPrefix::parse("::/96"), 12, false},            // IPv4-compatible
      {*IpPrefix::parse("::ffff:0:0:0/96"), 12, false},  // IPv4-translated (RFC 2765)
      {*IpPrefix::parse("64:ff9b::/96"), 12, false},     // NAT64 (RFC 6052)
      {*IpPrefix::parse("2002::/16"), 2, false},         // 6to4 (RFC 3056)
      {*IpPrefix::parse("2001::/32"), 4, false},         // Teredo's server (RFC 4380)
      {*IpPrefix::parse("2001::/32"), 12, true},         // Teredo's client
  };
  return kEmbeddings;
}

IpAddress embedded_v4(const IpAddress& address, const Embedding& embedding) {
  IpAddress v4;
  for (size_t i = 0; i < 4; ++i)
    v4.bytes[i] = static_cast<uint8_t>(address.bytes[embedding.at + i] ^
                                       (embedding.is_inverted ? 0xff : 0x00));
  return v4;
}

bool is_in(std::span<const IpPrefix> ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges,
                             [&](const IpPrefix& range) { return range.contains(address); });
}

}  // namespace

std::expected<Destination, std::string> parse_destination(std::string_view text) {
  if (text.empty()) return wrong("URL: it is empty.");
  if (text.size() > static_cast<size_t>(limits::kWebhookUrlBytesMax))
    return wrong("URL: at most " + std::to_string(limits::kWebhookUrlBytesMax) + " bytes.");
  const auto parsed = urls::parse_uri(urls::string_view(text.data(), text.size()));
  if (!parsed)
    return wrong("URL: not a well-formed absolute URL such as https://example.com/callback.");
  const urls::url_view& url = *parsed;
  if (url.scheme_id() != urls::scheme::http && url.scheme_id() != urls::scheme::https)
    return wrong("URL: it must begin with http:// or https://.");
  if (!url.has_authority()) return wrong("URL: it names no host.");
  if (url.has_userinfo()) return wrong("URL: a user or a password in it is not supported.");
  if (url.has_fragment()) return wrong("URL: a fragment (#) in it would not be sent.");
  Destination out;
  out.is_tls = url.scheme_id() == urls::scheme::https;
  auto host = host_of(url);
  if (!host) return wrong(std::move(host.error()));
  const auto port = port_of(url, out.is_tls);
  if (!port) return wrong(port.error());
  out.host = std::move(*host);
  out.port = *port;
  out.target = std::string(std::string_view(url.encoded_path()));
  if (out.target.empty()) out.target = "/";
  // Boost 1.81 reads "host:443a" as port 443 and path "a".
  if (out.target.front() != '/') return wrong("URL: its port must be 1 to 65535.");
  if (url.has_query()) out.target += "?" + std::string(std::string_view(url.encoded_query()));
  out.host_header = host_header_of(out);
  return out;
}

bool may_connect(const IpAddress& address, std::span<const IpPrefix> allowed) {
  const IpAddress plain = unmapped(address);
  if (is_in(allowed, plain)) return true;
  if (is_in(refused_ranges(), plain)) return false;
  if (!plain.is_v6) return true;
  return std::ranges::none_of(embeddings(), [&](const Embedding& embedding) {
    return embedding.range.contains(plain) &&
           is_in(refused_ranges(), embedded_v4(plain, embedding));
  });
}

}  // namespace atrium::webhook
