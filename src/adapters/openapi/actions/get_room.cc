// GetRoom (ours): one live room and a page of the users in it, in order of their ids.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep get_room(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  const auto page = read_page(context.args);
  if (!page) return page.error();
  context.call.room = RoomId(context.args.text("RoomId"));
  const auto room = find_live_room(context.registry, context.app, context.call.room.value);
  if (!room) return Json(Json::Object{{"RoomExists", false}});
  const auto users = online_users(context.registry, room->sid);
  std::vector<std::string_view> keys;
  keys.reserve(users.size());
  for (const auto& user : users) keys.push_back(user->user.value);
  Json::Object out{{"RoomExists", true}, {"Room", room_json(*room)}};
  add_page(out, "Users", keys, *page, [&](size_t i) { return user_json(*users[i]); });
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>({own_read_by_post("GetRoom", kFields, get_room)});

}  // namespace

std::span<const ActionRow> get_room_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
