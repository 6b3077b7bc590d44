#include "adapters/openapi/webhook_fields.h"

#include <algorithm>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/message.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/openapi/url_rule.h"
#include "base/limits.h"
#include "domain/webhook_words.h"

namespace atrium::openapi {
namespace {

constexpr size_t kBusinessIdBytesMax = 64;
constexpr std::string_view kBusinessIdBytes =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_@-";

Refusal invalid(std::string message) {
  return {ErrorCode::InvalidParameter, std::move(message)};
}

bool is_printable_text(std::string_view text, size_t most) {
  return !text.empty() && text.size() <= most &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// Each kind of event, as visible and as invisible users cause it.
std::vector<std::string_view> names_of(domain::WebhookDialect dialect) {
  using enum domain::EventKind;
  std::vector<std::string_view> names;
  for (const domain::EventKind kind :
       {RoomStarted, RoomEnded, UserJoined, UserLeft, TrackPublished, TrackUnpublished})
    for (const bool is_hidden : {false, true}) {
      domain::Event event;
      event.kind = kind;
      event.hidden = is_hidden;
      const std::string_view name = domain::event_name(dialect, event);
      if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  return names;
}

std::string listed(const std::vector<std::string_view>& names) {
  std::string out;
  for (const std::string_view name : names) out += (out.empty() ? "" : ", ") + std::string(name);
  return out;
}

}  // namespace

std::optional<Refusal> check_webhook_url(std::string_view field, std::string_view url) {
  const auto flaw = webhook_url_flaw(url);
  if (!flaw) return std::nullopt;
  return invalid(std::string(field) + " " + std::string(*flaw) + ".");
}

std::optional<Refusal> check_webhook_secret(std::string_view secret) {
  if (is_printable_text(secret, static_cast<size_t>(limits::kWebhookSecretBytesMax)))
    return std::nullopt;
  return invalid("SecretKey must be 1 to " + std::to_string(limits::kWebhookSecretBytesMax) +
                 " printable ASCII characters.");
}

std::optional<Refusal> check_business_id(std::string_view business) {
  if (business.size() <= kBusinessIdBytesMax &&
      business.find_first_not_of(kBusinessIdBytes) == business.npos)
    return std::nullopt;
  return invalid("BusinessId must be at most 64 of 0-9, A-Z, a-z, _, @ and -.");
}

std::expected<std::vector<std::string>, Refusal> read_webhook_events(const Args& args,
                                                                     std::string_view field,
                                                                     domain::WebhookDialect dialect,
                                                                     UnknownEvents unknown) {
  constexpr size_t kNameBytesMax = 64;
  std::vector<std::string> events;
  const auto known = names_of(dialect);
  for (const std::string_view name : args.texts(field)) {
    const bool is_known = std::ranges::find(known, name) != known.end();
    const bool is_kept = unknown == UnknownEvents::Kept && is_printable_text(name, kNameBytesMax);
    if (!is_known && !is_kept)
      return std::unexpected(invalid(std::string(field) + ": there is no event " + printable(name) +
                                     "; there are " + listed(known) + "."));
    if (std::ranges::find(events, name) == events.end()) events.emplace_back(name);
  }
  if (events.size() > static_cast<size_t>(limits::kWebhookEventsMax))
    return std::unexpected(invalid(std::string(field) + " must name at most " +
                                   std::to_string(limits::kWebhookEventsMax) + " events."));
  return events;
}

std::expected<const domain::Webhook*, Refusal> find_webhook(const ActionContext& context) {
  const std::string_view id = context.args.text("WebhookId");
  if (!looks_like_webhook_id(id))
    return std::unexpected(invalid("WebhookId must be WH_ and 17 letters and digits."));
  const domain::Webhook* found = context.registry.webhooks().find(context.app.id, WebhookId(id));
  if (found == nullptr) return std::unexpected(no_such_webhook());
  return found;
}

Refusal no_such_webhook() {
  return {ErrorCode::NotExistWebhook, "No webhook of this app has this WebhookId."};
}

Refusal too_many_webhooks() {
  return {ErrorCode::SizeOverLimit,
          "An app has at most " + std::to_string(limits::kWebhooksPerAppMax) +
              " webhooks, and this server " + std::to_string(limits::kWebhooksMax) + "."};
}

Json webhook_json(const domain::Webhook& webhook) {
  const bool is_vendor = webhook.dialect == domain::WebhookDialect::Vendor;
  Json::Array events;
  for (const std::string& name : webhook.events) events.emplace_back(name);
  Json::Object out{{"WebhookId", webhook.id.value},
                   {"Url", webhook.url},
                   {"Dialect", is_vendor ? "vendor" : "livekit"}};
  if (is_vendor)
    out.emplace_back("BusinessId", webhook.business);
  else
    out.emplace_back("ApiKey", webhook.api_key.empty() ? webhook.app.value : webhook.api_key);
  out.emplace_back("Events", std::move(events));
  out.emplace_back("Enabled", webhook.enabled);
  out.emplace_back("CreatedAt", extended_time_ms(webhook.created_at));
  out.emplace_back("UpdatedAt", extended_time_ms(webhook.updated_at));
  return out;
}

}  // namespace atrium::openapi
