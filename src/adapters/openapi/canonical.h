// The canonical form of a request and the signature over it (vendor-contract 2.2, 2.3): the part
// that signer and verifier share.  Pure text in, text out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/openapi/query.h"
#include "base/crypto.h"

namespace atrium::openapi {

inline constexpr std::string_view kAlgorithm = "HMAC-SHA256";
inline constexpr std::string_view kService = "rtc";
inline constexpr std::string_view kTerminator = "request";

// What a signature is good for: a day, a region, a service.
struct CredentialScope {
  std::string day;  // "20240102"
  std::string region;
  std::string service;
  std::string text() const;  // "20240102/cn-north-1/rtc/request"
  friend bool operator==(const CredentialScope&, const CredentialScope&) = default;
};

// Repeated names: most signers keep the order in which values were given, the Node ones sort them.
enum class RepeatedValues { InOrder, Sorted };
// Sorted by name, encoded, joined; an empty value keeps its '='.
std::string canonical_query(const QueryItems& items, RepeatedValues repeated);
// Both, or one where they are the same.
std::vector<std::string> canonical_queries(const QueryItems& items);

// Lower-case name, value.
using HeaderLine = std::pair<std::string_view, std::string_view>;

struct CanonicalParts {
  std::string_view method;
  std::string_view path;                // decoded
  std::string_view query;               // from canonical_query
  std::span<const HeaderLine> headers;  // in the order of the list
  std::string_view signed_headers;      // the list as sent: "host;x-date"
  std::string_view body_hash;           // lower-case hex
};
// Without headers there is one more line feed than the general rule would give: every presigning
// SDK does so.
std::string canonical_request(const CanonicalParts& parts);

// What signs within this scope; `secret` is used as text and has no prefix.  As secret as that.
HmacSha256 signing_key(std::string_view secret, const CredentialScope& scope);
// Lower-case hex.  `key`: the scope's signing key; `scope`: its text; `date` is X-Date.
std::string signature_of(const HmacSha256& key, std::string_view scope, std::string_view date,
                         std::string_view canonical_request);

}  // namespace atrium::openapi
