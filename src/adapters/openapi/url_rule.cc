#include "adapters/openapi/url_rule.h"

#include <algorithm>
#include <boost/url/parse.hpp>

#include "base/limits.h"

namespace atrium::openapi {
namespace {

static_assert(limits::kWebhookUrlBytesMax == 2'048);
constexpr std::string_view kTooLong = "must be at most 2048 bytes";
constexpr size_t kNameBytesMax = 253, kLabelBytesMax = 63;  // RFC 1035 §2.3.4
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLabelBytes =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLabelBytesMax && !label.starts_with('-') &&
         !label.ends_with('-') && label.find_first_not_of(kLabelBytes) == label.npos;
}

// A last label that is a number would be read as an address by some resolvers: "127.1", "0x7f.0x1" (WHATWG URL, "ends
// in a number").
bool is_number(std::string_view label) {
  return label.starts_with("0x") || label.starts_with("0X") ||
         label.find_first_not_of(kDigits) == label.npos;
}

bool is_domain_name(std::string_view name) {
  if (name.size() > kNameBytesMax) return false;
  for (;;) {
    const size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == name.npos) return !is_number(label);
    name.remove_prefix(dot + 1);
  }
}

bool is_host(const boost::urls::url_view& url) {
  switch (url.host_type()) {
    case boost::urls::host_type::ipv4:
    case boost::urls::host_type::ipv6:
      return true;
    case boost::urls::host_type::name:
      return is_domain_name(url.encoded_host());
    default:
      return false;
  }
}

}  // namespace

std::optional<std::string_view> webhook_url_flaw(std::string_view text) {
  if (text.size() > static_cast<size_t>(limits::kWebhookUrlBytesMax)) return kTooLong;
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed) return "must be a whole URL, as https://example.com/path";
  const boost::urls::url_view& url = *parsed;
  if (url.scheme_id() != boost::urls::scheme::http && url.scheme_id() != boost::urls::scheme::https)
    return "must begin with http:// or https://";
  if (!url.has_authority() || !is_host(url))
    return "must name a host: a domain name or an IP address";
  if (url.has_userinfo()) return "must not carry a user name or password";
  if (url.has_fragment()) return "must not have a fragment (#…)";
  // A number that does not fit is reported as 0.
  if (url.has_port() && url.port_number() == 0) return "must name a port from 1 to 65535, or none";
  return std::nullopt;
}

}  // namespace atrium::openapi
