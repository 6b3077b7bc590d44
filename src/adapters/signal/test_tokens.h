// Keys, vectors and token makers for this folder's tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "adapters/signal/tokens.h"
#include "base/crypto.h"

namespace atrium::signal::testing {

inline constexpr const char* kVectorApp = "123456781234567812345678";
inline constexpr const char* kDevApp = "a7e100000000000000000001";
inline constexpr const char* kDevAppKey = "devappkey00000000000000000000001";
inline constexpr int64_t kVectorIssued = 1704164645;
inline constexpr int64_t kVectorExpires = 1704168245;

// vendor-contract 8.3
inline constexpr const char* kT1 =
    "001123456781234567812345678QwBOYbwAJX2TZTWLk2UIAG5ldyByb29tCwBuZXcgdXNlciBpZAUAAAA1i5NlAQA1i5N"
    "lAgA1i5NlAwA1i5NlBAAAA"
    "AAAIABqqJY2YfqSG98bxFzdNBaaIRx5tjqkhLEIewUjb5XArg==";
inline constexpr const char* kT2 =
    "001123456781234567812345678HAABAAAAJX2TZQAAAAABACoDAHUtMQEABAAAAAAAIAByPUQp8fF350ppXRoi0wsd9w0"
    "apvhnoP8iSGVUJ96/7Q==";
inline constexpr const char* kT3 =
    "001123456781234567812345678GgD/"
    "4PUFJX2TZTWLk2UAAAgAcnRtLXVzZXIAACAAjck67wmhmyc5UzFhJvpZV4U0PU+FDBHu/EqK1dabbYw=";
// Made by livekit-server-sdk 2.19.2 with devkey/secret, valid to the end of 2099: alice, room-1,
// sources camera and microphone.
inline constexpr const char* kServerSdkJwt =
    "eyJhbGciOiJIUzI1NiJ9."
    "eyJtZXRhZGF0YSI6IntcIm1cIjoxfSIsImF0dHJpYnV0ZXMiOnsiYSI6ImIifSwibmFtZSI6IkFsaWNlIiwidmlkZW8iOn"
    "s"
    "icm9vbUpvaW4iOnRydWUsInJvb20iOiJyb29tLTEiLCJjYW5QdWJsaXNoIjp0cnVlLCJjYW5TdWJzY3JpYmUiOnRydWUsI"
    "mNhblB1Ymxpc2hEYXRhIjp"
    "mYWxzZSwiY2FuUHVibGlzaFNvdXJjZXMiOlsiY2FtZXJhIiwibWljcm9waG9uZSJdLCJjYW5VcGRhdGVPd25NZXRhZGF0Y"
    "SI6dHJ1ZX0sImlzcyI6ImR"
    "ldmtleSIsImV4cCI6NDEwMjQ0NDgwMCwibmJmIjoxNzk1Mzg2ODExLCJzdWIiOiJhbGljZSJ9."
    "k3W8DWwlLZXFQtqpjANokRWxj8JlJXqw3mOFDSFFBIo";
inline constexpr int64_t kServerSdkJwtNow = 1795386900;

inline Now at_s(int64_t unix_seconds) {
  return {.mono = Mono{}, .wall = wall_from_unix_s(unix_seconds)};
}

inline domain::App vector_app() {
  domain::App vectors;
  vectors.id = AppId(kVectorApp);
  vectors.primary_key = "app key";
  vectors.secondary_key = "0123456789abcdef0123456789abcdef";
  vectors.any_ids = true;  // T1's ids have spaces
  return vectors;
}

inline domain::App dev_app() {
  domain::App dev;
  dev.id = AppId(kDevApp);
  dev.primary_key = kDevAppKey;
  dev.api_keys = {{"devkey", "secret"}};
  return dev;
}

// The applications of the vectors and of development; the latter as `change` leaves it.
inline domain::Apps vector_context(void (*change)(domain::App& dev) = nullptr) {
  domain::Apps apps;
  apps.put_stored(vector_app());
  domain::App dev = dev_app();
  if (change != nullptr) change(dev);
  apps.put_stored(std::move(dev));
  return apps;
}

struct VendorParts {
  std::string app = kDevApp, key = kDevAppKey, room = "room-1", user = "u-1";
  uint32_t nonce = 1, issued_at = 1'700'000'000, expire_at = 0;
  std::vector<std::pair<uint16_t, uint32_t>> privileges{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}};
  std::string behind_message = {}, behind_signature = {};  // bytes that should not be there
};

inline std::string make_vendor_token(const VendorParts& parts) {
  Bytes message(4096);
  ByteWriter writer(message);
  writer.u32_le(parts.nonce), writer.u32_le(parts.issued_at), writer.u32_le(parts.expire_at);
  writer.u16_le(static_cast<uint16_t>(parts.room.size())), writer.bytes(as_bytes(parts.room));
  writer.u16_le(static_cast<uint16_t>(parts.user.size())), writer.bytes(as_bytes(parts.user));
  writer.u16_le(static_cast<uint16_t>(parts.privileges.size()));
  for (const auto& [privilege, expires] : parts.privileges)
    writer.u16_le(privilege), writer.u32_le(expires);
  writer.bytes(as_bytes(parts.behind_message));
  message.resize(writer.position());
  Bytes content(8192);
  ByteWriter outer(content);
  outer.u16_le(static_cast<uint16_t>(message.size())), outer.bytes(message);
  outer.u16_le(32), outer.bytes(hmac_sha256(as_bytes(parts.key), message));
  outer.bytes(as_bytes(parts.behind_signature));
  content.resize(outer.position());
  return "001" + parts.app + base64(content);
}

inline std::string make_jwt(std::string_view header, std::string_view claims,
                            std::string_view secret) {
  std::string text = base64url(as_bytes(header)) + "." + base64url(as_bytes(claims));
  return text + "." + base64url(hmac_sha256(as_bytes(secret), as_bytes(text)));
}
inline std::string make_jwt(std::string_view claims) {
  return make_jwt(R"({"alg":"HS256","typ":"JWT"})", claims, "secret");
}

}  // namespace atrium::signal::testing
