#include "adapters/openapi/verifier.h"

#include <algorithm>
#include <charconv>

#include "adapters/openapi/timestamps.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

std::unexpected<Refusal> refused(ErrorCode code, std::string message) {
  return std::unexpected(Refusal{code, std::move(message)});
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string collapse(std::string_view text) {
  std::string out;
  for (char c : text) {
    const bool blank = c == ' ' || c == '\t';
    if (!blank)
      out.push_back(c);
    else if (out.empty() || out.back() != ' ')
      out.push_back(' ');
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  out.reserve(8);  // a credential has 5 parts, and few sign more headers
  while (!text.empty()) {
    const size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<Refusal> read_credential(std::string_view text, SignatureClaim& claim) {
  const std::vector<std::string_view> parts = split(text, '/');
  if (parts.size() != 5 || text.ends_with('/') ||
      std::ranges::any_of(parts, &std::string_view::empty) || parts[4] != kTerminator)
    return Refusal{ErrorCode::InvalidCredential,
                   "The credential must be <access key>/<yyyymmdd>/<region>/rtc/request."};
  claim.access_key = parts[0];
  claim.scope_text = text.substr(parts[0].size() + 1);
  claim.scope = {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
  return std::nullopt;
}

// Each name once, so that what is hashed is never more than what was sent: this work is done for callers whose
// signature may be wrong.
std::optional<Refusal> set_signed_headers(std::string_view list, SignatureClaim& claim) {
  claim.signed_headers = list;
  const std::vector<std::string_view> names = split(list, ';');
  claim.header_names.reserve(names.size());
  for (const std::string_view name : names) claim.header_names.push_back(ascii_lower(name));
  if (claim.header_names.size() > static_cast<size_t>(limits::kHttpHeadersMax))
    return Refusal{ErrorCode::InvalidAuthorization, "SignedHeaders names too many headers."};
  // Signers list them in ascending order: then there is nothing to sort.
  if (std::ranges::adjacent_find(claim.header_names, std::ranges::greater_equal()) ==
      claim.header_names.end())
    return std::nullopt;
  std::vector<std::string_view> sorted(claim.header_names.begin(), claim.header_names.end());
  std::ranges::sort(sorted);
  if (std::ranges::adjacent_find(sorted) != sorted.end())
    return Refusal{ErrorCode::InvalidAuthorization, "SignedHeaders names a header twice."};
  return std::nullopt;
}

struct AuthorizationFields {
  std::string_view credential, signed_headers, signature;
};

// "HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...", in any order.
std::optional<AuthorizationFields> split_authorization(std::string_view value) {
  value = trim(value);
  if (!value.starts_with(kAlgorithm)) return std::nullopt;
  value.remove_prefix(kAlgorithm.size());
  if (!value.starts_with(' ')) return std::nullopt;
  AuthorizationFields fields;
  while (!value.empty()) {
    const size_t comma = value.find(',');
    const std::string_view field = trim(value.substr(0, comma));
    value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
    const size_t equal = field.find('=');
    if (equal == std::string_view::npos) return std::nullopt;
    const std::string_view name = field.substr(0, equal);
    std::string_view* place = name == "Credential"      ? &fields.credential
                              : name == "SignedHeaders" ? &fields.signed_headers
                              : name == "Signature"     ? &fields.signature
                                                        : nullptr;
    if (place == nullptr || place->data() != nullptr) return std::nullopt;  // unknown, or twice
    *place = field.substr(equal + 1);
  }
  return fields;
}

std::expected<SignatureClaim, Refusal> read_header_claim(const Request& request,
                                                         const Target& target) {
  for (const char* name :
       {"Authorization", "X-Date", "Host", "X-Content-Sha256", "X-Security-Token", "X-Expires"})
    if (request.header_count(name) > 1)
      return refused(ErrorCode::InvalidAuthorization,
                     std::string("The header ") + name + " was sent twice.");
  const auto fields = split_authorization(request.header("Authorization"));
  if (!fields)
    return refused(
        ErrorCode::InvalidAuthorization,
        "Authorization must be 'HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...'.");
  SignatureClaim claim;
  if (auto refusal = read_credential(fields->credential, claim)) return std::unexpected(*refusal);
  if (fields->signature.empty())
    return refused(ErrorCode::MissingSignature, "Authorization has no Signature.");
  claim.signature = fields->signature;
  claim.date = trim(request.header("X-Date"));
  if (auto refusal = set_signed_headers(fields->signed_headers, claim))
    return std::unexpected(*refusal);
  if (!claim.date.empty() && !contains(claim.header_names, "x-date"))
    return refused(ErrorCode::InvalidAuthorization, "SignedHeaders must name x-date.");
  claim.has_session_token = !request.header("X-Security-Token").empty() ||
                            !target.find("X-Security-Token").value_or("").empty();
  return claim;
}

// Parameters of a presigned request that need not be listed: they carry the signature itself.
bool may_be_unlisted(std::string_view name) {
  return name == "X-Signature" || name == "X-SignedQueries" || name == "X-Security-Token";
}

std::expected<SignatureClaim, Refusal> read_presigned_claim(const Request& request,
                                                            const Target& target) {
  if (request.method != "GET")
    return refused(ErrorCode::InvalidAuthorization,
                   "A presigned URL is good for GET only, since it leaves the body unsigned: sign "
                   "in headers.");
  for (const char* name : {"X-Algorithm", "X-Credential", "X-Date", "X-SignedHeaders",
                           "X-SignedQueries", "X-Signature", "X-Expires", "X-Security-Token"})
    if (target.count(name) > 1)
      return refused(ErrorCode::InvalidAuthorization,
                     std::string("The parameter ") + name + " was sent twice.");
  if (target.find("X-Algorithm") != kAlgorithm)
    return refused(ErrorCode::InvalidAuthorization, "X-Algorithm must be HMAC-SHA256.");
  SignatureClaim claim;
  claim.presigned = true;
  if (auto refusal = read_credential(target.find("X-Credential").value_or(""), claim))
    return std::unexpected(*refusal);
  claim.signature = target.find("X-Signature").value_or("");
  if (claim.signature.empty()) return refused(ErrorCode::MissingSignature, "X-Signature is empty.");
  claim.date = target.find("X-Date").value_or("");
  if (auto refusal = set_signed_headers(target.find("X-SignedHeaders").value_or(""), claim))
    return std::unexpected(*refusal);
  const auto listed = split(target.find("X-SignedQueries").value_or(""), ';');
  claim.query_names.assign(listed.begin(), listed.end());
  for (const auto& [name, value] : target.query)
    if (!may_be_unlisted(name) && !contains(claim.query_names, name))
      return refused(ErrorCode::InvalidAuthorization,
                     "The parameter " + printable(name) + " is not named in X-SignedQueries.");
  claim.has_session_token = !target.find("X-Security-Token").value_or("").empty();
  return claim;
}

int64_t max_age_s(const SignatureClaim& claim, const Request& request, const Target& target) {
  std::string_view text;
  if (const auto in_query = target.find("X-Expires"))
    text = *in_query;  // every query parameter acted on is signed
  else if (contains(claim.header_names, "x-expires"))
    text = trim(request.header("X-Expires"));
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (!is_number || seconds < 1 || seconds > limits::kSignatureAgeMaxS)
    return limits::kSignatureAgeDefaultS;
  return seconds;
}

// Every canonical query under which the signature may have been made.
std::vector<std::string> query_readings(const SignatureClaim& claim, const Target& target) {
  if (!claim.presigned) return canonical_queries(target.query);
  QueryItems listed = target.query;
  std::erase_if(listed,
                [&](const QueryItem& item) { return !contains(claim.query_names, item.first); });
  std::vector<std::string> out = canonical_queries(listed);
  if (claim.has_session_token && !contains(claim.query_names, "X-Security-Token")) {
    listed.emplace_back("X-Security-Token", *target.find("X-Security-Token"));
    std::ranges::move(canonical_queries(listed), std::back_inserter(out));
  }
  return out;
}

// Every Host under which the signature may have been made; one entry when it is not signed.
std::vector<std::string_view> host_readings(const SignatureClaim& claim, const Request& request,
                                            std::span<const std::string> public_hosts) {
  const std::string_view sent = trim(request.header("Host"));
  std::vector<std::string_view> out{sent};
  if (!contains(claim.header_names, "host")) return out;
  for (const std::string_view port : {":80", ":443"})  // Go signs without a default port
    if (sent.ends_with(port)) out.push_back(sent.substr(0, sent.size() - port.size()));
  out.insert(out.end(), public_hosts.begin(), public_hosts.end());
  return out;
}

using HeaderLines = std::vector<HeaderLine>;

// The signed headers as sent; nullopt: one was not sent.
std::optional<HeaderLines> signed_lines(const SignatureClaim& claim, const Request& request) {
  HeaderLines out;
  out.reserve(claim.header_names.size());
  for (const std::string& name : claim.header_names) {
    const auto value = request.find_header(name);
    if (!value) return std::nullopt;
    out.emplace_back(name, trim(*value));
  }
  return out;
}

bool has_blanks_to_collapse(const HeaderLine& line) {
  return line.second.contains('\t') || line.second.contains("  ");
}

// What of the canonical request is the same in all readings, and what makes a signature of one.
struct SignedParts {
  const SignatureClaim& claim;
  const HmacSha256& key;
  CanonicalParts parts;
  std::vector<std::string> queries;

  // Whether the signature was made with these lines and any of the queries.
  bool matches(std::span<const HeaderLine> lines) {
    parts.headers = lines;
    return std::ranges::any_of(queries, [this](const std::string& query) {
      parts.query = query;
      const std::string expected =
          signature_of(key, claim.scope_text, claim.date, canonical_request(parts));
      return constant_time_equal(as_bytes(expected), as_bytes(claim.signature));
    });
  }
  bool matches_collapsed(HeaderLines lines) {
    std::vector<std::string> values;
    values.reserve(lines.size());  // the lines point into it
    for (HeaderLine& line : lines) line.second = values.emplace_back(collapse(line.second));
    return matches(lines);
  }
};

}  // namespace

std::expected<SignatureClaim, Refusal> read_claim(const Request& request, const Target& target) {
  if (request.header_count("Authorization") > 0) return read_header_claim(request, target);
  if (target.count("X-Signature") > 0) return read_presigned_claim(request, target);
  return refused(
      ErrorCode::MissingAuthenticationToken,
      "The request is not signed: it has neither an Authorization header nor X-Signature.");
}

std::optional<Refusal> check_scope(const SignatureClaim& claim,
                                   std::span<const std::string> regions) {
  if (claim.scope.service != kService)
    return Refusal{ErrorCode::InvalidCredential, "The service in the credential must be rtc."};
  if (!contains(regions, claim.scope.region))
    return Refusal{ErrorCode::InvalidCredential,
                   "The region in the credential is not served here; use " + regions[0] + "."};
  if (!claim.date.empty() && claim.date.substr(0, 8) != claim.scope.day)
    return Refusal{ErrorCode::InvalidCredential,
                   "The day in the credential is not the day of X-Date."};
  return std::nullopt;
}

std::optional<Refusal> check_time(const SignatureClaim& claim, const Request& request,
                                  const Target& target, Now now) {
  if (claim.date.empty())
    return Refusal{ErrorCode::MissingRequestInfo,
                   "The request lacks the timestamp information: X-Date."};
  const auto date = parse_basic_time(claim.date);
  if (!date) return Refusal{ErrorCode::InvalidTimestamp, "X-Date must be like 20240102T030405Z."};
  if (now.wall - *date > std::chrono::seconds(max_age_s(claim, request, target)))
    return Refusal{ErrorCode::InvalidTimestamp,
                   "The signature has expired; the time here is " + basic_time(now.wall) + "."};
  if (*date - now.wall > std::chrono::seconds(limits::kSignatureAheadS))
    return Refusal{ErrorCode::InvalidTimestamp,
                   "X-Date lies in the future; the time here is " + basic_time(now.wall) + "."};
  return std::nullopt;
}

bool signature_matches(const SignatureClaim& claim, const HmacSha256& key, const Request& request,
                       const Target& target, std::span<const std::string> public_hosts,
                       std::optional<Sha256> content_hash) {
  std::optional<HeaderLines> lines = signed_lines(claim, request);
  if (!lines) return false;
  if (claim.presigned)
    content_hash = sha256({});  // a presigned URL says nothing of a body
  else if (!content_hash)
    content_hash = sha256(as_bytes(request.body));
  const std::string body_hash = hex(*content_hash);
  const std::string_view sent_hash = request.header("X-Content-Sha256");
  if (!claim.presigned && !sent_hash.empty() && !equals_ignoring_case(trim(sent_hash), body_hash))
    return false;

  SignedParts signed_parts{.claim = claim,
                           .key = key,
                           .parts = {.method = request.method,
                                     .path = target.path,
                                     .query = {},
                                     .headers = {},
                                     .signed_headers = claim.signed_headers,
                                     .body_hash = body_hash},
                           .queries = query_readings(claim, target)};
  const auto host_line = std::ranges::find(*lines, "host", &HeaderLine::first);
  for (const std::string_view host : host_readings(claim, request, public_hosts)) {
    if (host_line != lines->end()) host_line->second = host;
    if (signed_parts.matches(*lines)) return true;
    if (std::ranges::any_of(*lines, has_blanks_to_collapse) &&
        signed_parts.matches_collapsed(*lines))
      return true;
  }
  return false;
}

}  // namespace atrium::openapi
