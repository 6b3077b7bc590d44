// ListUserInfo (vendor-contract 1.6): who came into a life, and when they came and went; one entry for each user of
// each life, listed in the window in which they first came.  In our own version also why they left.
#include <algorithm>
#include <array>
#include <ranges>

#include "adapters/openapi/history_question.h"
#include "adapters/openapi/id_rule.h"
#include "adapters/openapi/record_results.h"
#include "adapters/openapi/results.h"
#include "adapters/openapi/timestamps.h"
#include "base/limits.h"
#include "domain/device_words.h"

namespace atrium::openapi::actions {
namespace {

// The versions differ in whether a room must be named.
constexpr std::array<FieldRule, 8> fields(FieldUse room) {
  return {{{"AppId", FieldType::Text, FieldUse::Required, ""},
           {"StartTime", FieldType::Text, FieldUse::Required, ""},
           {"EndTime", FieldType::Text, FieldUse::Required, ""},
           {"RoomId", FieldType::Text, room, ""},
           {"UserId", FieldType::Text, FieldUse::Optional, ""},
           {"ExcludeServerUser", FieldType::Boolean, FieldUse::Optional, ""},
           {"PageNum", FieldType::Integer, FieldUse::Optional, ""},
           {"PageSize", FieldType::Integer, FieldUse::Optional, ""}}};
}
constexpr auto kFields2020 = fields(FieldUse::Required), kFields2023 = fields(FieldUse::Optional);

constexpr auto kNetworks = std::to_array<std::string_view>({"2g", "3g", "4g", "5g", "wifi"});

std::string_view network_of(const domain::ClientDevice& device) {
  const auto* known = std::ranges::find(kNetworks, device.network);
  return known == kNetworks.end() ? "unknown" : *known;
}

std::string_view system_of(const domain::ClientDevice& device) {
  const std::string_view name = domain::device_name(device.kind);
  return name.empty() ? "unknown" : name;
}

Json records_json(const domain::VisitorEntry& visitor) {
  Json::Array records;
  const auto add = [&](const char* type, Wall time) {
    records.push_back(Json::Object{{"Time", rfc3339_s(time)}, {"Type", type}});
  };
  for (const domain::VisitTimes& visit : visitor.visits) {
    add("join_room", visit.joined_at);
    if (visit.left_at) add("leave_room", *visit.left_at);
  }
  return records;
}

Json visitor_json(const domain::VisitorEntry& visitor) {
  const auto left_at = visitor.last_left_at;
  const auto present = std::chrono::duration_cast<std::chrono::seconds>(visitor.present);
  return Json::Object{{"CallId", visitor.room_sid.value},
                      {"RoomId", visitor.room.value},
                      {"UserId", visitor.user.value},
                      {"CreatedAt", rfc3339_s(visitor.first_joined_at)},
                      {"LeaveAt", left_at ? rfc3339_s(*left_at) : ""},
                      {"Duration", static_cast<int64_t>(present.count())},
                      {"Finished", left_at.has_value()},
                      {"Pub", visitor.published},
                      {"OS", system_of(visitor.with)},
                      {"DeviceType", visitor.with.model},
                      {"SdkVersion", visitor.with.sdk},
                      {"Access", network_of(visitor.with)},
                      {"Record", records_json(visitor)}};
}

Json own_visits_json(const domain::VisitorEntry& visitor) {
  Json::Array visits;
  for (const domain::VisitTimes& visit : visitor.visits) {
    Json::Object out{{"JoinedAt", extended_time_ms(visit.joined_at)}};
    if (visit.left_at) {
      out.emplace_back("LeftAt", extended_time_ms(*visit.left_at));
      add_reason(out, visit.reason);
    }
    visits.emplace_back(std::move(out));
  }
  return visits;
}

Json own_visitor_json(const domain::VisitorEntry& visitor) {
  const auto present = std::chrono::duration_cast<std::chrono::milliseconds>(visitor.present);
  Json::Object out{{"RoomId", visitor.room.value},
                   {"RoomSessionId", visitor.room_sid.value},
                   {"UserId", visitor.user.value},
                   {"Visible", !visitor.hidden},
                   {"FirstJoinedAt", extended_time_ms(visitor.first_joined_at)}};
  if (visitor.last_left_at) out.emplace_back("LastLeftAt", extended_time_ms(*visitor.last_left_at));
  out.emplace_back("PresentMilliseconds", int64_t{present.count()});
  out.emplace_back("Published", visitor.published);
  for (const auto& [name, text] : {std::pair("DeviceType", domain::device_name(visitor.with.kind)),
                                   std::pair("DeviceModel", std::string_view(visitor.with.model)),
                                   std::pair("SdkVersion", std::string_view(visitor.with.sdk)),
                                   std::pair("Network", std::string_view(visitor.with.network))})
    if (!text.empty()) out.emplace_back(name, text);
  out.emplace_back("Visits", own_visits_json(visitor));
  return out;
}

Json page_of_visitors(const PendingCall& call, const domain::VisitorsPage& page, const char* name,
                      Json (*shown)(const domain::VisitorEntry&)) {
  Json::Object out;
  add_page_facts(out, call, page.total);
  Json::Array users;
  for (const domain::VisitorEntry& visitor : page.visitors) users.push_back(shown(visitor));
  out.emplace_back(name, std::move(users));
  return out;
}

Answer shape(const PendingCall& call, const domain::VisitorsPage& page) {
  return page_of_visitors(call, page, "UserList", visitor_json);
}
Answer shape_own(const PendingCall& call, const domain::VisitorsPage& page) {
  return page_of_visitors(call, page, "Users", own_visitor_json);
}

// The ids between the commas; those that no user can have are dropped, as the vendor does.
std::expected<std::vector<UserId>, Refusal> read_users(std::string_view list,
                                                       const domain::App& app) {
  std::vector<UserId> users;
  int64_t asked = 0;
  for (const auto part : std::views::split(list, ',')) {
    const std::string_view id(part.begin(), part.end());
    if (id.empty()) continue;
    if (++asked > limits::kHistoryUsersAskedMax)
      return std::unexpected(
          Refusal{ErrorCode::UserCountOverLimit, "UserId must name at most " +
                                                     std::to_string(limits::kHistoryUsersAskedMax) +
                                                     " users, with commas between them."});
    if (is_legal_id(id, app.any_ids)) users.emplace_back(id);
  }
  return users;
}

HandlerStep list_user_info(ActionContext& context) {
  const Args& args = context.args;
  if (context.call.action->version == kVersion2020)
    if (auto refusal = check_room_id(args, context.app)) return *refusal;
  auto query = read_history_query(context);
  if (!query) return query.error();
  auto users = read_users(args.text("UserId"), context.app);
  if (!users) return users.error();
  // Names were given and none is a user's: that is nobody, not everybody.
  if (users->empty() && args.text("UserId").find_first_not_of(',') != std::string_view::npos)
    return std::visit([](auto&& answer) -> HandlerStep { return std::move(answer); },
                      context.call.action->on_visitors(context.call, {}));
  query->users = std::move(*users);
  query->without_linux = !args.has("ExcludeServerUser") || args.flag("ExcludeServerUser");
  return Question(ListVisitors{std::move(*query)});
}

constexpr ActionRow row(std::string_view version, std::span<const FieldRule> fields,
                        VisitorsShaper shaper) {
  return {.name = "ListUserInfo",
          .version = version,
          .method = Method::Get,
          .per_second = 10,
          .quota = QuotaScope::Account,
          .scope = KeyScope::Read,
          .unknown = Unknown::Ignored,
          .fields = fields,
          .handle = list_user_info,
          .on_visitors = shaper};
}

constexpr auto kRows = std::to_array<ActionRow>({row(kVersion2020, kFields2020, shape),
                                                 row(kVersion2023, kFields2023, shape),
                                                 row(kVersionOwn, kFields2023, shape_own)});

}  // namespace

std::span<const ActionRow> list_user_info_rows() {
  return kRows;
}

}  // namespace atrium::openapi::actions
