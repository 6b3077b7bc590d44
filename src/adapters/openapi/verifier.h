// Verifier: what a request claims about who signed it, and whether that is true
// (vendor-contract 2.3 to 2.6).  Accepts what every public SDK of the vendor produces, in headers
// or, for GET, in the query.  Pure; knows no keys.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/openapi/canonical.h"
#include "adapters/openapi/error_table.h"
#include "adapters/openapi/message.h"
#include "adapters/openapi/query.h"
#include "base/time.h"

namespace atrium::openapi {

// Views point into the request or its target.
struct SignatureClaim {
  bool presigned = false;  // in the query rather than in headers
  std::string_view access_key;
  CredentialScope scope;
  std::string_view scope_text;
  std::string_view date;                  // X-Date
  std::string_view signed_headers;        // as listed: "host;x-date"
  std::vector<std::string> header_names;  // the same, split, lower case, in that order
  std::vector<std::string> query_names;   // presigned only: X-SignedQueries
  std::string_view signature;
  bool has_session_token = false;
};

// Refused here: no credentials, or credentials that are not well-formed, in the words of
// vendor-contract 3.3.
std::expected<SignatureClaim, Refusal> read_claim(const Request& request, const Target& target);

// Region and service must be ours; the day must be that of X-Date.
std::optional<Refusal> check_scope(const SignatureClaim& claim,
                                   std::span<const std::string> regions);

// X-Date must exist, be at most X-Expires old (where that is signed and within 1…kSignatureAgeMaxS;
// else kSignatureAgeDefaultS) and at most kSignatureAheadS ahead.
std::optional<Refusal> check_time(const SignatureClaim& claim, const Request& request,
                                  const Target& target, Now now);

// `key`: signing_key() of the claim's scope.  Tries the few readings in which honest signers
// differ: order of repeated values, collapsed white space, host names that a proxy may have
// hidden.  Each differing part at most doubles (or, for hosts, multiplies by kPublicHostsMax + 2)
// the work.  `content_hash`: of the request's body, where the caller needs it as well.
bool signature_matches(const SignatureClaim& claim, const HmacSha256& key, const Request& request,
                       const Target& target, std::span<const std::string> public_hosts,
                       std::optional<Sha256> content_hash = std::nullopt);

}  // namespace atrium::openapi
