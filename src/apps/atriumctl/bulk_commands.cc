#include "apps/atriumctl/bulk_commands.h"

#include <map>
#include <ostream>

#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/show.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

// Empty where nothing says which rooms are meant.
Json::Object filter_of(const BulkCommand& command) {
  Json::Object fields;
  if (!command.rooms.empty())
    fields.emplace_back("RoomIds", Json::Array(command.rooms.begin(), command.rooms.end()));
  if (!command.prefix.empty() || command.all) fields.emplace_back("Prefix", command.prefix);
  add_if_given(fields, "OlderThanSeconds", command.older_than_s);
  add_if_given(fields, "UsersAtMost", command.users_at_most);
  return fields;
}

void show_meant(std::ostream& out, const Json& result) {
  out << text_of(result, "WouldDismiss") << " rooms would be dismissed, "
      << text_of(result, "NotThere") << " of those named are not there. Nothing was done.\n";
  const Json::Array& rooms = items_of(result, "Rooms");
  if (rooms.empty()) return;
  std::vector<Row> rows{{"ROOM", "SESSION"}};
  for (const Json& room : rooms) {
    const std::string session = text_of(room, "RoomSessionId");
    rows.push_back({text_of(room, "RoomId"), session.empty() ? "not there" : session});
  }
  show_table(out, rows);
}

void show_accepted(std::ostream& out, const Json& result) {
  const std::string operation = text_of(result, "OperationId");
  if (const std::string accepted = text_of(result, "Accepted"); !accepted.empty())
    out << accepted << " rooms are being dismissed, " << text_of(result, "PerSecond")
        << " a second; " << text_of(result, "NotThere") << " of those named are not there.\n";
  out << "Operation " << operation
      << ". See what becomes of each with: atriumctl room dismiss-many-status " << operation
      << "\n";
}

ExitCode dismiss_many(Caller& caller, const Settings& settings, const BulkCommand& command,
                      World& world) {
  Json::Object fields = filter_of(command);
  if (fields.empty())
    return missing(world.err, "which rooms are meant",
                   "Give --rooms, --prefix, --older-than or --users-at-most, or --all for every "
                   "room of the app.");
  add_if_given(fields, "PerSecond", command.per_second);
  add_if_given(fields, "Reason", command.reason);
  if (command.dry_run) {
    fields.emplace_back("DryRun", true);
    fields.emplace_back("Limit", limits::kBulkPageMax);
  }
  caller.use_idempotency_key(command.idempotency_key);
  const Answer result = caller.ask_in_app("DismissRooms", std::move(fields));
  if (!result) return result.error();
  if (settings.output == Output::Json)
    world.out << openapi::to_text(*result) << "\n";
  else if (command.dry_run)
    show_meant(world.out, *result);
  else
    show_accepted(world.out, *result);
  return ExitCode::Ok;
}

// All pages in one result: that of the last page, with every room.
Answer ask_all_rooms(Caller& caller, const std::string& operation) {
  Json::Array rooms;
  while (true) {
    Answer result = caller.ask_in_app_by_get("GetDismissRooms",
                                             {{"OperationId", operation},
                                              {"Offset", std::to_string(rooms.size())},
                                              {"Limit", std::to_string(limits::kBulkPageMax)}});
    if (!result) return result;
    const Json::Array& page = items_of(*result, "Rooms");
    const bool is_last =
        std::ssize(page) < limits::kBulkPageMax || std::ssize(rooms) >= limits::kBulkRoomsMax;
    rooms.insert(rooms.end(), page.begin(), page.end());
    if (!is_last) continue;
    auto& members = std::get<Json::Object>(result->value);
    std::erase_if(members, [](const auto& field) {
      return field.first == "Offset" || field.first == "Rooms";
    });
    members.emplace_back("Rooms", std::move(rooms));
    return result;
  }
}

void show_status(std::ostream& out, const Json& result) {
  std::map<std::string, size_t> counts;
  std::vector<Row> rows{{"ROOM", "SESSION", "STATE", "OPERATION"}};
  for (const Json& room : items_of(result, "Rooms")) {
    rows.push_back({text_of(room, "RoomId"), text_of(room, "RoomSessionId"), text_of(room, "State"),
                    text_of(room, "OperationId")});
    ++counts[text_of(room, "State")];
  }
  out << "Dismissal of " << text_of(result, "Total") << " rooms: " << text_of(result, "State");
  for (const auto& [state, count] : counts) out << ", " << count << " " << state;
  out << ".\n";
  if (rows.size() > 1) show_table(out, rows);
}

ExitCode show_dismissal_of_many(Caller& caller, const Settings& settings,
                                const BulkCommand& command, std::ostream& out) {
  const Answer result = ask_all_rooms(caller, command.operation);
  if (!result) return result.error();
  if (settings.output == Output::Json)
    out << openapi::to_text(*result) << "\n";
  else
    show_status(out, *result);
  return ExitCode::Ok;
}

}  // namespace

ExitCode run_bulk(const Settings& settings, const std::string& authority,
                  const BulkCommand& command, World& world) {
  if (!has_keys(settings, world.err) || !has_app(settings, world.err)) return ExitCode::Usage;
  Caller caller(settings, authority, world);
  switch (command.verb) {
    case BulkVerb::Dismiss:
      return dismiss_many(caller, settings, command, world);
    case BulkVerb::Status:
      return show_dismissal_of_many(caller, settings, command, world.out);
    case BulkVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
