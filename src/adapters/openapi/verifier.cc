#include "adapters/openapi/verifier.h"

#include <algorithm>
#include <charconv>
#include <set>

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

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    out.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return out;
}

bool contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<Refusal> read_credential(std::string_view text, SignatureClaim& claim) {
  const std::vector<std::string> parts = split(text, '/');
  if (parts.size() != 5 || text.ends_with('/') || std::ranges::any_of(parts, &std::string::empty) ||
      parts[4] != kTerminator)
    return Refusal{ErrorCode::InvalidCredential,
                   "The credential must be <access key>/<yyyymmdd>/<region>/rtc/request."};
  claim.access_key = parts[0];
  claim.scope = {parts[1], parts[2], parts[3]};
  return std::nullopt;
}

// Each name once, so that what is hashed is never more than what was sent: this work is done for callers whose
// signature may be wrong.
std::optional<Refusal> set_signed_headers(std::string_view list, SignatureClaim& claim) {
  claim.signed_headers = list;
  for (const std::string& name : split(list, ';')) claim.header_names.push_back(ascii_lower(name));
  if (claim.header_names.size() > static_cast<size_t>(limits::kHttpHeadersMax))
    return Refusal{ErrorCode::InvalidAuthorization, "SignedHeaders names too many headers."};
  const std::set<std::string_view> distinct(claim.header_names.begin(), claim.header_names.end());
  if (distinct.size() != claim.header_names.size())
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
  claim.query_names = split(target.find("X-SignedQueries").value_or(""), ';');
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
  std::vector<QueryItems> choices{target.query};
  if (claim.presigned) {
    std::erase_if(choices[0],
                  [&](const auto& item) { return !contains(claim.query_names, item.first); });
    if (claim.has_session_token && !contains(claim.query_names, "X-Security-Token")) {
      choices.push_back(choices[0]);
      choices[1].emplace_back("X-Security-Token", *target.find("X-Security-Token"));
    }
  }
  std::vector<std::string> out;
  for (const QueryItems& items : choices) {
    for (const RepeatedValues order : {RepeatedValues::InOrder, RepeatedValues::Sorted}) {
      std::string text = canonical_query(items, order);
      if (!contains(out, text)) out.push_back(std::move(text));
    }
  }
  return out;
}

// Every Host under which the signature may have been made; one entry when it is not signed.
std::vector<std::string> host_readings(const SignatureClaim& claim, const Request& request,
                                       std::span<const std::string> public_hosts) {
  std::vector<std::string> out{std::string(trim(request.header("Host")))};
  if (!contains(claim.header_names, "host")) return out;
  for (const std::string_view port : {":80", ":443"})  // Go signs without a default port
    if (out[0].ends_with(port)) out.push_back(out[0].substr(0, out[0].size() - port.size()));
  out.insert(out.end(), public_hosts.begin(), public_hosts.end());
  return out;
}

enum class Blanks { AsSent, Collapsed };

std::vector<std::pair<std::string, std::string>> header_lines(const SignatureClaim& claim,
                                                              const Request& request,
                                                              std::string_view host,
                                                              Blanks blanks) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& name : claim.header_names) {
    const std::string_view value = name == "host" ? host : trim(request.header(name));
    out.emplace_back(name, blanks == Blanks::Collapsed ? collapse(value) : std::string(value));
  }
  return out;
}

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

bool signature_matches(const SignatureClaim& claim, const Sha256& key, const Request& request,
                       const Target& target, std::span<const std::string> public_hosts) {
  const bool all_sent = std::ranges::all_of(
      claim.header_names, [&](const std::string& name) { return request.header_count(name) > 0; });
  if (!all_sent) return false;
  const std::string body_hash =
      hex(sha256(as_bytes(claim.presigned ? std::string_view() : request.body)));
  const std::string_view sent_hash = request.header("X-Content-Sha256");
  if (!claim.presigned && !sent_hash.empty() && !equals_ignoring_case(trim(sent_hash), body_hash))
    return false;

  const std::vector<std::string> queries = query_readings(claim, target);
  for (const std::string& host : host_readings(claim, request, public_hosts)) {
    const auto as_sent = header_lines(claim, request, host, Blanks::AsSent);
    const auto collapsed = header_lines(claim, request, host, Blanks::Collapsed);
    for (const auto* lines : {&as_sent, &collapsed}) {
      if (lines == &collapsed && collapsed == as_sent) continue;
      for (const std::string& query : queries) {
        const std::string canonical = canonical_request({.method = request.method,
                                                         .path = target.path,
                                                         .query = query,
                                                         .headers = *lines,
                                                         .signed_headers = claim.signed_headers,
                                                         .body_hash = body_hash});
        const std::string expected = signature_of(key, claim.scope, claim.date, canonical);
        if (constant_time_equal(as_bytes(expected), as_bytes(claim.signature))) return true;
      }
    }
  }
  return false;
}

}  // namespace atrium::openapi
