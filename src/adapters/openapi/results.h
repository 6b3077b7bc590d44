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
std::optional<Refusal> check_room_id(const Args& args, const domain::App& app);
// UserId, likewise: InvalidParameter, since the vendor has no code for it.
std::optional<Refusal> check_user_id(const Args& args, const domain::App& app);
// ForbiddenInterval in seconds, clamped into `range` where it is not 0; absent counts as 0.
std::expected<Duration, Refusal> read_interval(const Args& args, const BanRange& range);
// RoomId, UserId and IP of a ban, empty ones absent: at least one, IP alone.
std::expected<domain::BanTarget, Refusal> read_ban_target(const Args& args, const domain::App& app);
// IfRoomSessionId: absent, or well-formed; the registry compares it when it applies the command.
std::expected<std::optional<RoomSid>, Refusal> read_if_session(const Args& args);
// Who calls, for the record; InvalidParameter where Reason is too long.
std::expected<domain::ActionOrigin, Refusal> read_origin(const ActionContext& context);
// What went wrong, with the operation to ask about; nullopt: nothing.
std::optional<Refusal> dismissal_failure(const domain::DismissReply& reply);
Json ban_json(const domain::BanRule& rule);
// An application without its secrets, in our own words.
Json app_json(const domain::App& app);
// Refuses an AppName that is not legal; empty ones, too.
std::optional<Refusal> check_app_name(std::string_view name);
// AppKey and SecondaryAppKey where given: 1…kAppKeyBytesMax printable ASCII characters.
struct AppSecrets {
  std::optional<std::string> primary, secondary;
};
std::expected<AppSecrets, Refusal> read_app_secrets(const Args& args);
// Ids: "vendor" or "any"; true: any.
std::expected<std::optional<bool>, Refusal> read_ids_rule(const Args& args);
// A key of tokens: 1…kAppKeyBytesMax printable ASCII characters.
std::optional<Refusal> check_key_text(std::string_view field, std::string_view text);
// The numbers by which the vendor says how an application is.
inline constexpr int kAppRunning = 1, kAppDisabled = 98;
constexpr int status_of(const domain::App& app) {
  return app.enabled ? kAppRunning : kAppDisabled;
}
// {"message":…} of Version 2020-12-01 room management, {"Message":…} of all others (vendor-contract 1.3).
Json message_json(const PendingCall& call, std::string_view text);

// An ActionShaper: "success" in the words of the action's version.
Answer shape_success(const PendingCall& call, const domain::ActionReply& reply);

// The current life; a life that is being dismissed is none.
std::optional<domain::RoomView> find_live_room(const domain::Registry& registry,
                                               const domain::App& app, std::string_view room);
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
// The fields of a list whose only question is which page.
inline constexpr FieldRule kPageFields[] = {
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
};
// Adds `name`: the items (by index) whose keys come after the cursor, at most `limit`; and
// NextCursor where more follow. `keys` are ascending.
void add_page(Json::Object& out, const char* name, std::span<const std::string_view> keys,
              const Page& page, const std::function<Json(size_t)>& item);
// A row of a list: what the list is ordered by, and how it is shown.
struct PageRow {
  std::string_view key;
  Json shown;
};
// `{name: rows}` of `count` rows that were found behind the cursor, one more than the page holds where others follow.
Json page_json(const char* name, size_t count, size_t limit,
               const std::function<PageRow(size_t)>& row);

}  // namespace atrium::openapi
