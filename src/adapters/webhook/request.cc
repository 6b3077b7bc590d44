#include "adapters/webhook/request.h"

#include "adapters/webhook/livekit_webhook.h"
#include "adapters/webhook/vendor_envelope.h"

namespace atrium::webhook {

std::expected<Request, std::string> make_request(const domain::StoredEvent& event,
                                                 const domain::Webhook& webhook,
                                                 const domain::App* app, Wall now,
                                                 SecretSource& secrets) {
  if (webhook.dialect == domain::WebhookDialect::Vendor)
    return Request{.content_type = "application/json",
                   .authorization = {},
                   .body = vendor_body(event, webhook, secrets)};
  if (app == nullptr) return std::unexpected("the webhook's app is gone");
  const auto key = livekit_key(webhook, *app);
  if (!key)
    return std::unexpected("the app has no secret for the API key '" +
                           (webhook.api_key.empty() ? app->id.value : webhook.api_key) + "'");
  std::string body = livekit_body(event.event);
  std::string authorization = livekit_authorization(event, body, *key, now);
  return Request{.content_type = "application/webhook+json",
                 .authorization = std::move(authorization),
                 .body = std::move(body)};
}

}  // namespace atrium::webhook
