// ListDeadLetters and RedriveDeadLetters (ours): events that a webhook never got, and another try for them.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/record_results.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "adapters/openapi/webhook_fields.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kListFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"WebhookId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});
constexpr auto kRedriveFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"WebhookId", FieldType::Text, FieldUse::Required, ""},
    {"EventId", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep list_dead_letters(ActionContext& context) {
  const auto webhook = find_webhook(context);
  if (!webhook) return webhook.error();
  const auto position = read_position(context.args);
  if (!position) return position.error();
  const auto limit = read_limit(context.args, limits::kPageDefault, limits::kDeadLettersPageMax);
  if (!limit) return limit.error();
  context.call.page_limit = *limit;
  return Question(ListDeadLettersOf{
      .webhook = (*webhook)->id, .after_cursor = position->after, .limit = *limit});
}

Json letter_json(const domain::DeadLetter& letter) {
  return Json::Object{{"Attempts", letter.attempts},
                      {"Why", letter.why},
                      {"DiedAt", extended_time_ms(letter.died_at)},
                      {"Event", event_json(letter.event)}};
}

Answer shape_list(const PendingCall& call, std::span<const domain::DeadLetter> letters) {
  Json::Array items;
  for (const domain::DeadLetter& letter : letters) items.push_back(letter_json(letter));
  Json::Object out{{"DeadLetters", std::move(items)}};
  if (!letters.empty() && letters.size() >= call.page_limit)
    out.emplace_back("NextCursor", position_text({.after = letters.back().event.cursor}));
  return Json(std::move(out));
}

HandlerStep redrive(ActionContext& context) {
  const std::string_view event = context.args.text("EventId");
  if (context.args.has("EventId") && !looks_like_event_id(event))
    return Refusal{ErrorCode::InvalidParameter, "EventId must be EV_ and 17 letters and digits."};
  const auto webhook = find_webhook(context);
  if (!webhook) return webhook.error();
  return RedriveDeadLetters{.operation = {}, .webhook = (*webhook)->id, .event = EventId(event)};
}

Answer shape_redriven(const PendingCall&, const domain::ActionReply& reply) {
  return Json(Json::Object{{"Message", "success"}, {"OperationId", reply.operation.value}});
}

constexpr auto kRows = std::to_array<ActionRow>({
    answered_by(own_read("ListDeadLetters", 60, kListFields, list_dead_letters), shape_list),
    answered_by(own_change("RedriveDeadLetters", KeyScope::App, 20, kRedriveFields, redrive),
                shape_redriven),
});

}  // namespace

std::span<const ActionRow> dead_letters_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
