// ListAudit (ours): who asked for what in the caller's account, and what came of it, oldest first.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/record_results.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

// The action that is looked for is ActionName: Action is this call's own.
constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Optional, ""},
    {"OperationId", FieldType::Text, FieldUse::Optional, ""},
    {"ActionName", FieldType::Text, FieldUse::Optional, ""},
    {"Since", FieldType::Text, FieldUse::Optional, ""},
    {"Until", FieldType::Text, FieldUse::Optional, ""},
    {"Cursor", FieldType::Text, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

HandlerStep list_audit(ActionContext& context) {
  domain::AuditQuery query{.account = context.key.account,
                           .app = context.app.id,
                           .action = std::string(context.args.text("ActionName"))};
  if (const std::string_view operation = context.args.text("OperationId"); !operation.empty()) {
    if (!looks_like_operation_id(operation))
      return Refusal{ErrorCode::InvalidParameter,
                     "OperationId must be OP_ and 17 letters and digits."};
    query.operation = OperationId(operation);
  }
  const auto since = read_instant(context.args, "Since");
  if (!since) return since.error();
  const auto until = read_instant(context.args, "Until");
  if (!until) return until.error();
  const auto position = read_position(context.args);
  if (!position) return position.error();
  const auto limit = read_limit(context.args, limits::kPageDefault, limits::kAuditPageMax);
  if (!limit) return limit.error();
  query.from = *since;
  query.until = *until;
  query.after_sequence = position->after;
  query.limit = *limit;
  return Question(FindAuditPage{std::move(query)});
}

// A page may be empty and yet not the last: the filters passed over whatever was looked at.
Answer shape(const PendingCall&, const domain::AuditPage& page) {
  Json::Array records;
  for (const domain::StoredAudit& record : page.records) records.push_back(audit_json(record));
  return Json(Json::Object{{"Records", std::move(records)},
                           {"NextCursor", position_text({.after = page.looked_until})},
                           {"HasMore", page.has_more}});
}

constexpr ActionRow row() {
  ActionRow row = answered_by(own_read("ListAudit", 60, kFields, list_audit), shape);
  row.app = AppUse::Optional;
  return row;
}

constexpr auto kRows = std::to_array<ActionRow>({row()});

}  // namespace

std::span<const ActionRow> list_audit_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
