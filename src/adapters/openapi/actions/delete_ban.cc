// DeleteBan (ours): lifts one rule by its id.  One that is not there is lifted already: success, Existed false.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"BanId", FieldType::Text, FieldUse::Required, ""},
});

HandlerStep delete_ban(ActionContext& context) {
  BanId ban(context.args.text("BanId"));
  if (!looks_like_ban_id(ban.value))
    return Refusal{ErrorCode::InvalidParameter, "BanId must be BN_ and 17 letters and digits."};
  return ApplyCommand{domain::LiftBan{context.waiter, context.app.id, std::move(ban)}};
}

Answer shape(const PendingCall&, const domain::ActionReply& reply) {
  return Json(Json::Object{{"Message", "success"},
                           {"Existed", reply.outcome == domain::ActionOutcome::Done}});
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_change("DeleteBan", KeyScope::Ban, 20, kFields, delete_ban), shape)});

}  // namespace

std::span<const ActionRow> delete_ban_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
