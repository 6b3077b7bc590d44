// Signer: makes the headers of a signed management call, in the form of the vendor's Go and Python
// SDKs (vendor-contract 2.2, 2.6).  For atriumctl and tests; pure, the time is given.
#pragma once

#include <string>

#include "adapters/openapi/message.h"
#include "base/time.h"

namespace atrium::openapi {

struct SigningKey {
  std::string access_key;
  std::string secret;  // used as text
  std::string region = "cn-north-1";
};

// Appends X-Date, X-Content-Sha256 and Authorization to `request`, whose Host header, and
// Content-Type where there is one, must be set already: they are signed too.  Headers X-… already
// present are signed as well.
void sign_request(Request& request, const SigningKey& key, Wall now);

}  // namespace atrium::openapi
