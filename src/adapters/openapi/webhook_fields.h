// What the actions about webhooks share: our own ones and the vendor's about callbacks, two ways to the same rows.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/openapi/action.h"
#include "domain/webhook.h"

namespace atrium::openapi {

// A field called `field` that holds the URL of a webhook: refused with what is wrong with it.
std::optional<Refusal> check_webhook_url(std::string_view field, std::string_view url);
// SecretKey: 1…kWebhookSecretBytesMax printable ASCII characters.
std::optional<Refusal> check_webhook_secret(std::string_view secret);
// BusinessId: empty, or at most 64 of [0-9A-Za-z_@-] (vendor-contract 1.5).
std::optional<Refusal> check_business_id(std::string_view business);
enum class UnknownEvents : uint8_t { Kept, Refused };
// The names of events in `field`: at most kWebhookEventsMax, each once.  Those that the dialect does not have are
// refused, or kept for the vendor's sake and never told.
std::expected<std::vector<std::string>, Refusal> read_webhook_events(const Args& args,
                                                                     std::string_view field,
                                                                     domain::WebhookDialect dialect,
                                                                     UnknownEvents unknown);
// WebhookId of the arguments, well-formed and of this app.
std::expected<const domain::Webhook*, Refusal> find_webhook(const ActionContext& context);
Refusal no_such_webhook();
Refusal too_many_webhooks();
// In our own words; its secret is left out.
Json webhook_json(const domain::Webhook& webhook);

}  // namespace atrium::openapi
