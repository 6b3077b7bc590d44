// One try of a delivery as the HTTP client sends it: POST to the destination with these headers and this body.
#pragma once

#include <expected>
#include <string>

#include "base/secret_source.h"
#include "base/time.h"
#include "domain/event.h"
#include "domain/types.h"
#include "domain/webhook.h"

namespace atrium::webhook {

struct Request {
  std::string content_type;
  std::string authorization;  // empty: no such header
  std::string body;
};

// `app`: that of the webhook; null: it is gone.  The error, for the record of the delivery, says which key is missing.
std::expected<Request, std::string> make_request(const domain::StoredEvent& event,
                                                 const domain::Webhook& webhook,
                                                 const domain::App* app, Wall now,
                                                 SecretSource& secrets);

}  // namespace atrium::webhook
