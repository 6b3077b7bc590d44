// Webhooks in our own version: CreateWebhook, UpdateWebhook, DeleteWebhook, ListWebhooks, TestWebhook.  Secrets go in
// and never out.
#include <algorithm>
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/openapi/webhook_fields.h"

namespace atrium::openapi::actions {
namespace {

using domain::WebhookDialect;

constexpr auto kCreateFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Url", FieldType::Text, FieldUse::Required, ""},
    {"Dialect", FieldType::Text, FieldUse::Required, ""},
    {"SecretKey", FieldType::Text, FieldUse::Optional, ""},
    {"ApiKey", FieldType::Text, FieldUse::Optional, ""},
    {"BusinessId", FieldType::Text, FieldUse::Optional, ""},
    {"Events", FieldType::TextList, FieldUse::Optional, ""},
    {"Enabled", FieldType::Boolean, FieldUse::Optional, ""},
});
constexpr std::string_view kStays = "it stays as it is; make another webhook instead.";
constexpr auto kUpdateFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"WebhookId", FieldType::Text, FieldUse::Required, ""},
    {"Url", FieldType::Text, FieldUse::Optional, ""},
    {"Dialect", FieldType::Text, FieldUse::Refused, kStays},
    {"SecretKey", FieldType::Text, FieldUse::Optional, ""},
    {"ApiKey", FieldType::Text, FieldUse::Optional, ""},
    {"BusinessId", FieldType::Text, FieldUse::Refused, kStays},
    {"Events", FieldType::TextList, FieldUse::Optional, ""},
    {"Enabled", FieldType::Boolean, FieldUse::Optional, ""},
});
constexpr auto kIdFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"WebhookId", FieldType::Text, FieldUse::Required, ""},
});
constexpr auto kListFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
});

Refusal invalid(std::string message) {
  return {ErrorCode::InvalidParameter, std::move(message)};
}

// --- what signs ----------------------------------------------------------------------------------

bool has_api_key(const domain::App& app, std::string_view key) {
  return key == app.id.value ||
         std::ranges::find(app.api_keys, key, &domain::ApiKey::key) != app.api_keys.end();
}

std::optional<Refusal> read_vendor_secret(const Args& args, domain::Webhook& webhook) {
  if (args.has("ApiKey"))
    return invalid("ApiKey belongs to the dialect livekit; the vendor's is signed with SecretKey.");
  if (args.has("SecretKey")) {
    webhook.secret = std::string(args.text("SecretKey"));
    webhook.shows_secret = false;
  }
  return check_webhook_secret(webhook.secret);
}

std::optional<Refusal> read_livekit_key(const ActionContext& context, domain::Webhook& webhook) {
  const Args& args = context.args;
  if (args.has("SecretKey"))
    return invalid(
        "SecretKey belongs to the dialect vendor; livekit's is signed with an API key "
        "of the app, which ApiKey names.");
  if (!args.text("BusinessId").empty()) return invalid("BusinessId belongs to the dialect vendor.");
  if (!args.has("ApiKey")) return std::nullopt;
  const std::string_view key = args.text("ApiKey");
  if (!has_api_key(context.app, key))
    return invalid("ApiKey must be the AppId or one of the app's API keys.");
  webhook.api_key = key == context.app.id.value ? "" : std::string(key);
  return std::nullopt;
}

std::expected<WebhookDialect, Refusal> read_dialect(const Args& args) {
  const std::string_view dialect = args.text("Dialect");
  if (dialect == "vendor") return WebhookDialect::Vendor;
  if (dialect == "livekit") return WebhookDialect::LiveKit;
  return std::unexpected(invalid("Dialect must be \"vendor\" or \"livekit\"."));
}

// --- create, update, delete ----------------------------------------------------------------------

// Takes over whatever the arguments change.
std::optional<Refusal> read_changes(const ActionContext& context, domain::Webhook& webhook) {
  const Args& args = context.args;
  if (args.has("Url")) webhook.url = std::string(args.text("Url"));
  if (auto refusal = check_webhook_url("Url", webhook.url)) return refusal;
  const bool is_vendor = webhook.dialect == WebhookDialect::Vendor;
  if (auto refusal =
          is_vendor ? read_vendor_secret(args, webhook) : read_livekit_key(context, webhook))
    return refusal;
  if (args.has("Events")) {
    auto events = read_webhook_events(args, "Events", webhook.dialect, UnknownEvents::Refused);
    if (!events) return events.error();
    webhook.events = *std::move(events);
  }
  if (args.has("Enabled")) webhook.enabled = args.flag("Enabled");
  return std::nullopt;
}

HandlerStep create_webhook(ActionContext& context) {
  const auto dialect = read_dialect(context.args);
  if (!dialect) return dialect.error();
  domain::Webhook webhook;
  webhook.app = context.app.id;
  webhook.business = std::string(context.args.text("BusinessId"));
  webhook.dialect = *dialect;
  if (auto refusal = check_business_id(webhook.business)) return *refusal;
  if (auto refusal = read_changes(context, webhook)) return *refusal;
  return ApplyCommand{domain::PutWebhook{.waiter = context.waiter, .webhook = std::move(webhook)}};
}

HandlerStep update_webhook(ActionContext& context) {
  const auto known = find_webhook(context);
  if (!known) return known.error();
  domain::Webhook webhook = **known;
  if (auto refusal = read_changes(context, webhook)) return *refusal;
  return ApplyCommand{domain::PutWebhook{.waiter = context.waiter, .webhook = std::move(webhook)}};
}

Answer shape_put(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::NotThere) return no_such_webhook();
  if (reply.outcome == domain::ActionOutcome::TooMany) return too_many_webhooks();
  Json::Object out{{"Message", "success"}};
  if (reply.webhook != nullptr) out.emplace_back("Webhook", webhook_json(*reply.webhook));
  return Json(std::move(out));
}

HandlerStep delete_webhook(ActionContext& context) {
  const std::string_view id = context.args.text("WebhookId");
  if (!looks_like_webhook_id(id))
    return invalid("WebhookId must be WH_ and 17 letters and digits.");
  return ApplyCommand{domain::DropWebhook{
      .waiter = context.waiter, .app = context.app.id, .webhook = WebhookId(id)}};
}

Answer shape_deleted(const PendingCall&, const domain::ActionReply& reply) {
  return Json(Json::Object{{"Message", "success"},
                           {"Existed", reply.outcome == domain::ActionOutcome::Done}});
}

// --- list ----------------------------------------------------------------------------------------

HandlerStep list_webhooks(ActionContext& context) {
  Json::Array webhooks;
  for (const domain::Webhook* webhook : context.registry.webhooks().list(context.app.id))
    webhooks.push_back(webhook_json(*webhook));
  if (webhooks.empty()) return Json(Json::Object{{"Webhooks", std::move(webhooks)}});
  context.call.known = Json(std::move(webhooks));
  return Question(FindBacklogs{});
}

// What the store says nothing of has nothing waiting.
Json with_backlog(const Json& webhook, std::span<const domain::WebhookBacklog> backlogs) {
  const Json* id = webhook.find("WebhookId");
  const auto found = std::ranges::find_if(backlogs, [&](const domain::WebhookBacklog& backlog) {
    return backlog.webhook.value == *id->if_text();
  });
  const domain::WebhookBacklog backlog =
      found == backlogs.end() ? domain::WebhookBacklog() : *found;
  Json::Object out = *webhook.if_object();
  out.emplace_back("Waiting", backlog.waiting);
  out.emplace_back("DeadLetters", backlog.dead);
  if (backlog.oldest_waiting_at)
    out.emplace_back("OldestWaitingAt", extended_time_ms(*backlog.oldest_waiting_at));
  return out;
}

Answer shape_list(const PendingCall& call, std::span<const domain::WebhookBacklog> backlogs) {
  Json::Array webhooks;
  for (const Json& webhook : *call.known.if_array())
    webhooks.push_back(with_backlog(webhook, backlogs));
  return Json(Json::Object{{"Webhooks", std::move(webhooks)}});
}

// --- test ----------------------------------------------------------------------------------------

HandlerStep test_webhook(ActionContext& context) {
  const auto known = find_webhook(context);
  if (!known) return known.error();
  return TestDelivery{(*known)->id};
}

Answer shape_tested(const PendingCall&, const TestOutcome& outcome) {
  Json::Object out{{"Delivered", outcome.why.empty()}};
  if (outcome.status != 0) out.emplace_back("Status", outcome.status);
  if (!outcome.why.empty()) out.emplace_back("Why", outcome.why);
  out.emplace_back(
      "Milliseconds",
      int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(outcome.took).count()});
  return Json(std::move(out));
}

// --- rows ----------------------------------------------------------------------------------------

constexpr ActionRow change(std::string_view name, std::span<const FieldRule> fields,
                           Handler handle) {
  return own_change(name, KeyScope::App, 20, fields, handle);
}

constexpr auto kRows = std::to_array<ActionRow>({
    answered_by(change("CreateWebhook", kCreateFields, create_webhook), shape_put),
    answered_by(change("UpdateWebhook", kUpdateFields, update_webhook), shape_put),
    answered_by(change("DeleteWebhook", kIdFields, delete_webhook), shape_deleted),
    answered_by(change("TestWebhook", kIdFields, test_webhook), shape_tested),
    answered_by(own_read("ListWebhooks", 60, kListFields, list_webhooks), shape_list),
});

}  // namespace

std::span<const ActionRow> own_webhooks_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
