// UpdateBanRoomUserRule (vendor-contract 1.3.4): lifts a rule (no interval, or 0) or starts it anew.  Nobody is
// evicted; a rule that does not exist is made, or is lifted already.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Optional, ""},
    {"UserId", FieldType::Text, FieldUse::Optional, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep update(ActionContext& context) {
  auto target = read_ban_target(context.args, context.app);
  if (!target) return target.error();
  const auto interval = read_interval(context.args, context.bans);
  if (!interval) return interval.error();
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  return ApplyCommand{domain::UpdateBan{.waiter = context.waiter,
                                        .app = context.app.id,
                                        .target = *std::move(target),
                                        .interval = *interval,
                                        .origin = *std::move(origin)}};
}

constexpr ActionRow row(std::string_view version) {
  return {.name = "UpdateBanRoomUserRule",
          .version = version,
          .method = Method::Post,
          .per_second = 20,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Ban,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = update,
          .on_applied = shape_success};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2020), row(kVersion2023)});

}  // namespace

std::span<const ActionRow> update_ban_room_user_rule_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
