// GetRoomUsersProperty (vendor-contract 1.3.7): of each user asked about, in that order, whether present, and if so as
// what, since when and with what.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/results.h"
#include "base/limits.h"
#include "domain/device_words.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserIds", FieldType::TextList, FieldUse::Required, ""},
});

// The vendor's numbers.
constexpr int64_t kAbsent = 0, kPresent = 1;
constexpr int64_t kVisible = 1, kInvisible = 2;
constexpr int64_t kNative = 1, kWeb = 2;

Json property_of(const domain::ParticipantView& user) {
  Json::Object out{{"Status", kPresent},
                   {"UserID", user.user.value},
                   {"Role", user.permissions.hidden ? kInvisible : kVisible},
                   {"LoginTime", unix_ms(user.joined_at)}};
  const std::string_view device = domain::device_name(user.device);
  if (!device.empty()) out.emplace_back("DeviceType", device);
  out.emplace_back("PlatformType", user.device == domain::DeviceKind::Web ? kWeb : kNative);
  return out;
}

HandlerStep get_users_property(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  const std::vector<std::string_view> ids = context.args.texts("UserIds");
  if (std::ssize(ids) > limits::kUsersPropertyMax)
    return Refusal{
        ErrorCode::UserCountOverLimit,
        "UserIds must name at most " + std::to_string(limits::kUsersPropertyMax) + " users."};
  const RoomId room(context.args.text("RoomId"));
  Json::Array users;
  for (const std::string_view id : ids) {
    if (!is_legal_id(id, context.app.any_ids))
      return Refusal{ErrorCode::InvalidParameter, "UserIds must be ids of users."};
    const auto user = context.registry.find_user(context.app.id, room, UserId(id));
    users.push_back(user ? property_of(*user)
                         : Json(Json::Object{{"Status", kAbsent}, {"UserID", id}}));
  }
  return Json(Json::Object{{"UserList", std::move(users)}});
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "GetRoomUsersProperty",
                                                  .version = kVersion2023,
                                                  .method = Method::Get,
                                                  .per_second = 10,
                                                  .quota = QuotaScope::App,
                                                  .scope = KeyScope::Read,
                                                  .unknown = Unknown::Ignored,
                                                  .fields = kFields,
                                                  .handle = get_users_property}});

}  // namespace

std::span<const ActionRow> get_room_users_property_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
