// ListEvents (ours): what happened in an app's rooms, in order, to be read on from any earlier place for
// kEventKeepDays.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/record_results.h"
#include "adapters/openapi/results.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Optional, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Since", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_events(ActionContext& context) {
  if (!context.args.text("RoomId").empty())
    if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  auto position = read_position(context.args);
  if (!position) return position.error();
  const auto since = read_instant(context.args, "Since");
  if (!since) return since.error();
  const auto limit = read_limit(context.args, limits::kEventPageDefault, limits::kEventPageMax);
  if (!limit) return limit.error();
  if (*since) position->since = *since;
  context.call.position = *position;
  return Question(FindEventsPage{{.app = context.app.id,
                                  .room = RoomId(context.args.text("RoomId")),
                                  .after_cursor = position->after,
                                  .since = position->since,
                                  .limit = *limit}});
}

// Who reads from the beginning has missed nothing that it had asked for.
bool has_lost(const Position& asked, const domain::EventsPage& page) {
  return asked.after > 0 && asked.after + 1 < page.oldest_cursor;
}

Answer shape(const PendingCall& call, const domain::EventsPage& page) {
  Json::Array events;
  for (const domain::StoredEvent& event : page.events) events.push_back(event_json(event));
  const Position next =
      page.events.empty() ? call.position : Position{.after = page.events.back().cursor};
  Json::Object out{{"Events", std::move(events)}, {"NextCursor", position_text(next)}};
  if (has_lost(call.position, page)) {
    out.emplace_back("Lost", true);
    out.emplace_back("OldestCursor", position_text({.after = page.oldest_cursor - 1}));
  }
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_read("ListEvents", 60, kFields, list_events), shape)});

}  // namespace

std::span<const ActionRow> list_events_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
