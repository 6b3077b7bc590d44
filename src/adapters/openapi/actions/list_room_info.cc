// ListRoomInfo (vendor-contract 1.6): the lives of rooms that started in a window of time, those that go on among them.
#include <array>

#include "adapters/openapi/history_question.h"
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

Answer shape(const PendingCall& call, const domain::LivesPage& page) {
  Json::Object out;
  add_page_facts(out, call, page.total);
  const size_t shown = (call.page_number - 1) * call.page_limit + page.lives.size();
  out.emplace_back("HasMore", !page.lives.empty() && shown < page.total);
  Json::Array rooms;
  for (const domain::LifeEntry& life : page.lives) rooms.push_back(life_json(life));
  out.emplace_back("RoomList", std::move(rooms));
  return Json(std::move(out));
}

constexpr ActionRow row(std::string_view version) {
  return {.name = "ListRoomInfo",
          .version = version,
          .method = Method::Get,
          .per_second = 10,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Read,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = list_room_info,
          .on_lives = shape};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2020), row(kVersion2023)});

}  // namespace

std::span<const ActionRow> list_room_info_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
