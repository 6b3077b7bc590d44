// ListRooms (ours): the rooms of an app that are live now, in order of their ids, page by page.  A
// room that opens or ends between two pages may be missed or listed; one that lives throughout is
// listed once.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_rooms(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  // One more than the page holds tells whether there is another.
  const std::vector<domain::RoomView> rooms =
      context.registry.list_rooms(context.app.id, RoomId(page->after), page->limit + 1);
  std::vector<std::string_view> keys;
  keys.reserve(rooms.size());
  for (const domain::RoomView& room : rooms) keys.push_back(room.room.value);
  Json::Object out;
  add_page(out, "Rooms", keys, *page, [&](size_t i) { return room_json(rooms[i]); });
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "ListRooms",
                                                  .version = kVersionOwn,
                                                  .method = Method::Post,
                                                  .per_second = 20,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Read,
                                                  .unknown = Unknown::Refused,
                                                  .fields = kFields,
                                                  .handle = list_rooms}});

}  // namespace

std::span<const ActionRow> list_rooms_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
