#include "base/compact_jws.h"

#include "base/crypto.h"

namespace atrium {

std::string hs256_compact(std::string_view claims_json, std::string_view secret) {
  static constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
  std::string text = base64url(as_bytes(kHeader)) + "." + base64url(as_bytes(claims_json));
  text += "." + base64url(hmac_sha256(as_bytes(secret), as_bytes(text)));
  return text;
}

}  // namespace atrium
