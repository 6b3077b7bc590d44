// One blocking HTTP/1.1 request per connection, with one deadline over all of it.  For the
// operator's CLI: no keep-alive, no redirects.  TLS for https (tls_client.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "adapters/openapi/message.h"
#include "apps/atriumctl/tls_client.h"
#include "base/result.h"
#include "base/time.h"

namespace atrium::atriumctl {

struct Endpoint {
  std::string host;  // without brackets
  std::string port;
  bool is_tls = false;
  std::string authority() const;  // as in Host: brackets around IPv6, no default port
};
// "http[s]://host[:port][/]"; Malformed for anything else.
Result<Endpoint> parse_endpoint(std::string_view url);

struct HttpReply {
  int status = 0;
  openapi::Headers headers;
  std::string body;
  std::string_view header(std::string_view name) const;  // case-insensitive; empty when absent
};

// What was received so far.  nullopt: more is needed; Malformed when it is not HTTP/1.x, or when
// the connection ended
// (`at_end`) before the reply did.
Result<std::optional<HttpReply>> parse_reply(std::string_view received, bool at_end);
std::string request_text(const openapi::Request& request);

// Unavailable when nobody answers there in time; Malformed when what answers does not speak HTTP;
// LimitExceeded beyond kControlReplyBytesMax; Unauthorised when the server's certificate is not to be believed, or when
// there is no way to look (then what to do is in the words).
Result<HttpReply> exchange(const Endpoint& endpoint, const openapi::Request& request,
                           const Trust& trust, Duration timeout);
void wait_for(Duration duration);

}  // namespace atrium::atriumctl
