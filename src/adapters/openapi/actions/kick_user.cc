// KickUser (vendor-contract 1.3.2): one user out of one room, with -1006 and no ban.  Somebody who is not there is out
// already: success.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep kick_user(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  if (auto refusal = check_user_id(context.args, context.app)) return *refusal;
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  return ApplyCommand{domain::RemoveUser{.waiter = context.waiter,
                                         .app = context.app.id,
                                         .room = RoomId(context.args.text("RoomId")),
                                         .user = UserId(context.args.text("UserId")),
                                         .origin = *std::move(origin)}};
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "KickUser",
                                                  .version = kVersion2020,
                                                  .method = Method::Post,
                                                  .per_second = 60,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Room,
                                                  .unknown = Unknown::Ignored,
                                                  .fields = kFields,
                                                  .handle = kick_user,
                                                  .on_applied = shape_success}});

}  // namespace

std::span<const ActionRow> kick_user_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
