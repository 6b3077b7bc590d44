// LiveKit's JWT (RFC 7515, RFC 7519): HS256 and nothing else.  The one file that reads and writes JSON of tokens.
// docs/decisions/jwt.md tells why this is not a library's work.
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "adapters/signal/token_parts.h"
#include "base/compact_jws.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::signal {
namespace {

namespace json = boost::json;

constexpr int64_t kLastSecond =
    253'402'300'799;  // of year 9999; later expiries mean the same to everybody

struct SourceName {
  domain::TrackSource source;
  std::string_view name;
};
constexpr std::array<SourceName, 4> kSourceNames{{
    {domain::TrackSource::Camera, "camera"},
    {domain::TrackSource::Microphone, "microphone"},
    {domain::TrackSource::ScreenShare, "screen_share"},
    {domain::TrackSource::ScreenShareAudio, "screen_share_audio"},
}};

// --- reading -------------------------------------------------------------------------------------

struct Segments {
  std::string_view header, payload, signature, signed_part;
};
std::optional<Segments> split(std::string_view text) {
  const size_t first = text.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = text.find('.', first + 1);
  if (second == std::string_view::npos || text.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return Segments{text.substr(0, first), text.substr(first + 1, second - first - 1),
                  text.substr(second + 1), text.substr(0, second)};
}

// RFC 7515 §2: base64url without padding, so that there is one text per token.
std::optional<Bytes> decode_segment(std::string_view segment) {
  if (segment.find('=') != std::string_view::npos) return std::nullopt;
  return from_base64url(segment);
}

std::optional<json::object> decode_object(std::string_view segment) {
  const auto bytes = decode_segment(segment);
  if (!bytes) return std::nullopt;
  json::parse_options options;
  options.max_depth = limits::kJsonDepthMax;
  json::error_code error;
  json::value value = json::parse(as_text(*bytes), error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

// A member that may be absent; `ok` turns false when it is there with another type.
std::string text_member(const json::object& object, std::string_view name, bool& ok) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return {};
  if (!value->is_string()) ok = false;
  return value->is_string() ? std::string(value->get_string()) : std::string();
}
std::optional<bool> bool_member(const json::object& object, std::string_view name, bool& ok) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_bool()) ok = false;
  return value->is_bool() ? std::optional(value->get_bool()) : std::nullopt;
}
// RFC 7519 §2 NumericDate: unix seconds, with or without a fraction.
std::optional<int64_t> seconds_member(const json::object& object, std::string_view name, bool& ok) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  double seconds = -1;
  if (value->is_int64()) seconds = static_cast<double>(value->get_int64());
  if (value->is_uint64()) seconds = static_cast<double>(value->get_uint64());
  if (value->is_double()) seconds = std::floor(value->get_double());
  if (!(seconds >= 0)) {
    ok = false;
    return std::nullopt;
  }
  return static_cast<int64_t>(std::min(seconds, static_cast<double>(kLastSecond)));
}

std::map<std::string, std::string> attributes_member(const json::object& claims, bool& ok) {
  std::map<std::string, std::string> attributes;
  const json::value* value = claims.if_contains("attributes");
  if (value == nullptr || value->is_null()) return attributes;
  if (!value->is_object()) {
    ok = false;
    return attributes;
  }
  size_t bytes = 0;
  for (const auto& member : value->get_object()) {
    if (!member.value().is_string()) {
      ok = false;
      return attributes;
    }
    const auto& text = member.value().get_string();
    bytes += member.key().size() + text.size();
    attributes[std::string(member.key())] = std::string(text);
  }
  if (bytes > limits::kAttributesBytesMax) ok = false;
  return attributes;
}

// canPublishSources: a list that is not empty restricts.  Names that we do not know allow nothing.
void restrict_sources(const json::object& grants, domain::Permissions& permissions, bool& ok) {
  const json::value* value = grants.if_contains("canPublishSources");
  if (value == nullptr || value->is_null()) return;
  if (!value->is_array()) {
    ok = false;
    return;
  }
  if (value->get_array().empty()) return;
  for (const SourceName& entry : kSourceNames) {
    const auto names_it = [&](const json::value& v) {
      return v.is_string() && v.get_string() == entry.name;
    };
    if (std::ranges::any_of(value->get_array(), names_it))
      permissions.publish_sources.push_back(entry.source);
  }
  if (permissions.publish_sources.empty()) permissions.can_publish = false;
}

domain::Permissions permissions_of(const json::object& grants, bool& ok) {
  domain::Permissions permissions;
  const bool publish = bool_member(grants, "canPublish", ok).value_or(true);
  permissions.can_publish = publish;
  permissions.can_subscribe = bool_member(grants, "canSubscribe", ok).value_or(true);
  permissions.can_publish_data = bool_member(grants, "canPublishData", ok).value_or(publish);
  permissions.can_update_metadata = bool_member(grants, "canUpdateOwnMetadata", ok).value_or(false);
  permissions.hidden = bool_member(grants, "hidden", ok).value_or(false);
  restrict_sources(grants, permissions, ok);
  return permissions;
}

// --- keys ----------------------------------------------------------------------------------------

struct Key {
  const domain::App* app = nullptr;
  std::vector<std::string_view> secrets;
  bool is_management = false;
};
Key find_key(std::string_view api_key, const domain::Apps& apps) {
  // An AppId wins over an alias of the same text.
  if (const domain::App* app = apps.find(AppId(api_key)))
    return {app, {app->primary_key, app->secondary_key}, false};
  if (const auto owner = apps.find_api_key(api_key))
    return {owner->app, {owner->secret}, owner->management};
  return {};
}

bool is_signed_with_one_of(const Key& key, const Segments& segments, ByteView signature) {
  return std::ranges::any_of(key.secrets, [&](std::string_view secret) {
    return !secret.empty() &&
           constant_time_equal(hmac_sha256(as_bytes(secret), as_bytes(segments.signed_part)),
                               signature);
  });
}

// RFC 8725 §3.1: the algorithm is ours to choose, before any key is.  RFC 7515 §4.1.11: no
// extension is understood here.
bool is_hs256(const json::object& header) {
  const json::value* alg = header.if_contains("alg");
  return alg != nullptr && alg->is_string() && alg->get_string() == "HS256" &&
         !header.contains("crit");
}

// The hash of the token that a refreshed one descends from (VerifiedToken::hash).
std::optional<Sha256> origin_of(const json::object& claims) {
  const json::value* ours = claims.if_contains("atrium");
  const json::value* origin =
      ours != nullptr && ours->is_object() ? ours->get_object().if_contains("origin") : nullptr;
  if (origin == nullptr || !origin->is_string()) return std::nullopt;
  const auto bytes = decode_segment(std::string_view(origin->get_string()));
  Sha256 hash{};
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

// --- claims --------------------------------------------------------------------------------------

const char* time_fault(const json::object& claims, int64_t now_s, bool& ok) {
  const auto expires = seconds_member(claims, "exp", ok);
  const auto not_before = seconds_member(claims, "nbf", ok);
  if (!ok || !expires) return "The token has no proper expiry.";
  if (now_s >= *expires + limits::kTokenLeewayS) return "The token has expired.";
  if (not_before && now_s < *not_before - limits::kTokenLeewayS)
    return "The token is not valid yet.";
  return nullptr;
}

std::expected<VerifiedToken, TokenRefusal> read_claims(const json::object& claims, int64_t now_s) {
  bool ok = true;
  if (const char* fault = time_fault(claims, now_s, ok)) return invalid_token(fault);
  const json::value* video = claims.if_contains("video");
  if (video == nullptr || !video->is_object())
    return invalid_token("The token grants nothing about rooms.");
  const json::object& grants = video->get_object();
  if (!bool_member(grants, "roomJoin", ok).value_or(false))
    return invalid_token("The token does not grant roomJoin.");
  VerifiedToken token;
  token.kind = domain::TokenKind::Jwt;
  token.api_key = text_member(claims, "iss", ok);
  token.room = RoomId(text_member(grants, "room", ok));
  token.user = UserId(text_member(claims, "sub", ok));
  if (token.user.empty()) token.user = UserId(text_member(claims, "jti", ok));
  token.name = text_member(claims, "name", ok);
  token.metadata = text_member(claims, "metadata", ok);
  token.attributes = attributes_member(claims, ok);
  token.permissions = permissions_of(grants, ok);
  token.expires_at = wall_from_unix_s(seconds_member(claims, "exp", ok).value_or(0));
  if (!ok) return invalid_token("A claim of the token has the wrong type or is too long.");
  if (token.name.size() > limits::kNameBytesMax)
    return invalid_token("The name in the token is too long.");
  if (token.metadata.size() > limits::kMetadataBytesMax)
    return invalid_token("The metadata in the token is too long.");
  return token;
}

// --- writing -------------------------------------------------------------------------------------

// Sources that both allow, in Permissions' words; nullopt: none at all.
std::optional<std::vector<domain::TrackSource>> common_sources(const domain::Permissions& a,
                                                               const domain::Permissions& b) {
  if (a.publish_sources.empty()) return b.publish_sources;
  if (b.publish_sources.empty()) return a.publish_sources;
  std::vector<domain::TrackSource> common;
  for (domain::TrackSource source : a.publish_sources)
    if (std::ranges::count(b.publish_sources, source) != 0) common.push_back(source);
  if (common.empty()) return std::nullopt;
  return common;
}

json::object narrowed_grants(const VerifiedToken& token, const domain::Permissions& current) {
  const domain::Permissions& granted = token.permissions;
  const auto sources = common_sources(granted, current);
  json::object grants;
  grants["roomJoin"] = true;
  grants["room"] = token.room.value;
  grants["canPublish"] = granted.can_publish && current.can_publish && sources.has_value();
  grants["canSubscribe"] = granted.can_subscribe && current.can_subscribe;
  grants["canPublishData"] = granted.can_publish_data && current.can_publish_data;
  grants["canUpdateOwnMetadata"] = granted.can_update_metadata && current.can_update_metadata;
  // Whoever is invisible stays so: a refresh must not announce anybody.
  grants["hidden"] = granted.hidden || current.hidden;
  if (sources && !sources->empty()) {
    json::array names;
    for (const SourceName& entry : kSourceNames)
      if (std::ranges::count(*sources, entry.source) != 0) names.emplace_back(entry.name);
    grants["canPublishSources"] = std::move(names);
  }
  return grants;
}

json::object refreshed_claims(const VerifiedToken& token, const domain::Permissions& current,
                              int64_t now_s) {
  json::object attributes;
  for (const auto& [name, value] : token.attributes) attributes[name] = value;
  const int64_t rest_until = token.expires_at ? unix_s(*token.expires_at) : 0;
  json::object claims;
  claims["iss"] = token.api_key;
  claims["sub"] = token.user.value;
  claims["nbf"] = now_s;
  claims["exp"] = std::max(rest_until, now_s + limits::kRefreshTokenS);
  if (!token.name.empty()) claims["name"] = token.name;
  if (!token.metadata.empty()) claims["metadata"] = token.metadata;
  if (!attributes.empty()) claims["attributes"] = std::move(attributes);
  claims["video"] = narrowed_grants(token, current);
  claims["atrium"] = json::object{{"origin", base64url(token.hash)}};
  return claims;
}

}  // namespace

Sha256 token_line(std::string_view text) {
  const auto segments = split(text);
  const auto claims = segments ? decode_object(segments->payload) : std::nullopt;
  const auto origin = claims ? origin_of(*claims) : std::nullopt;
  return origin.value_or(sha256(as_bytes(text)));
}

namespace {

// Claims that somebody signed who knows the key that they name.  Their times are not looked at.
struct SignedClaims {
  json::object claims;
  Key key;
};
std::expected<SignedClaims, TokenRefusal> read_signed(std::string_view text,
                                                      const domain::Apps& apps) {
  const auto segments = split(text);
  if (!segments) return invalid_token("The token is malformed.");
  const auto header = decode_object(segments->header);
  if (!header) return invalid_token("The token is malformed.");
  if (!is_hs256(*header)) return invalid_token("Tokens are signed with HS256.");
  auto claims = decode_object(segments->payload);
  const auto signature = decode_segment(segments->signature);
  if (!claims || !signature) return invalid_token("The token is malformed.");
  bool ok = true;
  Key key = find_key(text_member(*claims, "iss", ok), apps);
  if (key.app == nullptr || !ok) return invalid_token("The token names an unknown API key.");
  if (!is_signed_with_one_of(key, *segments, *signature))
    return invalid_token("The token's signature does not match.");
  return SignedClaims{*std::move(claims), std::move(key)};
}

}  // namespace

AuthenticOutcome verify_jwt(std::string_view text, const domain::Apps& apps, Now now) {
  const auto read = read_signed(text, apps);
  if (!read) return std::unexpected(read.error());
  auto token = read_claims(read->claims, unix_s(now.wall));
  if (!token) return std::unexpected(token.error());
  token->app = read->key.app->id;
  token->hash = origin_of(read->claims).value_or(sha256(as_bytes(text)));
  return AuthenticToken{std::move(*token), read->key.app, false};
}

ServiceTokenOutcome verify_service_token(std::string_view text, const domain::Apps& apps, Now now) {
  if (text.empty()) return invalid_token("A token is required.");
  if (text.size() > limits::kTokenBytesMax) return invalid_token("The token is too long.");
  const auto read = read_signed(text, apps);
  if (!read) return std::unexpected(read.error());
  bool ok = true;
  if (const char* fault = time_fault(read->claims, unix_s(now.wall), ok))
    return invalid_token(fault);
  const json::value* video = read->claims.if_contains("video");
  if (video == nullptr || !video->is_object())
    return invalid_token("The token grants nothing about rooms.");
  const json::object& grants = video->get_object();
  ServiceToken token{.app = read->key.app->id,
                     .api_key = text_member(read->claims, "iss", ok),
                     .is_management = read->key.is_management,
                     .room_create = bool_member(grants, "roomCreate", ok).value_or(false),
                     .room_list = bool_member(grants, "roomList", ok).value_or(false),
                     .room_admin = bool_member(grants, "roomAdmin", ok).value_or(false),
                     .room = RoomId(text_member(grants, "room", ok))};
  if (!ok) return invalid_token("A claim of the token has the wrong type or is too long.");
  return token;
}

std::optional<std::string> mint_refresh(const VerifiedToken& token,
                                        const domain::Permissions& current,
                                        const domain::Apps& apps, Now now) {
  if (token.kind != domain::TokenKind::Jwt) return std::nullopt;
  const Key key = find_key(token.api_key, apps);
  if (key.app == nullptr || !key.app->enabled || key.app->id != token.app) return std::nullopt;
  const auto secret =
      std::ranges::find_if(key.secrets, [](std::string_view s) { return !s.empty(); });
  if (secret == key.secrets.end()) return std::nullopt;
  std::string text =
      hs256_compact(json::serialize(refreshed_claims(token, current, unix_s(now.wall))), *secret);
  if (text.size() > static_cast<size_t>(limits::kTokenBytesMax)) return std::nullopt;
  return text;
}

}  // namespace atrium::signal
