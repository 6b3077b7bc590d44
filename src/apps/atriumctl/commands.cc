#include "apps/atriumctl/commands.h"

#include <expected>
#include <ostream>

#include "adapters/openapi/action.h"
#include "adapters/openapi/json.h"
#include "adapters/openapi/query.h"
#include "adapters/openapi/timestamps.h"
#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/show.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

ExitCode dismiss_room(Caller& caller, const Settings& settings, const Command& command,
                      std::ostream& out) {
  Json::Object fields{{"RoomId", command.subject}};
  if (!command.reason.empty()) fields.emplace_back("Reason", command.reason);
  if (!command.if_session.empty()) fields.emplace_back("IfRoomSessionId", command.if_session);
  if (command.dry_run) fields.emplace_back("DryRun", true);
  caller.use_idempotency_key(command.idempotency_key);
  const auto result = caller.ask_in_app("DismissRoom", std::move(fields));
  if (!result) return result.error();
  if (settings.output == Output::Json)
    out << openapi::to_text(*result) << "\n";
  else if (command.dry_run)
    show_dry_run(out, command.subject, *result);
  else
    show_dismissed(out, command.subject, command.if_session, *result,
                   command.whole_receipt ? Detail::Whole : Detail::Short);
  return ExitCode::Ok;
}

// All pages of `list`, put together in one result: that of the last page, with every item.
std::expected<Json, ExitCode> ask_all_pages(Caller& caller, const char* action,
                                            const Json::Object& fields, std::string_view list) {
  Json::Array items;
  std::string cursor;
  while (true) {
    Json::Object page = fields;
    page.emplace_back("Limit", limits::kPageMax);
    if (!cursor.empty()) page.emplace_back("Cursor", cursor);
    auto result = caller.ask_in_app(action, std::move(page));
    if (!result) return std::unexpected(result.error());
    if (const Json* found = result->find(list); found != nullptr && found->if_array() != nullptr)
      items.insert(items.end(), found->if_array()->begin(), found->if_array()->end());
    const std::string next = text_of(*result, "NextCursor");
    if (next.empty() || next == cursor) {
      auto& members = std::get<Json::Object>(result->value);
      for (auto& [name, value] : members)
        if (name == list) value = std::move(items);
      return result;
    }
    cursor = next;
  }
}

ExitCode list_rooms(Caller& caller, const Settings& settings, std::ostream& out) {
  const auto result = ask_all_pages(caller, "ListRooms", {}, "Rooms");
  if (!result) return result.error();
  if (settings.output == Output::Json)
    out << openapi::to_text(*result) << "\n";
  else
    show_rooms(out, *result);
  return ExitCode::Ok;
}

ExitCode show_room(Caller& caller, const Settings& settings, const Command& command, World& world) {
  const auto result = ask_all_pages(caller, "GetRoom", {{"RoomId", command.subject}}, "Users");
  if (!result) return result.error();
  if (settings.output == Output::Json) world.out << openapi::to_text(*result) << "\n";
  if (text_of(*result, "RoomExists") != "true") {
    world.err << "atriumctl: there is no room " << clean(command.subject) << " now.\n"
              << "See which there are with: atriumctl room list\n";
    return ExitCode::Refused;
  }
  if (settings.output == Output::Text) show_room_and_users(world.out, *result);
  return ExitCode::Ok;
}

ExitCode show_dismissal(Caller& caller, const Settings& settings, const Command& command,
                        std::ostream& out) {
  const auto result = caller.ask_in_app("GetDismissal", {{"OperationId", command.subject}});
  if (!result) return result.error();
  if (settings.output == Output::Json)
    out << openapi::to_text(*result) << "\n";
  else
    show_receipt(out, *result);
  return ExitCode::Ok;
}

ExitCode kick_user(Caller& caller, const Settings& settings, const Command& command,
                   std::ostream& out) {
  Json::Object fields{{"RoomId", command.room}, {"UserId", command.subject}};
  add_if_given(fields, "Reason", command.reason);
  return tell(caller.ask_in_app("KickUser", std::move(fields), openapi::kVersion2020), settings,
              out,
              "User " + clean(command.subject) + " is not in room " + clean(command.room) +
                  " any more, and may come back.");
}

ExitCode add_ban(Caller& caller, const Settings& settings, const Command& command,
                 std::ostream& out) {
  Json::Object fields{{"ForbiddenInterval", command.seconds}};
  add_if_given(fields, "RoomId", command.room);
  add_if_given(fields, "UserId", command.user);
  add_if_given(fields, "IP", command.ip);
  add_if_given(fields, "Reason", command.reason);
  const auto result = caller.ask_in_app("BanRoomUser", std::move(fields), openapi::kVersion2023);
  return tell(result, settings, out, result ? text_of(*result, "Message") : "");
}

ExitCode list_bans(Caller& caller, const Settings& settings, std::ostream& out) {
  const auto result = ask_all_pages(caller, "ListBans", {}, "Bans");
  if (!result) return result.error();
  if (settings.output == Output::Json)
    out << openapi::to_text(*result) << "\n";
  else
    show_bans(out, *result);
  return ExitCode::Ok;
}

ExitCode lift_ban(Caller& caller, const Settings& settings, const Command& command,
                  std::ostream& out) {
  const auto result = caller.ask_in_app("DeleteBan", {{"BanId", command.subject}});
  const bool existed = result && text_of(*result, "Existed") == "true";
  return tell(
      result, settings, out,
      "Rule " + clean(command.subject) + (existed ? " is lifted." : " is not there (any more)."));
}

// All pages of one question to history, put together in one result: that of the last page, with every item.
std::expected<Json, ExitCode> ask_history(Caller& caller, const char* action,
                                          const Command& command, Wall now, std::string_view list) {
  const Wall to = now + std::chrono::seconds(1);  // what began in this second is asked for, too
  const Wall from = to - std::chrono::seconds(limits::kHistoryWindowS);
  openapi::QueryItems fields{
      {"StartTime", command.from.empty() ? openapi::rfc3339_s(from) : command.from},
      {"EndTime", command.to.empty() ? openapi::rfc3339_s(to) : command.to},
      {"ExcludeServerUser", "false"},
      {"PageSize", std::to_string(limits::kHistoryPageMax)}};
  if (!command.room.empty()) fields.emplace_back("RoomId", command.room);
  if (!command.user.empty()) fields.emplace_back("UserId", command.user);
  fields.emplace_back("PageNum", "");
  Json::Array items;
  for (int64_t page = 1;; ++page) {
    fields.back().second = std::to_string(page);
    auto result = caller.ask_in_app_by_get(action, fields, openapi::kVersion2023);
    if (!result) return std::unexpected(result.error());
    const Json* found = result->find(list);
    const bool has_items =
        found != nullptr && found->if_array() != nullptr && !found->if_array()->empty();
    if (has_items) items.insert(items.end(), found->if_array()->begin(), found->if_array()->end());
    const Json* total = result->find("Total");
    const auto* count = total == nullptr ? nullptr : std::get_if<int64_t>(&total->value);
    if (has_items && count != nullptr && std::ssize(items) < *count) continue;
    return Json(Json::Object{{"Total", std::ssize(items)}, {std::string(list), std::move(items)}});
  }
}

ExitCode list_lives(Caller& caller, const Settings& settings, const Command& command,
                    World& world) {
  const auto result = ask_history(caller, "ListRoomInfo", command, world.now(), "RoomList");
  if (!result) return result.error();
  if (settings.output == Output::Json)
    world.out << openapi::to_text(*result) << "\n";
  else
    show_lives(world.out, *result);
  return ExitCode::Ok;
}

ExitCode list_visitors(Caller& caller, const Settings& settings, const Command& command,
                       World& world) {
  const auto result = ask_history(caller, "ListUserInfo", command, world.now(), "UserList");
  if (!result) return result.error();
  if (settings.output == Output::Json)
    world.out << openapi::to_text(*result) << "\n";
  else
    show_visitors(world.out, *result);
  return ExitCode::Ok;
}

}  // namespace

ExitCode run(const Settings& settings, const std::string& authority, const Command& command,
             World& world) {
  if (!has_keys(settings, world.err)) return ExitCode::Usage;
  if (!has_app(settings, world.err)) return ExitCode::Usage;
  Caller caller(settings, authority, world);
  switch (command.verb) {
    case Verb::DismissRoom:
      return dismiss_room(caller, settings, command, world.out);
    case Verb::ListRooms:
      return list_rooms(caller, settings, world.out);
    case Verb::ShowRoom:
      return show_room(caller, settings, command, world);
    case Verb::ShowDismissal:
      return show_dismissal(caller, settings, command, world.out);
    case Verb::KickUser:
      return kick_user(caller, settings, command, world.out);
    case Verb::AddBan:
      return add_ban(caller, settings, command, world.out);
    case Verb::ListBans:
      return list_bans(caller, settings, world.out);
    case Verb::LiftBan:
      return lift_ban(caller, settings, command, world.out);
    case Verb::ListLives:
      return list_lives(caller, settings, command, world);
    case Verb::ListVisitors:
      return list_visitors(caller, settings, command, world);
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
