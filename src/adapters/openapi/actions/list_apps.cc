// ListApps (vendor page 74489): the applications of the caller's account with their AppKeys, oldest first.
#include <algorithm>
#include <array>

#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Optional, ""},
    {"Offset", FieldType::Number, FieldUse::Optional, ""},
    {"Limit", FieldType::Number, FieldUse::Optional, ""},
    {"Reverse", FieldType::Number, FieldUse::Optional, ""},
});

Json item(const domain::App& app) {
  return Json::Object{{"AppId", app.id.value},
                      {"AppName", app.name},
                      {"CreateAt", vendor_time_ns(app.created_at)},
                      {"Status", status_of(app)},
                      {"AppKey", app.primary_key},
                      {"SecondaryAppKey", app.secondary_key}};
}

HandlerStep list_apps(ActionContext& context) {
  const int64_t offset = context.args.integer("Offset").value_or(0);
  const int64_t limit = context.args.integer("Limit").value_or(limits::kAppsPageDefault);
  if (offset < 0 || limit < 1)
    return Refusal{ErrorCode::InvalidParameter, "Offset must be 0 or more, and Limit 1 to " +
                                                    std::to_string(limits::kAppsPageMax) + "."};
  const int64_t most = std::min<int64_t>(limit, limits::kAppsPageMax);
  std::vector<const domain::App*> apps = context.registry.apps().list(context.key.account);
  if (!context.app.id.empty()) apps = {&context.app};
  if (context.args.integer("Reverse") == 1) std::ranges::reverse(apps);
  Json::Array items;
  for (size_t i = static_cast<size_t>(offset);
       i < apps.size() && items.size() < static_cast<size_t>(most); ++i)
    items.push_back(item(*apps[i]));
  return Json(Json::Object{{"AppList", std::move(items)},
                           {"Limit", most},
                           {"Offset", offset},
                           {"Total", uint64_t{apps.size()}}});
}

constexpr ActionRow row(std::string_view version) {
  return {.name = "ListApps",
          .version = version,
          .method = Method::Post,
          .per_second = 20,
          .quota = QuotaScope::Account,
          .scope = KeyScope::App,  // AppKeys are secrets
          .app = AppUse::Optional,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = list_apps};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2020), row(kVersion2023)});

}  // namespace

std::span<const ActionRow> list_apps_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
