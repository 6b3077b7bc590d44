#include "apps/atriumload/tokens.h"

#include <boost/json.hpp>
#include <cstdint>

#include "base/bytes.h"
#include "base/compact_jws.h"
#include "base/crypto.h"

namespace atrium::load {
namespace {

constexpr uint16_t kPublish = 0, kPublishAudio = 1, kPublishVideo = 2, kPublishData = 3,
                   kSubscribe = 4;

void text(ByteWriter& out, std::string_view value) {
  out.u16_le(static_cast<uint16_t>(value.size()));
  out.bytes(as_bytes(value));
}

}  // namespace

std::string make_jwt(std::string_view api_key, std::string_view api_secret,
                     const TokenSubject& subject, Wall now, Duration valid) {
  const boost::json::object claims{{"iss", api_key},
                                   {"sub", subject.user},
                                   {"nbf", unix_s(now)},
                                   {"exp", unix_s(now + valid)},
                                   {"video",
                                    {{"room", subject.room},
                                     {"roomJoin", true},
                                     {"canPublish", subject.can_publish},
                                     {"canSubscribe", true},
                                     {"canPublishData", true},
                                     {"hidden", subject.hidden}}}};
  return hs256_compact(boost::json::serialize(claims), api_secret);
}

std::string make_vendor_token(std::string_view app_id, std::string_view app_key,
                              const TokenSubject& subject, Wall now, Duration valid,
                              uint32_t nonce) {
  const auto until = static_cast<uint32_t>(unix_s(now + valid));
  Bytes message(64 + subject.room.size() + subject.user.size());
  ByteWriter out(message);
  out.u32_le(nonce), out.u32_le(static_cast<uint32_t>(unix_s(now))), out.u32_le(until);
  text(out, subject.room), text(out, subject.user);
  out.u16_le(subject.can_publish ? 5 : 1);
  if (subject.can_publish)
    for (const uint16_t privilege : {kPublish, kPublishAudio, kPublishVideo, kPublishData})
      out.u16_le(privilege), out.u32_le(until);
  out.u16_le(kSubscribe), out.u32_le(until);
  CHECK(out.ok());
  message.resize(out.position());
  const Sha256 signature = hmac_sha256(as_bytes(app_key), message);
  Bytes content(message.size() + signature.size() + 4);
  ByteWriter sealed(content);
  text(sealed, as_text(message)), text(sealed, as_text(signature));
  return "001" + std::string(app_id) + base64(content);
}

}  // namespace atrium::load
