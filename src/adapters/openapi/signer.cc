#include "adapters/openapi/signer.h"

#include <algorithm>

#include "adapters/openapi/canonical.h"
#include "adapters/openapi/timestamps.h"
#include "base/check.h"
#include "base/crypto.h"

namespace atrium::openapi {
namespace {

bool is_signed(std::string_view lower_name) {
  return lower_name == "host" || lower_name == "content-type" || lower_name.starts_with("x-");
}

}  // namespace

void sign_request(Request& request, const SigningKey& key, Wall now) {
  const std::string date = basic_time(now);
  const std::string body_hash = hex(sha256(as_bytes(request.body)));
  request.headers.emplace_back("X-Date", date);
  request.headers.emplace_back("X-Content-Sha256", body_hash);

  Headers headers;
  for (const auto& [name, value] : request.headers)
    if (std::string lower = ascii_lower(name); is_signed(lower))
      headers.emplace_back(std::move(lower), value);
  std::ranges::sort(headers);
  std::string signed_headers;
  for (const auto& [name, value] : headers)
    signed_headers += (signed_headers.empty() ? "" : ";") + name;
  const std::vector<HeaderLine> lines(headers.begin(), headers.end());

  const auto target = parse_target(request.target);
  CHECK(target.has_value());  // the caller made this URL
  const std::string query = canonical_query(target->query, RepeatedValues::InOrder);
  const CanonicalParts parts{.method = request.method,
                             .path = target->path,
                             .query = query,
                             .headers = lines,
                             .signed_headers = signed_headers,
                             .body_hash = body_hash};

  const CredentialScope scope{date.substr(0, 8), key.region, std::string(kService)};
  const std::string signature =
      signature_of(signing_key(key.secret, scope), scope.text(), date, canonical_request(parts));
  request.headers.emplace_back("Authorization",
                               std::string(kAlgorithm) + " Credential=" + key.access_key + "/" +
                                   scope.text() + ", SignedHeaders=" + signed_headers +
                                   ", Signature=" + signature);
}

}  // namespace atrium::openapi
