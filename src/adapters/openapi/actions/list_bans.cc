// ListBans (ours): the ban rules of an app that are in force, as the store has them, in order of their ids, page by
// page.
#include <algorithm>
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_bans(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  context.call.page_limit = page->limit;
  // One more than the page holds tells whether there is another.
  return Question(ListBanRules{context.app.id, BanId(page->after), page->limit + 1});
}

Answer shape(const PendingCall& call, std::span<const domain::BanRule> rules) {
  std::vector<std::string_view> keys;
  keys.reserve(rules.size());
  for (const domain::BanRule& rule : rules) keys.push_back(rule.id.value);
  Json::Object out;
  add_page(out, "Bans", keys, {.limit = call.page_limit, .after = {}},
           [&](size_t i) { return ban_json(rules[i]); });
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "ListBans",
                                                  .version = kVersionOwn,
                                                  .method = Method::Post,
                                                  .per_second = 20,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Read,
                                                  .unknown = Unknown::Refused,
                                                  .fields = kFields,
                                                  .handle = list_bans,
                                                  .on_bans = shape}});

}  // namespace

std::span<const ActionRow> list_bans_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
