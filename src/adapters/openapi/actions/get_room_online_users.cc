// GetRoomOnlineUsers (vendor-contract 1.3.6).  TotalUser counts everybody, visible or not; lists
// are ordered by id.
#include <array>

#include "adapters/openapi/results.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep get_online_users(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  context.call.room = RoomId(context.args.text("RoomId"));
  const auto room = find_live_room(context.registry, context.app, context.call.room.value);
  if (!room) return Json(Json::Object{{"RoomExists", false}});
  uint64_t total = 0, total_invisible = 0;
  Json::Array visible, invisible;
  for (const auto& user : online_users(context.registry, room->sid)) {
    const bool hidden = user->permissions.hidden;
    ++total;
    if (hidden) ++total_invisible;
    Json::Array& list = hidden ? invisible : visible;
    if (list.size() < static_cast<size_t>(limits::kOnlineUsersListedMax))
      list.emplace_back(user->user.value);
  }
  return Json(Json::Object{{"TotalUser", total},
                           {"TotalInvisibleUser", total_invisible},
                           {"VisibleUserList", std::move(visible)},
                           {"InvisibleUserList", std::move(invisible)},
                           {"RoomExists", true}});
}

constexpr ActionRow row(std::string_view version) {
  return {.name = "GetRoomOnlineUsers",
          .version = version,
          .method = Method::Get,
          .per_second = 40,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Read,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = get_online_users};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2023August), row(kVersion2023)});

}  // namespace

std::span<const ActionRow> get_room_online_users_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
