// SetRoomPolicy (ours): when the sessions of a room name end by themselves; without any trigger: never, as at first.
#include <array>
#include <set>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/schedules.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomId", FieldType::Text, FieldUse::Required, ""},
    {"EndAt", FieldType::Text, FieldUse::Optional, ""},
    {"MaxDurationSeconds", FieldType::Integer, FieldUse::Optional, ""},
    {"IdleSeconds", FieldType::Integer, FieldUse::Optional, ""},
    {"LastHostLeftSeconds", FieldType::Integer, FieldUse::Optional, ""},
    {"Hosts", FieldType::TextList, FieldUse::Optional, ""},
    {"WarnBeforeSeconds", FieldType::IntegerList, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
});

std::expected<std::vector<UserId>, Refusal> read_hosts(const ActionContext& context) {
  const auto invalid = [](std::string why) {
    return std::unexpected(Refusal{ErrorCode::InvalidParameter, std::move(why)});
  };
  std::set<std::string_view> hosts;
  for (const std::string_view host : context.args.texts("Hosts")) {
    if (!is_legal_id(host, context.app.any_ids)) return invalid("Hosts must be legal user ids.");
    hosts.insert(host);
  }
  if (hosts.size() > static_cast<size_t>(limits::kPolicyHostsMax))
    return invalid("Hosts may name at most " + std::to_string(limits::kPolicyHostsMax) + " users.");
  if (!hosts.empty() && !context.args.has("LastHostLeftSeconds"))
    return invalid("Hosts says who is meant by LastHostLeftSeconds, which is missing.");
  return std::vector<UserId>(hosts.begin(), hosts.end());
}

// The spans among its triggers; nullopt: they are well.
std::optional<Refusal> read_spans(const Args& args, domain::RoomPolicy& policy) {
  for (auto [field, place] : {std::pair("MaxDurationSeconds", &policy.max_duration),
                              std::pair("IdleSeconds", &policy.idle),
                              std::pair("LastHostLeftSeconds", &policy.without_host)}) {
    const auto span = read_seconds(args, field, 1, limits::kPolicySecondsMax);
    if (!span) return span.error();
    *place = *span;
  }
  return std::nullopt;
}

HandlerStep set_policy(ActionContext& context) {
  if (auto refusal = check_room_id(context.args, context.app)) return *refusal;
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  context.call.room = RoomId(context.args.text("RoomId"));
  domain::RoomPolicy policy{.app = context.app.id, .room = context.call.room};
  const auto end_at = read_time(context, "EndAt", limits::kScheduleAheadMaxS);
  if (!end_at) return end_at.error();
  policy.end_at = *end_at;
  if (auto refusal = read_spans(context.args, policy)) return *refusal;
  auto hosts = read_hosts(context);
  if (!hosts) return hosts.error();
  policy.hosts = *std::move(hosts);
  auto warnings = read_warnings(context.args, limits::kPolicySecondsMax);
  if (!warnings) return warnings.error();
  policy.warn_before = *std::move(warnings);
  policy.reason = origin->reason;
  domain::SetRoomPolicy command{.waiter = context.waiter,
                                .app = context.app.id,
                                .room = context.call.room,
                                .policy = {},
                                .origin = *std::move(origin)};
  if (policy.end_at || policy.max_duration || policy.idle || policy.without_host)
    command.policy = std::move(policy);
  return ApplyCommand{std::move(command)};
}

Answer shape(const PendingCall& call, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::TooMany)
    return Refusal{ErrorCode::SizeOverLimit,
                   "At most " + std::to_string(limits::kPoliciesMax) +
                       " room names can have a policy; remove some first."};
  return shape_success(call, reply);
}

constexpr auto kRows = std::to_array<ActionRow>(
    {answered_by(own_change("SetRoomPolicy", KeyScope::Room, 60, kFields, set_policy), shape)});

}  // namespace

std::span<const ActionRow> set_room_policy_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
