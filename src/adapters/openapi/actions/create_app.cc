// CreateApp (vendor page 74487): a new application of the caller's account, with an AppId and keys of our making.  In
// our own version the caller may bring its AppId and keys along, so that tokens made elsewhere go on working.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/check.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kVendorFields = std::to_array<FieldRule>({
    {"AppName", FieldType::Text, FieldUse::Required, ""},
});
constexpr auto kOwnFields = std::to_array<FieldRule>({
    {"AppName", FieldType::Text, FieldUse::Required, ""},
    {"AppId", FieldType::Text, FieldUse::Optional, ""},
    {"AppKey", FieldType::Text, FieldUse::Optional, ""},
    {"SecondaryAppKey", FieldType::Text, FieldUse::Optional, ""},
    {"Ids", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep create_app(ActionContext& context) {
  const std::string_view name = context.args.text("AppName");
  if (auto refusal = check_app_name(name)) return *refusal;
  domain::CreateApp command{.waiter = context.waiter, .app = {}};
  command.app.account = context.key.account;
  command.app.name = name;
  return ApplyCommand{std::move(command)};
}

HandlerStep create_own_app(ActionContext& context) {
  const std::string_view name = context.args.text("AppName"), id = context.args.text("AppId");
  if (auto refusal = check_app_name(name)) return *refusal;
  if (!id.empty() && !looks_like_app_id(id))
    return Refusal{ErrorCode::IllegalAppId, "AppId must be 24 lower-case hexadecimal digits."};
  const auto secrets = read_app_secrets(context.args);
  if (!secrets) return secrets.error();
  const auto any_ids = read_ids_rule(context.args);
  if (!any_ids) return any_ids.error();
  domain::CreateApp command{.waiter = context.waiter, .app = {}};
  command.app.id = AppId(id);
  command.app.account = context.key.account;
  command.app.name = name;
  command.app.any_ids = any_ids->value_or(false);
  command.app.primary_key = secrets->primary.value_or("");
  command.app.secondary_key = secrets->secondary.value_or("");
  return ApplyCommand{std::move(command)};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  CHECK(reply.app != nullptr);
  const domain::App& app = *reply.app;
  return Json(Json::Object{{"AppId", app.id.value},
                           {"AppKey", app.primary_key},
                           {"SecondaryAppKey", app.secondary_key},
                           {"Name", app.name},
                           {"Owner", app.account},
                           {"InstanceStatus", status_of(app)},
                           {"CreateDate", vendor_time_ns(app.created_at)},
                           {"InstanceId", app.id.value}});
}

Answer shape_own(const PendingCall&, const domain::ActionReply& reply) {
  CHECK(reply.app != nullptr);
  return Json(Json::Object{{"Message", "success"},
                           {"App", app_json(*reply.app)},
                           {"AppKey", reply.app->primary_key},
                           {"SecondaryAppKey", reply.app->secondary_key}});
}

constexpr ActionRow row(std::string_view version, std::span<const FieldRule> fields, Handler handle,
                        ActionShaper shaper, Unknown unknown) {
  return {.name = "CreateApp",
          .version = version,
          .method = Method::Post,
          .per_second = 20,
          .quota = QuotaScope::Account,
          .scope = KeyScope::App,
          .app = AppUse::None,
     .has_secrets = true,
          .unknown = unknown,
          .fields = fields,
          .handle = handle,
          .on_applied = shaper};
}

constexpr auto kRows = std::to_array<ActionRow>(
    {row(kVersion2020, kVendorFields, create_app, shape, Unknown::Ignored),
     row(kVersion2023, kVendorFields, create_app, shape, Unknown::Ignored),
     row(kVersionOwn, kOwnFields, create_own_app, shape_own, Unknown::Refused)});

}  // namespace

std::span<const ActionRow> create_app_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
