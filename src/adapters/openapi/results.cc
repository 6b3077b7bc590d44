#include "adapters/openapi/results.h"

#include <algorithm>

#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/timestamps.h"
#include "base/crypto.h"
#include "base/limits.h"

namespace atrium::openapi {
namespace {

std::string_view state_name(domain::DismissalState state) {
  switch (state) {
    case domain::DismissalState::Running:
      return "running";
    case domain::DismissalState::Done:
      return "done";
    case domain::DismissalState::Failed:
      return "failed";
    case domain::DismissalState::Interrupted:
      return "interrupted";
  }
  return "";
}

std::string_view reason_name(domain::NotNotifiedReason reason) {
  switch (reason) {
    case domain::NotNotifiedReason::Connecting:
      return "connecting";
    case domain::NotNotifiedReason::Reconnecting:
      return "reconnecting";
    case domain::NotNotifiedReason::Unacknowledged:
      return "unacknowledged";
    case domain::NotNotifiedReason::NotWritable:
      return "notWritable";
  }
  return "";
}

std::string_view state_name(domain::ParticipantState state) {
  switch (state) {
    case domain::ParticipantState::Joining:
      return "joining";
    case domain::ParticipantState::Joined:
      return "joined";
    case domain::ParticipantState::Active:
      return "active";
    case domain::ParticipantState::Disconnected:
      return "disconnected";
  }
  return "";
}

void add_time(Json::Object& out, const char* name, const std::optional<Wall>& time) {
  if (time) out.emplace_back(name, extended_time_ms(*time));
}

template <typename T>
void add_number(Json::Object& out, const char* name, const std::optional<T>& number) {
  if (number) out.emplace_back(name, *number);
}

Json spans_json(const domain::DismissalRecord& record) {
  Json::Object out;
  add_number(out, "Fenced", record.fenced_us);
  add_number(out, "MediaCut", record.media_cut_us);
  add_number(out, "Notified", record.notified_us);
  add_number(out, "Closed", record.closed_us);
  return out;
}

Json not_notified_json(const std::vector<domain::NotNotified>& users) {
  Json::Array out;
  for (const domain::NotNotified& user : users)
    out.push_back(Json::Object{{"UserId", user.user.value}, {"Reason", reason_name(user.reason)}});
  return out;
}

}  // namespace

Json receipt_json(const domain::DismissalRecord& record) {
  Json::Object out{
      {"RoomExists", true},
      {"OperationId", record.operation.value},
      {"RoomId", record.room.value},
      {"RoomSessionId", record.room_sid.value},
      {"State", state_name(record.state)},
      {"Operator", record.operator_id},
      {"RequestId", record.request_id},
  };
  if (!record.reason.empty()) out.emplace_back("Reason", record.reason);
  if (record.code != domain::ClientCode::RoomDismiss)
    out.emplace_back("Code", static_cast<int64_t>(record.code));
  add_time(out, "ForbiddenUntil", record.forbidden_until);
  if (!record.failure.empty()) out.emplace_back("Failure", record.failure);
  out.emplace_back("AcceptedAt", extended_time_ms(record.accepted_at));
  add_time(out, "FencedAt", record.fenced_at);
  add_time(out, "MediaCutAt", record.media_cut_at);
  add_time(out, "NotifiedAt", record.notified_at);
  add_time(out, "ClosedAt", record.closed_at);
  out.emplace_back("ElapsedMicroseconds", spans_json(record));
  out.emplace_back("UsersAtFence", record.users_at_fence);
  add_number(out, "Notified", record.notified);
  add_number(out, "NotNotified", record.not_notified);
  if (record.not_notified)
    out.emplace_back("NotNotifiedUsers", not_notified_json(record.not_notified_names));
  add_number(out, "PacketsAfterCut", record.packets_after_cut);
  add_number(out, "TransportsAtFence", record.transports_at_fence);
  add_number(out, "TransportsClosed", record.transports_closed);
  return out;
}

Json empty_receipt_json() {
  return Json::Object{{"RoomExists", false}};
}

Json room_json(const domain::RoomView& room) {
  return Json::Object{
      {"RoomId", room.room.value},
      {"RoomSessionId", room.sid.value},
      {"CreatedAt", extended_time_ms(room.created_at)},
      {"VisibleUsers", room.num_participants},
      {"InvisibleUsers", room.num_hidden},
      {"Publishers", room.num_publishers},
      {"Tracks", room.num_tracks},
  };
}

Json user_json(const domain::ParticipantView& participant) {
  return Json::Object{
      {"UserId", participant.user.value},
      {"UserSessionId", participant.sid.value},
      {"State", state_name(participant.state)},
      {"Visible", !participant.permissions.hidden},
      {"JoinedAt", extended_time_ms(participant.joined_at)},
      {"Tracks", uint64_t{participant.tracks.size()}},
  };
}

std::optional<Refusal> check_room_id(const Args& args, const domain::App& app) {
  if (is_legal_id(args.text("RoomId"), app.any_ids)) return std::nullopt;
  return Refusal{ErrorCode::IllegalRoomId,
                 app.any_ids
                     ? "RoomId must be 1 to 256 bytes of UTF-8 without control characters."
                     : "RoomId must be 1 to 128 characters of a-z, A-Z, 0-9, @, _, . and -."};
}

std::optional<Refusal> check_user_id(const Args& args, const domain::App& app) {
  if (is_legal_id(args.text("UserId"), app.any_ids)) return std::nullopt;
  return Refusal{ErrorCode::InvalidParameter,
                 app.any_ids
                     ? "UserId must be 1 to 256 bytes of UTF-8 without control characters."
                     : "UserId must be 1 to 128 characters of a-z, A-Z, 0-9, @, _, . and -."};
}

std::expected<Duration, Refusal> read_interval(const Args& args, const BanRange& range) {
  const int64_t seconds = args.integer("ForbiddenInterval").value_or(0);
  if (seconds < 0)
    return std::unexpected(Refusal{ErrorCode::InvalidParameter,
                                   "ForbiddenInterval must be 0 or a number of seconds."});
  if (seconds == 0) return Duration{};
  return std::chrono::seconds(std::clamp(seconds, range.least_s, range.most_s));
}

std::expected<domain::BanTarget, Refusal> read_ban_target(const Args& args,
                                                          const domain::App& app) {
  domain::BanTarget target;
  if (!args.text("RoomId").empty()) {
    if (auto refusal = check_room_id(args, app)) return std::unexpected(*refusal);
    target.room = RoomId(args.text("RoomId"));
  }
  if (!args.text("UserId").empty()) {
    if (auto refusal = check_user_id(args, app)) return std::unexpected(*refusal);
    target.user = UserId(args.text("UserId"));
  }
  const auto invalid = [](const char* why) {
    return std::unexpected(Refusal{ErrorCode::InvalidParameter, why});
  };
  if (!args.text("IP").empty()) {
    target.ip = IpPrefix::parse(args.text("IP"));
    if (!target.ip) return invalid("IP must be an address, or a range like 192.0.2.0/24.");
    if (target.room || target.user)
      return invalid("IP bans a whole app and stands without RoomId and UserId.");
  }
  if (!target.room && !target.user && !target.ip)
    return invalid("One of RoomId, UserId and IP must say who is meant.");
  return target;
}

std::expected<std::optional<RoomSid>, Refusal> read_if_session(const Args& args) {
  if (!args.has("IfRoomSessionId")) return std::nullopt;
  const std::string_view session = args.text("IfRoomSessionId");
  if (!looks_like_room_session_id(session))
    return std::unexpected(Refusal{ErrorCode::InvalidParameter,
                                   "IfRoomSessionId must be RM_ and 17 letters and digits."});
  return RoomSid(session);
}

std::expected<domain::ActionOrigin, Refusal> read_origin(const ActionContext& context) {
  const std::string_view reason = context.args.text("Reason");
  if (reason.size() > static_cast<size_t>(limits::kReasonBytesMax))
    return std::unexpected(
        Refusal{ErrorCode::InvalidParameter,
                "Reason must be at most " + std::to_string(limits::kReasonBytesMax) + " bytes."});
  return domain::ActionOrigin{context.key.id, context.call.request_id, std::string(reason)};
}

Json ban_json(const domain::BanRule& rule) {
  Json::Object out{{"BanId", rule.id.value}};
  if (rule.target.room) out.emplace_back("RoomId", rule.target.room->value);
  if (rule.target.user) out.emplace_back("UserId", rule.target.user->value);
  if (rule.target.ip) out.emplace_back("IP", rule.target.ip->text());
  if (rule.target.token) out.emplace_back("TokenPrivilege", "publish");
  out.emplace_back("Reason", rule.reason);
  out.emplace_back("Operator", rule.operator_id);
  out.emplace_back("CreatedAt", extended_time_ms(rule.created_at));
  out.emplace_back("ExpiresAt", extended_time_ms(rule.expires_at));
  return out;
}

Json app_json(const domain::App& app) {
  Json::Array keys, management_keys;
  for (const domain::ApiKey& key : app.api_keys) {
    keys.emplace_back(key.key);
    if (key.management) management_keys.emplace_back(key.key);
  }
  return Json::Object{{"AppId", app.id.value},
                      {"AppName", app.name},
                      {"Owner", app.account},
                      {"Enabled", app.enabled},
                      {"Ids", app.any_ids ? "any" : "vendor"},
                      {"ApiKeys", std::move(keys)},
                      {"ManagementKeys", std::move(management_keys)},
                      {"CreatedAt", extended_time_ms(app.created_at)}};
}

std::optional<Refusal> check_app_name(std::string_view name) {
  if (is_legal_app_name(name)) return std::nullopt;
  return Refusal{ErrorCode::InvalidParameter,
                 "AppName must be 1 to " + std::to_string(limits::kAppNameCharsMax) +
                     " Chinese characters, letters, digits and underscores."};
}

std::optional<Refusal> check_key_text(std::string_view field, std::string_view text) {
  const bool is_printable = std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (!text.empty() && text.size() <= static_cast<size_t>(limits::kAppKeyBytesMax) && is_printable)
    return std::nullopt;
  return Refusal{ErrorCode::InvalidParameter, std::string(field) + " must be 1 to " +
                                                  std::to_string(limits::kAppKeyBytesMax) +
                                                  " printable ASCII characters."};
}

std::expected<AppSecrets, Refusal> read_app_secrets(const Args& args) {
  AppSecrets out;
  for (auto [field, place] :
       {std::pair("AppKey", &out.primary), std::pair("SecondaryAppKey", &out.secondary)}) {
    if (!args.has(field)) continue;
    *place = std::string(args.text(field));
    if (auto refusal = check_key_text(field, **place)) return std::unexpected(*refusal);
  }
  return out;
}

std::expected<std::optional<bool>, Refusal> read_ids_rule(const Args& args) {
  const std::string_view ids = args.text("Ids");
  if (!args.has("Ids")) return std::nullopt;
  if (ids == "any" || ids == "vendor") return std::optional(ids == "any");
  return std::unexpected(
      Refusal{ErrorCode::InvalidParameter, "Ids must be \"vendor\" or \"any\"."});
}

Json message_json(const PendingCall& call, std::string_view text) {
  const bool is_2020 = call.action->version == kVersion2020;
  return Json::Object{{is_2020 ? "message" : "Message", text}};
}

std::optional<Refusal> dismissal_failure(const domain::DismissReply& reply) {
  const std::string operation =
      reply.record ? " Operation " + reply.record->operation.value + "." : "";
  switch (reply.outcome) {
    case domain::DismissOutcome::Done:
    case domain::DismissOutcome::NoSuchRoom:
    case domain::DismissOutcome::NotCurrent:
      return std::nullopt;
    case domain::DismissOutcome::MediaCutUnconfirmed:
      return Refusal{
          ErrorCode::InternalError,
          "It is not confirmed yet that media has stopped; the dismissal goes on." + operation};
    case domain::DismissOutcome::RecordFailed:
      return Refusal{ErrorCode::InternalError,
                     "The room is cut off, but the record of it could not be stored." + operation};
    case domain::DismissOutcome::Unfinished:
      return Refusal{ErrorCode::InternalError,
                     "It is not confirmed yet that everything of the room is closed and recorded; "
                     "the dismissal goes on." +
                         operation};
  }
  return std::nullopt;
}

Answer shape_success(const PendingCall& call, const domain::ActionReply&) {
  return message_json(call, "success");
}

std::optional<domain::RoomView> find_live_room(const domain::Registry& registry,
                                               const domain::App& app, std::string_view room) {
  std::optional<domain::RoomView> found = registry.find_room(app.id, RoomId(room));
  if (found && found->dismissing) return std::nullopt;
  return found;
}

std::vector<std::shared_ptr<const domain::ParticipantView>> online_users(
    const domain::Registry& registry, const RoomSid& room_sid) {
  auto users = registry.participants(room_sid);
  std::erase_if(users, [](const auto& user) {
    return user->state == domain::ParticipantState::Disconnected;
  });
  std::ranges::sort(users, {}, [](const auto& user) -> const UserId& { return user->user; });
  return users;
}

std::expected<Page, Refusal> read_page(const Args& args) {
  Page page;
  const int64_t limit = args.integer("Limit").value_or(limits::kPageDefault);
  if (limit < 1 || limit > limits::kPageMax)
    return std::unexpected(Refusal{ErrorCode::InvalidParameter,
                                   "Limit must be 1 to " + std::to_string(limits::kPageMax) + "."});
  page.limit = static_cast<size_t>(limit);
  if (!args.has("Cursor") || args.text("Cursor").empty()) return page;
  const std::optional<Bytes> after = from_base64url(args.text("Cursor"));
  if (!after || after->empty() || after->size() > static_cast<size_t>(limits::kIdBytesMax))
    return std::unexpected(Refusal{ErrorCode::InvalidParameter,
                                   "Cursor must be the NextCursor of an earlier answer."});
  page.after = as_text(*after);
  return page;
}

void add_page(Json::Object& out, const char* name, std::span<const std::string_view> keys,
              const Page& page, const std::function<Json(size_t)>& item) {
  const auto first = static_cast<size_t>(
      std::ranges::upper_bound(keys, std::string_view(page.after)) - keys.begin());
  const size_t end = std::min(keys.size(), first + page.limit);
  Json::Array items;
  for (size_t i = first; i < end; ++i) items.push_back(item(i));
  out.emplace_back(name, std::move(items));
  if (end < keys.size()) out.emplace_back("NextCursor", base64url(as_bytes(keys[end - 1])));
}

Json page_json(const char* name, size_t count, size_t limit,
               const std::function<PageRow(size_t)>& row) {
  Json::Array items;
  std::string last;
  for (size_t i = 0; i < std::min(count, limit); ++i) {
    PageRow one = row(i);
    last = one.key;
    items.push_back(std::move(one.shown));
  }
  Json::Object out{{name, std::move(items)}};
  if (count > limit) out.emplace_back("NextCursor", base64url(as_bytes(last)));
  return out;
}

}  // namespace atrium::openapi
