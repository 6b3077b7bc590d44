// Applications in our own version: GetApp, UpdateApp, AddApiKey, DeleteApiKey.  Answers carry no secret.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "base/check.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kGetFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
});
constexpr auto kUpdateFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"AppName", FieldType::Text, FieldUse::Optional, ""},
    {"AppKey", FieldType::Text, FieldUse::Optional, ""},
    {"SecondaryAppKey", FieldType::Text, FieldUse::Optional, ""},
    {"Ids", FieldType::Text, FieldUse::Optional, ""},
    {"Enabled", FieldType::Boolean, FieldUse::Optional, ""},
});
constexpr auto kAddKeyFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"ApiKey", FieldType::Text, FieldUse::Required, ""},
    {"ApiSecret", FieldType::Text, FieldUse::Required, ""},
    {"Management", FieldType::Boolean, FieldUse::Optional, ""},
});
constexpr auto kDropKeyFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"ApiKey", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep get_app(ActionContext& context) {
  return Json(Json::Object{{"App", app_json(context.app)}});
}

HandlerStep update_app(ActionContext& context) {
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  domain::ChangeApp command{
      .waiter = context.waiter, .app = context.app.id, .origin = *std::move(origin)};
  if (context.args.has("AppName")) {
    if (auto refusal = check_app_name(context.args.text("AppName"))) return *refusal;
    command.name = std::string(context.args.text("AppName"));
  }
  auto secrets = read_app_secrets(context.args);
  if (!secrets) return secrets.error();
  command.primary_key = std::move(secrets->primary);
  command.secondary_key = std::move(secrets->secondary);
  const auto any_ids = read_ids_rule(context.args);
  if (!any_ids) return any_ids.error();
  command.any_ids = *any_ids;
  if (context.args.has("Enabled")) command.enabled = context.args.flag("Enabled");
  return ApplyCommand{std::move(command)};
}

HandlerStep add_api_key(ActionContext& context) {
  domain::ApiKey key{.key = std::string(context.args.text("ApiKey")),
                     .secret = std::string(context.args.text("ApiSecret")),
                     .management = context.args.flag("Management")};
  if (auto refusal = check_key_text("ApiKey", key.key)) return *refusal;
  if (auto refusal = check_key_text("ApiSecret", key.secret)) return *refusal;
  if (looks_like_app_id(key.key))
    return Refusal{ErrorCode::InvalidParameter,
                   "ApiKey must not look like an AppId: each app's AppId is its API key already."};
  return ApplyCommand{domain::ChangeApp{
      .waiter = context.waiter, .app = context.app.id, .add_key = std::move(key)}};
}

HandlerStep delete_api_key(ActionContext& context) {
  return ApplyCommand{domain::ChangeApp{.waiter = context.waiter,
                                        .app = context.app.id,
                                        .drop_key = std::string(context.args.text("ApiKey"))}};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  CHECK(reply.app != nullptr);  // apps do not go away
  return Json(Json::Object{{"Message", "success"}, {"App", app_json(*reply.app)}});
}

constexpr ActionRow change(std::string_view name, std::span<const FieldRule> fields,
                           Handler handle) {
  return answered_by(own_change(name, KeyScope::App, 20, fields, handle), shape);
}

constexpr auto kRows = std::to_array<ActionRow>({
    own_read_by_post("GetApp", kGetFields, get_app),
    change("UpdateApp", kUpdateFields, update_app),
    change("AddApiKey", kAddKeyFields, add_api_key),
    change("DeleteApiKey", kDropKeyFields, delete_api_key),
});

}  // namespace

std::span<const ActionRow> own_apps_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
