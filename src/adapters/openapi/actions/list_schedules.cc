// ListSchedules (ours): the dismissals of an app that count down, in order of their ids, page by page.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"

namespace atrium::openapi::actions {
namespace {

HandlerStep list_schedules(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  // One more than the page holds tells whether there is another.
  const std::vector<domain::Schedule> schedules =
      context.registry.list_schedules(context.app.id, ScheduleId(page->after), page->limit + 1);
  return page_json("Schedules", schedules.size(), page->limit, [&](size_t i) {
    return PageRow{schedules[i].id.value, schedule_json(schedules[i])};
  });
}

constexpr auto kRows =
    std::to_array<ActionRow>({own_read("ListSchedules", 20, kPageFields, list_schedules)});

}  // namespace

std::span<const ActionRow> list_schedules_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
