// ModifyAppStatus (vendor page 74488): switches an application on (1) or off (2).  Switched off: its tokens open no
// door, and its live rooms end as by DismissRoom (DESIGN section 4).  The whole Result is a string.
#include <array>

#include "adapters/openapi/results.h"

namespace atrium::openapi::actions {
namespace {

constexpr int64_t kEnable = 1, kDisable = 2;

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"Status", FieldType::Integer, FieldUse::Required, ""},
});

HandlerStep modify_app_status(ActionContext& context) {
  const auto status = context.args.integer("Status");
  if (status != kEnable && status != kDisable)
    return Refusal{ErrorCode::InvalidParameter, "Status must be 1 (enable) or 2 (disable)."};
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  return ApplyCommand{domain::ChangeApp{.waiter = context.waiter,
                                        .app = context.app.id,
                                        .enabled = status == kEnable,
                                        .origin = *std::move(origin)}};
}

Answer shape(const PendingCall&, const domain::ActionReply&) {
  return Json("success");
}

constexpr ActionRow row(std::string_view version) {
  return {.name = "ModifyAppStatus",
          .version = version,
          .method = Method::Post,
          .per_second = 20,
          .quota = QuotaScope::Account,
          .scope = KeyScope::App,
          .unknown = Unknown::Ignored,
          .fields = kFields,
          .handle = modify_app_status,
          .on_applied = shape};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2020), row(kVersion2023)});

}  // namespace

std::span<const ActionRow> modify_app_status_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
