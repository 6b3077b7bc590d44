// CreateCallback, UpdateCallback, DeleteCallback, GetCallback (vendor-contract 1.5): webhooks in the vendor's dialect
// by the vendor's names, one for each BusinessId of an app.
#include <array>

#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/openapi/webhook_fields.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kCreateFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"BusinessId", FieldType::Text, FieldUse::Optional, ""},
    {"EventList", FieldType::TextList, FieldUse::Optional, ""},
    {"SecretKey", FieldType::Text, FieldUse::Required, ""},
    {"URL", FieldType::Text, FieldUse::Required, ""},
});
constexpr auto kUpdateFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"BusinessId", FieldType::Text, FieldUse::Optional, ""},
    {"EventList", FieldType::TextList, FieldUse::Optional, ""},
    {"SecretKey", FieldType::Text, FieldUse::Optional, ""},
    {"URL", FieldType::Text, FieldUse::Optional, ""},
});
constexpr auto kDeleteFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"BusinessId", FieldType::Text, FieldUse::Optional, ""},
});
constexpr auto kGetFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
});

std::string business_of(const ActionContext& context) {
  return std::string(context.args.text("BusinessId"));
}

// Empty strings are absent: the vendor's SDKs send zero values.
std::optional<Refusal> read_changes(const Args& args, domain::Webhook& webhook) {
  if (!args.text("URL").empty()) webhook.url = std::string(args.text("URL"));
  if (!args.text("SecretKey").empty()) {
    webhook.secret = std::string(args.text("SecretKey"));
    webhook.shows_secret = true;
  }
  if (auto refusal = check_webhook_url("URL", webhook.url)) return refusal;
  if (auto refusal = check_webhook_secret(webhook.secret)) return refusal;
  if (!args.has("EventList")) return std::nullopt;
  auto events = read_webhook_events(args, "EventList", webhook.dialect, UnknownEvents::Kept);
  if (!events) return events.error();
  webhook.events = *std::move(events);
  return std::nullopt;
}

Refusal no_such_callback() {
  return {ErrorCode::InvalidParameter, "BusinessId: the app has no callback for it."};
}

HandlerStep create_callback(ActionContext& context) {
  domain::Webhook webhook;
  webhook.app = context.app.id;
  webhook.business = business_of(context);
  webhook.dialect = domain::WebhookDialect::Vendor;
  if (auto refusal = check_business_id(webhook.business)) return *refusal;
  if (auto refusal = read_changes(context.args, webhook)) return *refusal;
  return ApplyCommand{domain::PutWebhook{.waiter = context.waiter, .webhook = std::move(webhook)}};
}

HandlerStep update_callback(ActionContext& context) {
  const domain::Webhook* known =
      context.registry.webhooks().find_callback(context.app.id, business_of(context));
  if (known == nullptr) return no_such_callback();
  domain::Webhook webhook = *known;
  if (auto refusal = read_changes(context.args, webhook)) return *refusal;
  return ApplyCommand{domain::PutWebhook{.waiter = context.waiter, .webhook = std::move(webhook)}};
}

Answer shape_put(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::NotThere) return no_such_callback();
  if (reply.outcome == domain::ActionOutcome::TooMany) return too_many_webhooks();
  return Json("success");
}

// None there is success: it is gone.
HandlerStep delete_callback(ActionContext& context) {
  const domain::Webhook* known =
      context.registry.webhooks().find_callback(context.app.id, business_of(context));
  if (known == nullptr) return Json("success");
  return ApplyCommand{
      domain::DropWebhook{.waiter = context.waiter, .app = context.app.id, .webhook = known->id}};
}

Answer shape_deleted(const PendingCall&, const domain::ActionReply&) {
  return Json("success");
}

Json::Array event_list(const domain::Webhook& webhook) {
  Json::Array events;
  for (const std::string& name : webhook.events) events.emplace_back(name);
  return events;
}

// `events`: an array in a list of callbacks, the same as text beside it.  A secret that came by our own actions is
// shown as "": UpdateCallback takes that for absent, so what is read here can be sent back.
Json::Object callback_json(const ActionContext& context, const domain::Webhook& webhook,
                           Json events) {
  return {{"AccountId", context.key.account},
          {"AppId", context.app.id.value},
          {"BusinessId", webhook.business},
          {"CreatedAt", vendor_time_ns(webhook.created_at)},
          {"EventList", std::move(events)},
          {"Region", context.region},
          {"SecretKey", webhook.shows_secret ? webhook.secret : ""},
          {"URL", webhook.url},
          {"UpdatedAt", vendor_time_ns(webhook.updated_at)}};
}

// The first of them stands beside the list, too, as the vendor's models have it.
HandlerStep get_callback(ActionContext& context) {
  const domain::Webhook* first =
      context.registry.webhooks().find_callback(context.app.id, std::string());
  Json::Array all;
  for (const domain::Webhook* webhook : context.registry.webhooks().list(context.app.id)) {
    if (webhook->dialect != domain::WebhookDialect::Vendor) continue;
    if (first == nullptr) first = webhook;
    all.emplace_back(callback_json(context, *webhook, Json(event_list(*webhook))));
  }
  Json::Object out{{"AccountId", context.key.account}, {"AppId", context.app.id.value}};
  if (first != nullptr)
    out = callback_json(context, *first, Json(to_text(Json(event_list(*first)))));
  else
    for (const char* name :
         {"BusinessId", "CreatedAt", "EventList", "Region", "SecretKey", "URL", "UpdatedAt"})
      out.emplace_back(name, "");
  out.emplace_back("Callbacks", std::move(all));
  return Json(std::move(out));
}

constexpr ActionRow row(std::string_view name, Method method, uint32_t per_second,
                        std::span<const FieldRule> fields, Handler handle, ActionShaper shaper) {
  return {.name = name,
          .version = kVersion2020,
          .method = method,
          .per_second = per_second,
          .quota = QuotaScope::Account,
          .scope = KeyScope::App,  // GetCallback shows SecretKeys
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = handle,
          .on_applied = shaper};
}
constexpr ActionRow with_query(ActionRow row) {
  row.fields_in = FieldsIn::Query;
  return row;
}

constexpr auto kRows = std::to_array<ActionRow>({
    row("CreateCallback", Method::Post, 20, kCreateFields, create_callback, shape_put),
    row("UpdateCallback", Method::Post, 20, kUpdateFields, update_callback, shape_put),
    with_query(
        row("DeleteCallback", Method::Post, 20, kDeleteFields, delete_callback, shape_deleted)),
    row("GetCallback", Method::Get, 60, kGetFields, get_callback, nullptr),
});

}  // namespace

std::span<const ActionRow> callbacks_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
