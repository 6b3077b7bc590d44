// What ListRoomInfo and ListUserInfo share: the window of time and the page that they ask for (vendor-contract 1.6).
#pragma once

#include <expected>

#include "adapters/openapi/action.h"

namespace atrium::openapi {

// StartTime, EndTime, RoomId, PageNum and PageSize.  A window longer than kHistoryWindowS is cut at its end; of what
// lies more than kHistoryBackDays back nothing is shown.  Leaves the page in `context.call`.
std::expected<domain::HistoryQuery, Refusal> read_history_query(ActionContext& context);
// Adds Total, PageNum and PageSize.
void add_page_facts(Json::Object& out, const PendingCall& call, uint64_t total);

}  // namespace atrium::openapi
