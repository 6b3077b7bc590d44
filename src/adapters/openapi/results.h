// The pieces of results that several actions share: receipts, rooms, users, pages.  Field names are
// part of the contract (api/openapi.md).
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/openapi/action.h"
#include "adapters/openapi/json.h"
#include "domain/types.h"

namespace atrium::openapi {

// What is not known is left out, never invented.
Json receipt_json(const domain::DismissalRecord& record);
// The receipt of a dismissal that met no room.
Json empty_receipt_json();
Json room_json(const domain::RoomView& room);
Json user_json(const domain::ParticipantView& participant);

// RoomId of the arguments, checked against the app's rule: IllegalRoomID.
std::optional<Refusal> check_room_id(const Args& args, const App& app);
// The current life; a life that is being dismissed is none.
std::optional<domain::RoomView> find_live_room(const domain::Registry& registry, const App& app,
                                               std::string_view room);
// Those who are in the room, ordered by user id.
std::vector<std::shared_ptr<const domain::ParticipantView>> online_users(
    const domain::Registry& registry, const RoomSid& room_sid);

// One page of a list ordered by a text key.  The cursor is the last key of the page before, in
// base64url.
struct Page {
  size_t limit = 0;
  std::string after;  // keys greater than this; empty: from the start
};
std::expected<Page, Refusal> read_page(const Args& args);
// Adds `name`: the items (by index) whose keys come after the cursor, at most `limit`; and
// NextCursor where more follow. `keys` are ascending.
void add_page(Json::Object& out, const char* name, std::span<const std::string_view> keys,
              const Page& page, const std::function<Json(size_t)>& item);

}  // namespace atrium::openapi
