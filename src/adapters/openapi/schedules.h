// What the actions about rooms that end by themselves share: how a point in time, a span and a list of warnings are
// read, and how a schedule and a policy are shown.  Field names are part of the contract (api/openapi.md).
#pragma once

#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include "adapters/openapi/action.h"
#include "domain/schedule.h"

namespace atrium::openapi {

// `field` as RFC 3339, not before now and at most `ahead_s` seconds from now; absent: nullopt.  A call that is answered
// again may name what has passed since.
std::expected<std::optional<Wall>, Refusal> read_time(const ActionContext& context,
                                                      std::string_view field, int64_t ahead_s);
// `field` in seconds, `least` … `most`; absent: nullopt.
std::expected<std::optional<Duration>, Refusal> read_seconds(const Args& args,
                                                             std::string_view field, int64_t least,
                                                             int64_t most);
// WarnBeforeSeconds: at most kWarningsMax, each 1 … `most` seconds; descending, each once.
std::expected<std::vector<Duration>, Refusal> read_warnings(const Args& args, int64_t most);
// ScheduleId, as it was given out.
std::expected<ScheduleId, Refusal> read_schedule_id(const Args& args);

Json::Object schedule_json(const domain::Schedule& schedule);
Json policy_json(const domain::RoomPolicy& policy);
// There is no schedule of this id, or none any more.
Refusal no_such_schedule();
// The one that an operation made; what an answer says where no more is known than that.
ScheduleId schedule_of(const OperationId& operation);

}  // namespace atrium::openapi
