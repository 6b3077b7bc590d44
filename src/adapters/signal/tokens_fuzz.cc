// Any token text; and any message or claims under a right signature, so that what is behind the MAC is reached.
#include <cstdint>
#include <string>

#include "adapters/signal/test_tokens.h"
#include "adapters/signal/tokens.h"
#include "base/check.h"

using namespace atrium;
using namespace atrium::signal::testing;

namespace {

void try_token(std::string_view text) {
  const Now now = at_s(kServerSdkJwtNow);
  const domain::Apps context = vector_context();
  const auto token = signal::verify_token(text, context, RoomId("room-1"), now);
  if (!token) return;
  CHECK(token->room == RoomId("room-1"));
  const auto refreshed = signal::mint_refresh(*token, token->permissions, context, now);
  CHECK(refreshed.has_value() == (token->kind == domain::TokenKind::Jwt));
  if (!refreshed) return;
  const auto again = signal::verify_token(*refreshed, context, RoomId("room-1"), now);
  CHECK(again && again->user == token->user && again->permissions == token->permissions);
  CHECK(again->hash == token->hash && again->metadata == token->metadata);
}

std::string sign_vendor(std::string_view message) {
  Bytes content(message.size() + 36);
  ByteWriter writer(content);
  writer.u16_le(static_cast<uint16_t>(message.size())), writer.bytes(as_bytes(message));
  writer.u16_le(32), writer.bytes(hmac_sha256(as_bytes(kDevAppKey), as_bytes(message)));
  return std::string("001") + kDevApp + base64(content);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 40'000) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      try_token(rest);
      break;
    case 1:
      try_token(make_jwt(rest));
      break;
    default:
      try_token(sign_vendor(rest));
  }
  return 0;
}
