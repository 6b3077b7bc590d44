// LimitTokenPrivilege (vendor-contract 1.3.5): who joined with this token may not publish for a while.  Who is in with
// it is stopped at once and told -1002; a join with another token is not concerned.
#include <array>

#include "adapters/openapi/results.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr BanRange kRange{limits::kBanSecondsMinByteplus, limits::kBanSecondsMaxByteplus};

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"UserId", FieldType::Text, FieldUse::Required, ""},
    {"Token", FieldType::Text, FieldUse::Required, ""},
    {"ForbiddenInterval", FieldType::Integer, FieldUse::Required, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});

HandlerStep limit(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  if (auto refusal = check_user_id(context.args, context.app)) return *refusal;
  if (context.args.text("Token").empty())
    return Refusal{ErrorCode::InvalidParameter,
                   "Token must be the token that the user joined with."};
  auto interval = read_interval(context.args, kRange);
  if (!interval) return interval.error();
  if (*interval == Duration{}) interval = std::chrono::seconds(kRange.least_s);
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  context.call.until = context.now.wall + *interval;
  return ApplyCommand{
      domain::LimitToken{.waiter = context.waiter,
                         .app = context.app.id,
                         .room = RoomId(context.args.text("RoomId")),
                         .user = UserId(context.args.text("UserId")),
                         .token_hash = context.token_line(context.args.text("Token")),
                         .interval = *interval,
                         .origin = *std::move(origin)}};
}

Answer shape(const PendingCall& call, const domain::ActionReply&) {
  return Json(Json::Object{{"Message", "Success"}, {"EndTime", unix_s(*call.until)}});
}

constexpr auto kRows = std::to_array<ActionRow>({{.name = "LimitTokenPrivilege",
                                                  .version = kVersion2023,
                                                  .method = Method::Post,
                                                  .per_second = 40,
                                                  .quota = QuotaScope::Account,
                                                  .scope = KeyScope::Ban,
                                                  .unknown = Unknown::Ignored,
                                                  .fields = kFields,
                                                  .handle = limit,
                                                  .on_applied = shape}});

}  // namespace

std::span<const ActionRow> limit_token_privilege_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
