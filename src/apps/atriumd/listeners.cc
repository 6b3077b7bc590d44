#include "listeners.h"

#include <algorithm>

#include "setting_text.h"

namespace atrium::atriumd {
namespace {

using Problem = std::optional<std::string>;

// Whether somebody between us and the clients could read along.
bool is_bare(const Settings& settings) {
  const auto is_beyond = [](const SocketAddress& address) { return !address.ip.is_loopback(); };
  return !settings.dev && std::ranges::any_of(settings.http_listen, is_beyond) &&
         settings.tls_certificate.empty() && settings.node.trusted_proxies.empty() &&
         !settings.insecure_http;
}

}  // namespace

std::vector<SettingKey> listener_keys() {
  using S = Settings;
  using T = const std::string&;
  return {
      {"tls.certificate", "FILE",
       "PEM chain, own certificate first: http.listen then speaks TLS (default: none)",
       [](S& s, T t) -> Problem { return s.tls_certificate = t, std::nullopt; }, true},
      {"tls.key", "FILE", "PEM key of tls.certificate",
       [](S& s, T t) -> Problem { return s.tls_key = t, std::nullopt; }, true},
      {"http.insecure_http", "true|false",
       "plain HTTP beyond loopback without a proxy in front (default false)",
       [](S& s, T t) { return set_flag(s.insecure_http, t); }},
      {"http.proxy_protocol", "true|false",
       "connections of http.trusted_proxies begin with a PROXY header, version 2 (default false)",
       [](S& s, T t) { return set_flag(s.proxy_protocol, t); }},
  };
}

std::expected<std::shared_ptr<const runtime::TlsContext>, std::string> load_tls(
    const Settings& settings) {
  if (settings.tls_certificate.empty()) return nullptr;
  auto context = runtime::TlsContext::load({settings.tls_certificate, settings.tls_key});
  if (!context) return std::unexpected("tls: " + context.error());
  return context;
}

void check_listeners(const Settings& settings, std::vector<std::string>& problems) {
  if (settings.tls_certificate.empty() != settings.tls_key.empty())
    problems.push_back("tls: certificate and key belong together, and only one is set");
  else if (const auto tls = load_tls(settings); !tls)
    problems.push_back(tls.error());
  if (settings.proxy_protocol && settings.node.trusted_proxies.empty())
    problems.push_back(
        "http.proxy_protocol: http.trusted_proxies must say whose headers are believed");
  if (is_bare(settings))
    problems.push_back(
        "http.listen: plain HTTP beyond loopback shows tokens and keys to the network; set "
        "tls.certificate and tls.key, or http.trusted_proxies where a proxy in front ends TLS, or "
        "http.insecure_http = true");
}

}  // namespace atrium::atriumd
