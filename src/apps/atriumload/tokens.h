// Client tokens of both kinds, as a backend would sign them (docs/protocol/tokens.md).  Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace atrium::load {

struct TokenSubject {
  std::string_view room, user;
  bool can_publish = true;
  bool hidden = false;  // of a JWT
};

// LiveKit's JWT: HS256, may join, publish (if so), subscribe and send data; valid for `valid`.
std::string make_jwt(std::string_view api_key, std::string_view api_secret,
                     const TokenSubject& subject, Wall now, Duration valid);

// The vendor's 001; `nonce` is any number.
std::string make_vendor_token(std::string_view app_id, std::string_view app_key,
                              const TokenSubject& subject, Wall now, Duration valid,
                              uint32_t nonce);

}  // namespace atrium::load
