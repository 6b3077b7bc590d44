// GetDismissal (ours): what became of an operation.  Running and recent ones are the registry's,
// older ones the store's.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"OperationId", FieldType::Text, FieldUse::Required, ""},
});

// An operation of another app does not exist for this caller.
Answer shape(const PendingCall& call, const domain::DismissalRecord* record) {
  if (record == nullptr || record->app != call.app)
    return Refusal{ErrorCode::NotExistOperation,
                   "No dismissal of this app has this OperationId; records are kept for 30 days."};
  return Json(Json::Object{{"Receipt", receipt_json(*record)}});
}

HandlerStep get_dismissal(ActionContext& context) {
  context.call.operation = OperationId(context.args.text("OperationId"));
  if (!looks_like_operation_id(context.call.operation.value))
    return Refusal{ErrorCode::InvalidParameter,
                   "OperationId must be OP_ and 17 letters and digits."};
  const auto record = context.registry.find_operation(context.call.operation);
  if (!record) return Question(FindRecord{context.call.operation});
  return std::visit([](auto&& answer) -> HandlerStep { return std::move(answer); },
                    shape(context.call, &*record));
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_read_by_post("GetDismissal", kFields, get_dismissal), shape)});

}  // namespace

std::span<const ActionRow> get_dismissal_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
