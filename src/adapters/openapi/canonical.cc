#include "adapters/openapi/canonical.h"

#include <algorithm>

#include "base/crypto.h"

namespace atrium::openapi {
namespace {

using SortedItems = std::vector<const QueryItem*>;

// Signers sort before they encode.  Items lie in one vector, so that a pointer tells which came first.
SortedItems sorted_by_name(const QueryItems& items) {
  SortedItems out;
  out.reserve(items.size());
  for (const QueryItem& item : items) out.push_back(&item);
  std::ranges::sort(out, [](const QueryItem* a, const QueryItem* b) {
    const auto order = a->first <=> b->first;
    return order == 0 ? a < b : order < 0;
  });
  return out;
}

bool has_same_name(const QueryItem* a, const QueryItem* b) {
  return a->first == b->first;
}

// Values of one name, sorted as they are encoded.
void sort_repeated_values(SortedItems& items) {
  for (auto first = items.begin(); first != items.end();) {
    const auto last = std::find_if_not(
        first, items.end(), [&](const QueryItem* item) { return has_same_name(*first, item); });
    if (last - first > 1)
      std::sort(first, last, [](const QueryItem* a, const QueryItem* b) {
        return is_less_encoded(a->second, b->second);
      });
    first = last;
  }
}

std::string joined(const SortedItems& items) {
  size_t size = 0;
  for (const QueryItem* item : items) size += item->first.size() + item->second.size() + 2;
  std::string out;
  out.reserve(size);
  for (const QueryItem* item : items) {
    if (!out.empty()) out.push_back('&');
    append_percent_encoded(out, item->first);
    out.push_back('=');
    append_percent_encoded(out, item->second);
  }
  return out;
}

}  // namespace

std::string CredentialScope::text() const {
  return day + "/" + region + "/" + service + "/" + std::string(kTerminator);
}

std::string canonical_query(const QueryItems& items, RepeatedValues repeated) {
  SortedItems sorted = sorted_by_name(items);
  if (repeated == RepeatedValues::Sorted) sort_repeated_values(sorted);
  return joined(sorted);
}

std::vector<std::string> canonical_queries(const QueryItems& items) {
  SortedItems sorted = sorted_by_name(items);
  std::vector<std::string> out;
  out.push_back(joined(sorted));
  if (std::ranges::adjacent_find(sorted, has_same_name) == sorted.end()) return out;
  sort_repeated_values(sorted);
  if (std::string text = joined(sorted); text != out.front()) out.push_back(std::move(text));
  return out;
}

std::string canonical_request(const CanonicalParts& parts) {
  const std::string path = percent_encode_path(parts.path);
  size_t size = parts.method.size() + path.size() + parts.query.size() +
                parts.signed_headers.size() + parts.body_hash.size() + 8;
  for (const auto& [name, value] : parts.headers) size += name.size() + value.size() + 2;
  std::string out;
  out.reserve(size);
  out.append(parts.method).append("\n");
  out.append(path).append("\n");
  out.append(parts.query).append("\n");
  for (const auto& [name, value] : parts.headers)
    out.append(name).append(":").append(value).append("\n");
  if (parts.headers.empty()) out += '\n';
  out.append("\n").append(parts.signed_headers).append("\n").append(parts.body_hash);
  return out;
}

HmacSha256 signing_key(std::string_view secret, const CredentialScope& scope) {
  Sha256 key = hmac_sha256(as_bytes(secret), as_bytes(scope.day));
  for (const std::string_view step :
       {std::string_view(scope.region), std::string_view(scope.service), kTerminator})
    key = hmac_sha256(key, as_bytes(step));
  return HmacSha256(key);
}

std::string signature_of(const HmacSha256& key, std::string_view scope, std::string_view date,
                         std::string_view canonical_request) {
  const std::string hash = hex(sha256(as_bytes(canonical_request)));
  std::string to_sign;
  to_sign.reserve(kAlgorithm.size() + date.size() + scope.size() + hash.size() + 3);
  to_sign.append(kAlgorithm).append("\n");
  to_sign.append(date).append("\n");
  to_sign.append(scope).append("\n");
  to_sign.append(hash);
  return hex(key.of(as_bytes(to_sign)));
}

}  // namespace atrium::openapi
