// ListSchedules (ours): the dismissals of an app that count down, in order of their ids, page by page.
#include <array>

#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_schedules(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  // One more than the page holds tells whether there is another.
  const std::vector<domain::Schedule> schedules =
      context.registry.list_schedules(context.app.id, ScheduleId(page->after), page->limit + 1);
  std::vector<std::string_view> keys;
  keys.reserve(schedules.size());
  for (const domain::Schedule& schedule : schedules) keys.push_back(schedule.id.value);
  Json::Object out;
  add_page(out, "Schedules", keys, *page, [&](size_t i) { return schedule_json(schedules[i]); });
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "ListSchedules",
                                                  .version = kVersionOwn,
                                                  .method = Method::Get,
                                                  .per_second = 20,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Read,
                                                  .unknown = Unknown::Refused,
                                                  .fields = kFields,
                                                  .handle = list_schedules}});

}  // namespace

std::span<const ActionRow> list_schedules_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
