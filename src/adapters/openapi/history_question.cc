#include "adapters/openapi/history_question.h"

#include <algorithm>
#include <string>

#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

std::unexpected<Refusal> invalid(std::string message) {
  return std::unexpected(Refusal{ErrorCode::InvalidParameter, std::move(message)});
}

std::expected<Wall, Refusal> read_time(const Args& args, std::string_view name) {
  const auto time = parse_rfc3339(args.text(name));
  if (!time)
    return invalid(std::string(name) +
                   " must be a time of RFC 3339 with its offset, as 2006-01-02T15:04:05+08:00.");
  return *time;
}

std::expected<void, Refusal> read_page_asked(ActionContext& context) {
  const int64_t number = context.args.integer("PageNum").value_or(1);
  if (number < 1 || number > limits::kHistoryPagesMax)
    return invalid("PageNum must be from 1 to " + std::to_string(limits::kHistoryPagesMax) + ".");
  const int64_t size = context.args.integer("PageSize").value_or(limits::kHistoryPageDefault);
  context.call.page_number = static_cast<size_t>(number);
  context.call.page_limit =
      static_cast<size_t>(std::clamp(size, int64_t{1}, int64_t{limits::kHistoryPageMax}));
  return {};
}

}  // namespace

std::expected<domain::HistoryQuery, Refusal> read_history_query(ActionContext& context) {
  domain::HistoryQuery query;
  query.app = context.app.id;
  if (!context.args.text("RoomId").empty()) {
    if (auto refusal = check_room_id(context.args, context.app)) return std::unexpected(*refusal);
    query.room = RoomId(context.args.text("RoomId"));
  }
  const auto start = read_time(context.args, "StartTime");
  if (!start) return std::unexpected(start.error());
  const auto end = read_time(context.args, "EndTime");
  if (!end) return std::unexpected(end.error());
  if (*end < *start) return invalid("EndTime must not be before StartTime.");
  if (const auto page = read_page_asked(context); !page) return std::unexpected(page.error());
  query.from = std::max(*start, context.now.wall - std::chrono::days(limits::kHistoryBackDays));
  query.until = std::min(*end, *start + std::chrono::seconds(limits::kHistoryWindowS));
  query.limit = context.call.page_limit;
  query.offset = (context.call.page_number - 1) * query.limit;
  return query;
}

void add_page_facts(Json::Object& out, const PendingCall& call, uint64_t total) {
  out.emplace_back("Total", static_cast<int64_t>(total));
  out.emplace_back("PageNum", static_cast<int64_t>(call.page_number));
  out.emplace_back("PageSize", static_cast<int64_t>(call.page_limit));
}

}  // namespace atrium::openapi
