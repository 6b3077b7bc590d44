#include "apps/atriumctl/record_commands.h"

#include <ostream>

#include "adapters/openapi/timestamps.h"
#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/show.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

constexpr Duration kPollEvery = 1s;

// What the server gave to ask on with; not cleaned, since it goes back to the server.
std::string cursor_of(const Json& result) {
  const Json* next = result.find("NextCursor");
  const std::string* text = next == nullptr ? nullptr : next->if_text();
  return text == nullptr ? "" : *text;
}

// Appends " text" where there is one.
void add_word(std::string& line, std::string_view label, const std::string& text) {
  if (!text.empty()) line += " " + std::string(label) + text;
}

std::string event_line(const Json& event) {
  std::string line = text_of(event, "At");
  add_word(line, "", text_of(event, "Kind"));
  add_word(line, "room=", text_of(event, "RoomId"));
  add_word(line, "session=", text_of(event, "RoomSessionId"));
  add_word(line, "sequence=", text_of(event, "Sequence"));
  add_word(line, "user=", text_of(event, "UserId"));
  add_word(line, "track=", text_of(event, "TrackId"));
  add_word(line, "why=", text_of(member(event, "Reason"), "Why"));
  add_word(line, "operation=", text_of(member(event, "Reason"), "OperationId"));
  add_word(line, "", text_of(event, "EventId"));
  return line;
}

std::string audit_line(const Json& record) {
  std::string line = text_of(record, "At");
  add_word(line, "#", text_of(record, "Sequence"));
  add_word(line, "", text_of(record, "Phase"));
  add_word(line, "", text_of(record, "Action"));
  add_word(line, "by=", text_of(record, "AccessKey"));
  add_word(line, "door=", text_of(record, "Door"));
  add_word(line, "app=", text_of(record, "AppId"));
  add_word(line, "room=", text_of(record, "RoomId"));
  add_word(line, "operation=", text_of(record, "OperationId"));
  if (text_of(record, "DryRun") == "true") line += " dry-run";
  if (text_of(record, "Replay") == "true") line += " replay";
  add_word(line, "count=", text_of(record, "Count"));
  add_word(line, "status=", text_of(record, "Status"));
  add_word(line, "outcome=", text_of(record, "Outcome"));
  return line;
}

void show_lines(std::ostream& out, Output output, const Json::Array& items,
                std::string (*line)(const Json&)) {
  for (const Json& item : items)
    out << (output == Output::Json ? openapi::to_text(item) : line(item)) << "\n";
  out.flush();
}

void warn_of_loss(std::ostream& err, const std::string& asked) {
  err << "atriumctl: events are lost: those after the cursor " << clean(asked)
      << " are not all kept any more (they are for " << limits::kEventKeepDays
      << " days). What follows begins with the oldest that is kept.\n";
}

// In short steps, so that who interrupts does not wait.
void wait_unless_interrupted(World& world, Duration span) {
  constexpr Duration kStep = 100ms;
  for (Duration waited{}; waited < span && !world.is_interrupted(); waited += kStep)
    world.wait(kStep);
}

ExitCode tail_events(Caller& caller, const Settings& settings, const RecordCommand& command,
                     World& world) {
  std::string cursor = command.after, since = command.since;
  while (!world.is_interrupted() && world.out.good()) {
    openapi::QueryItems fields{{"Limit", std::to_string(limits::kEventPageMax)}};
    add_if_given(fields, "RoomId", command.room);
    add_if_given(fields, "Cursor", cursor);
    add_if_given(fields, "Since", since);
    const Answer result = caller.ask_in_app_by_get("ListEvents", fields);
    if (world.is_interrupted()) break;
    if (!result) {
      if (command.follow && !cursor.empty())
        world.err << "Go on later with: --after " << clean(cursor) << "\n";
      return result.error();
    }
    if (text_of(*result, "Lost") == "true") warn_of_loss(world.err, cursor);
    const Json::Array& events = items_of(*result, "Events");
    show_lines(world.out, settings.output, events, event_line);
    if (std::string next = cursor_of(*result); !next.empty()) {
      cursor = std::move(next);
      since.clear();  // the cursor stands for it from now on
    }
    if (std::ssize(events) >= limits::kEventPageMax) continue;
    if (!command.follow) break;
    wait_unless_interrupted(world, kPollEvery);
  }
  return ExitCode::Ok;
}

ExitCode list_audit(Caller& caller, const Settings& settings, const RecordCommand& command,
                    World& world) {
  std::string since = command.since;
  if (since.empty() && command.operation.empty())
    since = openapi::rfc3339_s(world.now() - std::chrono::hours(24));
  openapi::QueryItems fields{{"Limit", std::to_string(limits::kAuditPageMax)}};
  if (!command.all_apps) add_if_given(fields, "AppId", settings.app);
  add_if_given(fields, "OperationId", command.operation);
  add_if_given(fields, "ActionName", command.action);
  add_if_given(fields, "Since", since);
  add_if_given(fields, "Until", command.until);
  fields.emplace_back("Cursor", "");
  while (world.out.good()) {
    const Answer result = caller.ask_by_get("ListAudit", fields);
    if (!result) return result.error();
    show_lines(world.out, settings.output, items_of(*result, "Records"), audit_line);
    fields.back().second = cursor_of(*result);
    if (text_of(*result, "HasMore") != "true" || fields.back().second.empty()) break;
  }
  return ExitCode::Ok;
}

}  // namespace

ExitCode run_records(const Settings& settings, const std::string& authority,
                     const RecordCommand& command, World& world) {
  if (!has_keys(settings, world.err)) return ExitCode::Usage;
  Caller caller(settings, authority, world);
  switch (command.verb) {
    case RecordVerb::TailEvents:
      return has_app(settings, world.err) ? tail_events(caller, settings, command, world)
                                          : ExitCode::Usage;
    case RecordVerb::ListAudit:
      return list_audit(caller, settings, command, world);
    case RecordVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
