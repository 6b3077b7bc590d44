// ListBans (ours): the ban rules of an app that are in force, as the store has them, in order of their ids, page by
// page.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

HandlerStep list_bans(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  context.call.page_limit = page->limit;
  // One more than the page holds tells whether there is another.
  return Question(ListBanRules{context.app.id, BanId(page->after), page->limit + 1});
}

Answer shape(const PendingCall& call, std::span<const domain::BanRule> rules) {
  return page_json("Bans", rules.size(), call.page_limit, [&](size_t i) {
    return PageRow{rules[i].id.value, ban_json(rules[i])};
  });
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_read_by_post("ListBans", kPageFields, list_bans), shape)});

}  // namespace

std::span<const ActionRow> list_bans_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
