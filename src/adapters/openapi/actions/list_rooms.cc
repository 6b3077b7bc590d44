// ListRooms (ours): the rooms of an app that are live now, in order of their ids, page by page.  A
// room that opens or ends between two pages may be missed or listed; one that lives throughout is
// listed once.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

HandlerStep list_rooms(ActionContext& context) {
  const auto page = read_page(context.args);
  if (!page) return page.error();
  // One more than the page holds tells whether there is another.
  const std::vector<domain::RoomView> rooms =
      context.registry.list_rooms(context.app.id, RoomId(page->after), page->limit + 1);
  return page_json("Rooms", rooms.size(), page->limit, [&](size_t i) {
    return PageRow{rooms[i].room.value, room_json(rooms[i])};
  });
}

constexpr auto kRows =
    std::to_array<ActionRow>({own_read_by_post("ListRooms", kPageFields, list_rooms)});

}  // namespace

std::span<const ActionRow> list_rooms_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
