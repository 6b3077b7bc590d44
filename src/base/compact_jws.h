// JWS compact serialisation (RFC 7515 section 7.1) with HS256 and nothing else: what tokens and webhooks are signed as.
// The claims are the caller's JSON.  Does not: read one (adapters/signal/jwt.cc).
#pragma once

#include <string>
#include <string_view>

namespace atrium {

// base64url(header) "." base64url(claims) "." base64url(HMAC-SHA256(secret, what is before)).
std::string hs256_compact(std::string_view claims_json, std::string_view secret);

}  // namespace atrium
