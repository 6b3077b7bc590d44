#include "adapters/openapi/canonical.h"

#include <algorithm>

#include "base/crypto.h"

namespace atrium::openapi {
namespace {

struct EncodedItem {
  std::string_view raw_name;  // signers sort before they encode
  std::string name, value;
  size_t arrival = 0;
};

}  // namespace

std::string CredentialScope::text() const {
  return day + "/" + region + "/" + service + "/" + std::string(kTerminator);
}

std::string canonical_query(const QueryItems& items, RepeatedValues repeated) {
  std::vector<EncodedItem> encoded;
  encoded.reserve(items.size());
  for (const auto& [name, value] : items)
    encoded.push_back({name, percent_encode(name), percent_encode(value), encoded.size()});
  std::ranges::sort(encoded, [repeated](const EncodedItem& a, const EncodedItem& b) {
    if (a.raw_name != b.raw_name) return a.raw_name < b.raw_name;
    if (repeated == RepeatedValues::Sorted) return a.value < b.value;
    return a.arrival < b.arrival;
  });
  std::string out;
  for (const EncodedItem& item : encoded) {
    if (!out.empty()) out += '&';
    out.append(item.name).append("=").append(item.value);
  }
  return out;
}

std::string canonical_request(const CanonicalParts& parts) {
  std::string out;
  out.append(parts.method).append("\n");
  out.append(percent_encode_path(parts.path)).append("\n");
  out.append(parts.query).append("\n");
  for (const auto& [name, value] : parts.headers)
    out.append(name).append(":").append(value).append("\n");
  if (parts.headers.empty()) out += '\n';
  out.append("\n").append(parts.signed_headers).append("\n").append(parts.body_hash);
  return out;
}

Sha256 signing_key(std::string_view secret, const CredentialScope& scope) {
  Sha256 key = hmac_sha256(as_bytes(secret), as_bytes(scope.day));
  for (const std::string_view step :
       {std::string_view(scope.region), std::string_view(scope.service), kTerminator})
    key = hmac_sha256(key, as_bytes(step));
  return key;
}

std::string signature_of(const Sha256& key, const CredentialScope& scope, std::string_view date,
                         std::string_view canonical_request) {
  std::string to_sign;
  to_sign.append(kAlgorithm)
      .append("\n")
      .append(date)
      .append("\n")
      .append(scope.text())
      .append("\n");
  to_sign += hex(sha256(as_bytes(canonical_request)));
  return hex(hmac_sha256(key, as_bytes(to_sign)));
}

}  // namespace atrium::openapi
