// ListRoomInfo (vendor-contract 1.6): the lives of rooms that started in a window of time, those that go on among them.
// In our own version also why they ended.
#include <array>

#include "adapters/openapi/history_question.h"
#include "adapters/openapi/record_results.h"
#include "adapters/openapi/timestamps.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"StartTime", FieldType::Text, FieldUse::Required, ""},
    {"EndTime", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Optional, ""},
    {"PageNum", FieldType::Integer, FieldUse::Optional, ""},
    {"PageSize", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_room_info(ActionContext& context) {
  auto query = read_history_query(context);
  if (!query) return query.error();
  return Question(ListLives{std::move(*query)});
}

Json life_json(const domain::LifeEntry& life) {
  return Json::Object{{"CallId", life.room_sid.value},
                      {"RoomId", life.room.value},
                      {"CreatedTime", rfc3339_s(life.started_at)},
                      {"DestroyTime", life.ended_at ? rfc3339_s(*life.ended_at) : ""},
                      {"ActiveUserNum", static_cast<int64_t>(life.users_now)},
                      {"IsFinished", life.ended_at.has_value()}};
}

Json own_life_json(const domain::LifeEntry& life) {
  Json::Object out{{"RoomId", life.room.value},
                   {"RoomSessionId", life.room_sid.value},
                   {"StartedAt", extended_time_ms(life.started_at)}};
  if (life.ended_at) {
    out.emplace_back("EndedAt", extended_time_ms(*life.ended_at));
    out.emplace_back("Interrupted", life.interrupted);
    add_reason(out, life.reason);
  }
  out.emplace_back("UsersNow", life.users_now);
  return out;
}

Json page_of_lives(const PendingCall& call, const domain::LivesPage& page, const char* name,
                   Json (*shown)(const domain::LifeEntry&)) {
  Json::Object out;
  add_page_facts(out, call, page.total);
  const size_t seen = (call.page_number - 1) * call.page_limit + page.lives.size();
  out.emplace_back("HasMore", !page.lives.empty() && seen < page.total);
  Json::Array rooms;
  for (const domain::LifeEntry& life : page.lives) rooms.push_back(shown(life));
  out.emplace_back(name, std::move(rooms));
  return out;
}

Answer shape(const PendingCall& call, const domain::LivesPage& page) {
  return page_of_lives(call, page, "RoomList", life_json);
}
Answer shape_own(const PendingCall& call, const domain::LivesPage& page) {
  return page_of_lives(call, page, "Rooms", own_life_json);
}

constexpr ActionRow row(std::string_view version, LivesShaper shaper) {
  return {.name = "ListRoomInfo",
          .version = version,
          .method = Method::Get,
          .per_second = 10,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Read,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = list_room_info,
          .on_lives = shaper};
}

constexpr auto kRows = std::to_array<ActionRow>(
    {row(kVersion2020, shape), row(kVersion2023, shape), row(kVersionOwn, shape_own)});

}  // namespace

std::span<const ActionRow> list_room_info_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
