// GetRoomPolicy (ours): when the sessions of a room name end by themselves.
#include <array>

#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep get_policy(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  const auto policy =
      context.registry.find_policy(context.app.id, RoomId(context.args.text("RoomId")));
  Json::Object out{{"PolicyExists", policy.has_value()}};
  if (policy) out.emplace_back("Policy", policy_json(*policy));
  return Json(std::move(out));
}

constexpr auto kRows =
    std::to_array<ActionRow>({own_read("GetRoomPolicy", 20, kFields, get_policy)});

}  // namespace

std::span<const ActionRow> get_room_policy_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
