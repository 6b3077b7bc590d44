#include "adapters/openapi/schedules.h"

#include <algorithm>
#include <functional>

#include "adapters/openapi/timestamps.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

std::unexpected<Refusal> invalid(std::string message) {
  return std::unexpected(Refusal{ErrorCode::InvalidParameter, std::move(message)});
}

std::string range_text(int64_t least, int64_t most) {
  return std::to_string(least) + " to " + std::to_string(most);
}

int64_t seconds(Duration span) {
  return span / 1s;
}

void add_seconds(Json::Object& out, const char* name, const std::optional<Duration>& span) {
  if (span) out.emplace_back(name, seconds(*span));
}

Json warnings_json(const std::vector<Duration>& warnings) {
  Json::Array out;
  for (const Duration before : warnings) out.emplace_back(seconds(before));
  return out;
}

constexpr std::string_view kSchedulePrefix = "SD_", kOperationPrefix = "OP_";

}  // namespace

std::expected<std::optional<Wall>, Refusal> read_time(const ActionContext& context,
                                                      std::string_view field, int64_t ahead_s) {
  if (!context.args.has(field)) return std::nullopt;
  const auto time = parse_rfc3339(context.args.text(field));
  const std::string name(field);
  if (!time)
    return invalid(name +
                   " must be a time of RFC 3339 in UTC or with its offset, as "
                   "2006-01-02T15:04:05.678Z.");
  if (*time < context.now.wall && !context.call.is_replay) return invalid(name + " has passed.");
  if (*time > context.now.wall + std::chrono::seconds(ahead_s))
    return invalid(name + " must be at most " + std::to_string(ahead_s) + " seconds ahead.");
  return time;
}

std::expected<std::optional<Duration>, Refusal> read_seconds(const Args& args,
                                                             std::string_view field, int64_t least,
                                                             int64_t most) {
  const std::optional<int64_t> given = args.integer(field);
  if (!given) return std::nullopt;
  if (*given < least || *given > most)
    return invalid(std::string(field) + " must be " + range_text(least, most) + " seconds.");
  return std::chrono::seconds(*given);
}

std::expected<std::vector<Duration>, Refusal> read_warnings(const Args& args, int64_t most) {
  std::vector<Duration> out;
  const std::vector<int64_t> given = args.integers("WarnBeforeSeconds");
  if (given.size() > static_cast<size_t>(limits::kWarningsMax))
    return invalid("WarnBeforeSeconds may have at most " + std::to_string(limits::kWarningsMax) +
                   " entries.");
  for (const int64_t before : given) {
    if (before < 1 || before > most)
      return invalid("WarnBeforeSeconds: each must be " + range_text(1, most) + " seconds.");
    out.push_back(std::chrono::seconds(before));
  }
  std::ranges::sort(out, std::greater());
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

std::expected<ScheduleId, Refusal> read_schedule_id(const Args& args) {
  const std::string_view id = args.text("ScheduleId");
  const bool is_bounded = id.size() <= static_cast<size_t>(limits::kIdBytesMax);
  if (id.starts_with(kSchedulePrefix) && is_bounded) return ScheduleId(id);
  return invalid("ScheduleId must be one that ScheduleDismissal gave: SD_….");
}

Json::Object schedule_json(const domain::Schedule& schedule) {
  Json::Object out{{"ScheduleId", schedule.id.value},
                   {"RoomId", schedule.room.value},
                   {"RoomSessionId", schedule.room_sid.value},
                   {"DueAt", extended_time_ms(schedule.due_at)},
                   {"FollowsWallClock", schedule.follows_wall},
                   {"RefuseJoins", schedule.refuses_joins},
                   {"WarnBeforeSeconds", warnings_json(schedule.warn_before)}};
  add_seconds(out, "ForbiddenInterval", schedule.forbidden);
  if (!schedule.reason.empty()) out.emplace_back("Reason", schedule.reason);
  out.emplace_back("Operator", schedule.operator_id);
  out.emplace_back("RequestId", schedule.request_id);
  out.emplace_back("CreatedAt", extended_time_ms(schedule.created_at));
  return out;
}

Json policy_json(const domain::RoomPolicy& policy) {
  Json::Object out{{"RoomId", policy.room.value}};
  if (policy.end_at) out.emplace_back("EndAt", extended_time_ms(*policy.end_at));
  add_seconds(out, "MaxDurationSeconds", policy.max_duration);
  add_seconds(out, "IdleSeconds", policy.idle);
  add_seconds(out, "LastHostLeftSeconds", policy.without_host);
  if (!policy.hosts.empty()) {
    Json::Array hosts;
    for (const UserId& host : policy.hosts) hosts.emplace_back(host.value);
    out.emplace_back("Hosts", std::move(hosts));
  }
  out.emplace_back("WarnBeforeSeconds", warnings_json(policy.warn_before));
  if (!policy.reason.empty()) out.emplace_back("Reason", policy.reason);
  out.emplace_back("Operator", policy.operator_id);
  out.emplace_back("UpdatedAt", extended_time_ms(policy.updated_at));
  return out;
}

Refusal no_such_schedule() {
  return {ErrorCode::NotExistSchedule,
          "There is no such schedule: it was cancelled or replaced, its room ended otherwise, or "
          "it never was."};
}

ScheduleId schedule_of(const OperationId& operation) {
  return ScheduleId(
      std::string(kSchedulePrefix) +
      operation.value.substr(std::min(operation.value.size(), kOperationPrefix.size())));
}

}  // namespace atrium::openapi
