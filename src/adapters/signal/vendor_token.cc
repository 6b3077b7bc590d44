// The vendor's AccessToken, version "001":
//
//   "001" | AppId, 24 characters | base64 of
//   +----------+-----------+----------+---------------+
//   | u16 size | message   | u16 = 32 | HMAC-SHA256   |   all integers little-endian
//   +----------+-----------+----------+---------------+
//   message: u32 nonce, u32 issued, u32 expires, u16 size + room, u16 size + user,
//            u16 n, n × (u16 privilege, u32 expires)
//
// The MAC's key is an AppKey as text; it covers the message alone.
#include <algorithm>

#include "adapters/signal/token_parts.h"
#include "base/crypto.h"

namespace atrium::signal {
namespace {

constexpr std::string_view kVersion = "001";
constexpr size_t kAppIdBytes = 24;
constexpr uint16_t kPublishStream = 0, kPublishAudio = 1, kPublishVideo = 2, kPublishData = 3,
                   kSubscribeStream = 4;

Result<std::string> read_text(ByteReader& reader) {
  const uint16_t size = TRY(reader.u16_le());
  return std::string(as_text(TRY(reader.take(size))));
}

Result<void> read_message(VendorToken& token) {
  ByteReader reader(token.message);
  token.nonce = TRY(reader.u32_le());
  token.issued_at = TRY(reader.u32_le());
  token.expire_at = TRY(reader.u32_le());
  token.room = RoomId(TRY(read_text(reader)));
  token.user = UserId(TRY(read_text(reader)));
  const uint16_t count = TRY(reader.u16_le());
  for (uint16_t i = 0; i < count; ++i) {
    const uint16_t privilege = TRY(reader.u16_le());
    token.privileges[privilege] = TRY(reader.u32_le());
  }
  if (!reader.at_end()) return malformed("bytes behind the privileges");
  return {};
}

Result<void> read_content(ByteView content, VendorToken& token) {
  ByteReader reader(content);
  const uint16_t message_size = TRY(reader.u16_le());
  const ByteView message = TRY(reader.take(message_size));
  const uint16_t signature_size = TRY(reader.u16_le());
  if (signature_size != token.signature.size()) return malformed("the signature has 32 bytes");
  const ByteView signature = TRY(reader.take(signature_size));
  if (!reader.at_end()) return malformed("bytes behind the signature");
  token.message.assign(message.begin(), message.end());
  std::ranges::copy(signature, token.signature.begin());
  return read_message(token);
}

bool is_signed_with(const VendorToken& token, std::string_view key) {
  if (key.empty()) return false;
  return constant_time_equal(hmac_sha256(as_bytes(key), token.message), token.signature);
}

// Is `privilege` held at `now_s`?  Its expiry is the last second in which it is, as the vendor's parsers have it.
bool is_held(const VendorToken& token, uint16_t privilege, int64_t now_s) {
  const auto found = token.privileges.find(privilege);
  return found != token.privileges.end() && (found->second == 0 || now_s <= int64_t{found->second});
}

std::optional<Wall> expiry_of(const VendorToken& token, uint16_t privilege) {
  const auto found = token.privileges.find(privilege);
  if (found == token.privileges.end() || found->second == 0) return std::nullopt;
  return wall_from_unix_s(found->second);
}

// Generators write 1, 2 and 3 beside 0; a token with 0 alone means all of them, one with 0 and some
// of them means those.
domain::Permissions permissions_of(const VendorToken& token, int64_t now_s) {
  using domain::TrackSource;
  const bool publish = is_held(token, kPublishStream, now_s);
  const bool is_split = token.privileges.contains(kPublishAudio) ||
                        token.privileges.contains(kPublishVideo) ||
                        token.privileges.contains(kPublishData);
  const bool audio = publish && (!is_split || is_held(token, kPublishAudio, now_s));
  const bool video = publish && (!is_split || is_held(token, kPublishVideo, now_s));
  domain::Permissions permissions;
  permissions.can_publish = audio || video;
  permissions.can_publish_data = publish && (!is_split || is_held(token, kPublishData, now_s));
  permissions.can_subscribe = is_held(token, kSubscribeStream, now_s);
  if (audio && !video)
    permissions.publish_sources = {TrackSource::Microphone, TrackSource::ScreenShareAudio};
  if (video && !audio)
    permissions.publish_sources = {TrackSource::Camera, TrackSource::ScreenShare};
  return permissions;
}

VerifiedToken verified(const VendorToken& parsed, std::string_view text, int64_t now_s) {
  VerifiedToken token;
  token.kind = domain::TokenKind::Vendor001;
  token.app = parsed.app;
  token.room = parsed.room;
  token.user = parsed.user;
  token.permissions = permissions_of(parsed, now_s);
  if (parsed.expire_at != 0) token.expires_at = wall_from_unix_s(parsed.expire_at);
  if (token.permissions.can_publish) token.publish_until = expiry_of(parsed, kPublishStream);
  if (token.permissions.can_subscribe) token.subscribe_until = expiry_of(parsed, kSubscribeStream);
  token.hash = sha256(as_bytes(text));
  return token;
}

}  // namespace

std::optional<VendorToken> parse_vendor_token(std::string_view text) {
  if (!text.starts_with(kVersion) || text.size() <= kVersion.size() + kAppIdBytes)
    return std::nullopt;
  VendorToken token;
  token.app = AppId(text.substr(kVersion.size(), kAppIdBytes));
  const std::string_view encoded = text.substr(kVersion.size() + kAppIdBytes);
  const auto content = from_base64(encoded);
  // One text per token: what is remembered of a token is the hash of its text.
  if (!content || base64(*content) != encoded || !read_content(*content, token))
    return std::nullopt;
  return token;
}

AuthenticOutcome verify_vendor_token(std::string_view text, const domain::Apps& apps, Now now) {
  const auto parsed = parse_vendor_token(text);
  if (!parsed) return invalid_token("The token is malformed.");
  const domain::App* app = apps.find(parsed->app);
  if (app == nullptr) return invalid_token("The token names an unknown application.");
  if (!is_signed_with(*parsed, app->primary_key) && !is_signed_with(*parsed, app->secondary_key))
    return invalid_token("The token's signature does not match.");
  const int64_t now_s = unix_s(now.wall);
  if (parsed->expire_at != 0 && now_s > int64_t{parsed->expire_at})
    return invalid_token("The token has expired.");
  if (parsed->room.empty()) return invalid_token("The token is for messaging, not for a room.");
  return AuthenticToken{verified(*parsed, text, now_s), app, parsed->room.value == "*"};
}

}  // namespace atrium::signal
