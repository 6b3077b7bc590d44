// DismissRooms and GetDismissRooms (ours): many rooms by one call, and what became of each.  Which sessions are meant
// is settled when the call is accepted.
#include <array>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/message.h"
#include "adapters/openapi/own_rows.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/check.h"
#include "base/limits.h"

namespace atrium::openapi::actions {
namespace {

constexpr auto kFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"RoomIds", FieldType::TextList, FieldUse::Optional, ""},
    {"Prefix", FieldType::Text, FieldUse::Optional, ""},
    {"OlderThanSeconds", FieldType::Integer, FieldUse::Optional, ""},
    {"UsersAtMost", FieldType::Integer, FieldUse::Optional, ""},
    {"PerSecond", FieldType::Integer, FieldUse::Optional, ""},
    {"Reason", FieldType::Text, FieldUse::Optional, ""},
    {"DryRun", FieldType::Boolean, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});
constexpr auto kGetFields = std::to_array<FieldRule>({
    {"AppId", FieldType::Text, FieldUse::Required, ""},
    {"OperationId", FieldType::Text, FieldUse::Required, ""},
    {"Offset", FieldType::Integer, FieldUse::Optional, ""},
    {"Limit", FieldType::Integer, FieldUse::Optional, ""},
});

std::unexpected<Refusal> invalid(std::string message) {
  return std::unexpected(Refusal{ErrorCode::InvalidParameter, std::move(message)});
}

// Absent: nullopt.
std::expected<std::optional<int64_t>, Refusal> read_number(const Args& args, const char* field,
                                                           int64_t least, int64_t most) {
  const std::optional<int64_t> number = args.integer(field);
  if (number && (*number < least || *number > most))
    return invalid(std::string(field) + " must be " + std::to_string(least) + " to " +
                   std::to_string(most) + ".");
  return number;
}

std::expected<std::optional<std::vector<RoomId>>, Refusal> read_rooms(
    const ActionContext& context) {
  if (!context.args.has("RoomIds")) return std::nullopt;
  std::vector<RoomId> rooms;
  for (const std::string_view room : context.args.texts("RoomIds")) {
    if (!is_legal_id(room, context.app.any_ids))
      return std::unexpected(Refusal{ErrorCode::IllegalRoomId,
                                     "RoomIds: " + printable(room) + " cannot be a RoomId."});
    rooms.emplace_back(room);
  }
  if (rooms.empty()) return invalid("RoomIds must name a room; leave it out to mean any.");
  return rooms;
}

std::expected<domain::BulkFilter, Refusal> read_filter(const ActionContext& context) {
  domain::BulkFilter filter;
  auto rooms = read_rooms(context);
  if (!rooms) return std::unexpected(rooms.error());
  filter.rooms = *std::move(rooms);
  filter.prefix = std::string(context.args.text("Prefix"));
  if (!filter.prefix.empty() && !is_legal_id(filter.prefix, context.app.any_ids))
    return invalid("Prefix must be what a RoomId can begin with.");
  const auto age = read_number(context.args, "OlderThanSeconds", 0, UINT32_MAX);
  if (!age) return std::unexpected(age.error());
  if (*age) filter.older_than = std::chrono::seconds(**age);
  const auto users = read_number(context.args, "UsersAtMost", 0, UINT32_MAX);
  if (!users) return std::unexpected(users.error());
  if (*users) filter.users_at_most = static_cast<uint32_t>(**users);
  const bool is_any_given = filter.rooms || context.args.has("Prefix") || *age || *users;
  if (!is_any_given)
    return invalid(
        "One of RoomIds, Prefix, OlderThanSeconds and UsersAtMost must say which rooms; an empty "
        "Prefix means all.");
  return filter;
}

Json item_json(const domain::BulkItem& item) {
  Json::Object out{{"RoomId", item.room.value}};
  if (!item.room_sid.empty()) out.emplace_back("RoomSessionId", item.room_sid.value);
  return out;
}

uint64_t lives_of(std::span<const domain::BulkItem> items) {
  uint64_t lives = 0;
  for (const domain::BulkItem& item : items) lives += item.room_sid.empty() ? 0 : 1;
  return lives;
}

Json dry_run(std::span<const domain::BulkItem> items, size_t limit) {
  Json::Array rooms;
  for (const domain::BulkItem& item : items.first(std::min(items.size(), limit)))
    rooms.push_back(item_json(item));
  const uint64_t lives = lives_of(items);
  return Json::Object{{"State", "dry_run"},
                      {"DryRun", true},
                      {"WouldDismiss", lives},
                      {"NotThere", uint64_t{items.size()} - lives},
                      {"Rooms", std::move(rooms)}};
}

Refusal too_many_rooms() {
  return {ErrorCode::SizeOverLimit, "More than " + std::to_string(limits::kBulkRoomsMax) +
                                        " rooms are meant; none was dismissed. Narrow it down."};
}

HandlerStep dismiss_rooms(ActionContext& context) {
  auto origin = read_origin(context);
  if (!origin) return origin.error();
  auto filter = read_filter(context);
  if (!filter) return filter.error();
  const auto pace = read_number(context.args, "PerSecond", 1, limits::kBulkPerSecondMax);
  if (!pace) return pace.error();
  const auto limit = read_limit(context.args, limits::kPageDefault, limits::kBulkPageMax);
  if (!limit) return limit.error();
  constexpr auto kMost = static_cast<size_t>(limits::kBulkRoomsMax);
  const std::vector<domain::BulkItem> meant =
      context.registry.find_lives(context.app.id, *filter, context.now.wall, kMost + 1);
  if (meant.size() > kMost) return too_many_rooms();
  context.call.is_dry_run = context.args.flag("DryRun");
  if (context.call.is_dry_run) return dry_run(meant, *limit);
  return ApplyCommand{domain::DismissRooms{
      .waiter = context.waiter,
      .app = context.app.id,
      .filter = *std::move(filter),
      .per_second = static_cast<uint32_t>(pace->value_or(limits::kBulkPerSecondDefault)),
      .origin = *std::move(origin)}};
}

Answer shape_accepted(const PendingCall&, const domain::ActionReply& reply) {
  if (reply.outcome == domain::ActionOutcome::TooMany)
    return Refusal{ErrorCode::TaskNumberOverLimit,
                   "At most " + std::to_string(limits::kBulkRunningMax) +
                       " DismissRooms run at once; try again when one has finished.",
                   limits::kRetryAfterS};
  Json::Object out{{"Message", "success"}, {"OperationId", reply.operation.value}};
  if (reply.bulk) {
    const uint64_t lives = lives_of(reply.bulk->items);
    out.emplace_back("Accepted", lives);
    out.emplace_back("NotThere", uint64_t{reply.bulk->items.size()} - lives);
    out.emplace_back("PerSecond", reply.bulk->per_second);
  }
  return Json(std::move(out));
}

std::string_view state_name(domain::BulkItemState state) {
  switch (state) {
    case domain::BulkItemState::Waiting:
      return "waiting";
    case domain::BulkItemState::Running:
      return "running";
    case domain::BulkItemState::Dismissed:
      return "dismissed";
    case domain::BulkItemState::Failed:
      return "failed";
    case domain::BulkItemState::NotThere:
      return "not_there";
  }
  return "";
}

Json result_json(const domain::BulkItemResult& result) {
  Json::Object out{{"RoomId", result.item.room.value}};
  if (!result.item.room_sid.empty()) out.emplace_back("RoomSessionId", result.item.room_sid.value);
  out.emplace_back("State", state_name(result.state));
  if (result.operation) out.emplace_back("OperationId", result.operation->value);
  return out;
}

HandlerStep get_dismiss_rooms(ActionContext& context) {
  const std::string_view operation = context.args.text("OperationId");
  if (!looks_like_operation_id(operation))
    return Refusal{ErrorCode::InvalidParameter,
                   "OperationId must be OP_ and 17 letters and digits."};
  const auto offset = read_number(context.args, "Offset", 0, limits::kBulkRoomsMax);
  if (!offset) return offset.error();
  const auto limit = read_limit(context.args, limits::kPageDefault, limits::kBulkPageMax);
  if (!limit) return limit.error();
  return Question(FindBulkPage{.operation = OperationId(operation),
                               .offset = static_cast<size_t>(offset->value_or(0)),
                               .limit = *limit});
}

// An operation of another app does not exist for this caller.
Answer shape_page(const PendingCall& call, const domain::BulkPage* page) {
  if (page == nullptr || page->bulk.app != call.app)
    return Refusal{ErrorCode::NotExistOperation,
                   "No DismissRooms of this app has this OperationId."};
  const domain::BulkDismissal& bulk = page->bulk;
  Json::Array rooms;
  for (const domain::BulkItemResult& result : page->items) rooms.push_back(result_json(result));
  Json::Object out{{"OperationId", bulk.operation.value},
                   {"State", bulk.finished_at ? "finished" : "running"},
                   {"Operator", bulk.operator_id},
                   {"RequestId", bulk.request_id},
                   {"Reason", bulk.reason},
                   {"PerSecond", bulk.per_second},
                   {"AcceptedAt", extended_time_ms(bulk.accepted_at)}};
  if (bulk.finished_at) out.emplace_back("FinishedAt", extended_time_ms(*bulk.finished_at));
  out.emplace_back("Total", page->total);
  out.emplace_back("Offset", uint64_t{page->offset});
  out.emplace_back("Rooms", std::move(rooms));
  return Json(std::move(out));
}

constexpr auto kRows = std::to_array<ActionRow>({
    answered_by(own_change("DismissRooms", KeyScope::Room, 1, kFields, dismiss_rooms),
                shape_accepted),
    answered_by(own_read("GetDismissRooms", 60, kGetFields, get_dismiss_rooms), shape_page),
});

}  // namespace

std::span<const ActionRow> dismiss_rooms_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
