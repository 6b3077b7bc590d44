#include "apps/atriumctl/schedule_commands.h"

#include <ostream>

#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/show.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

class ScheduleRun {
 public:
  ScheduleRun(const Settings& settings, const std::string& authority,
              const ScheduleCommand& command, World& world)
      : settings_(settings), command_(command), world_(world), caller_(settings, authority, world) {
    caller_.use_idempotency_key(command.idempotency_key);
  }

  ExitCode add();
  ExitCode extend();
  ExitCode cancel();
  ExitCode list();
  ExitCode set_policy();
  ExitCode get_policy();
  ExitCode clear_policy();

 private:
  void add_warnings(Json::Object& fields) const;
  ExitCode too_late(const Json& result);
  std::string room() const { return clean(command_.room); }

  const Settings& settings_;
  const ScheduleCommand& command_;
  World& world_;
  Caller caller_;
};

std::string joined(const Json& object, std::string_view field) {
  std::string out;
  for (const Json& item : items_of(object, field)) {
    const std::string* text = item.if_text();
    out += (out.empty() ? "" : ", ") + (text == nullptr ? openapi::to_text(item) : clean(*text));
  }
  return out;
}

void ScheduleRun::add_warnings(Json::Object& fields) const {
  if (!command_.warn_before_s.empty())
    fields.emplace_back("WarnBeforeSeconds",
                        Json::Array(command_.warn_before_s.begin(), command_.warn_before_s.end()));
}

ExitCode ScheduleRun::too_late(const Json& result) {
  if (settings_.output == Output::Json) world_.out << openapi::to_text(result) << "\n";
  world_.err << "atriumctl: too late: the countdown " << clean(command_.schedule)
             << " had run out, and its room is dismissed. Nothing was changed.\n";
  return ExitCode::TooLate;
}

ExitCode ScheduleRun::add() {
  if (command_.at.empty() && !command_.after_s)
    return missing(world_.err, "when the room is to end", "Give --at or --after.");
  Json::Object fields{{"RoomId", command_.room}};
  add_if_given(fields, "At", command_.at);
  add_if_given(fields, "AfterSeconds", command_.after_s);
  add_if_given(fields, "Reason", command_.reason);
  add_if_given(fields, "IfRoomSessionId", command_.if_session);
  if (command_.refuse_joins) fields.emplace_back("RefuseJoins", true);
  add_warnings(fields);
  const Answer result = caller_.ask_in_app("ScheduleDismissal", std::move(fields));
  if (!result) return result.error();
  const std::string id = text_of(*result, "ScheduleId"), due = text_of(*result, "DueAt");
  return tell(result, settings_, world_.out,
              "Room " + room() + " will be dismissed" + (due.empty() ? "" : " at " + due) + ": " +
                  id + "\nTake it back with: atriumctl room cancel " + id);
}

ExitCode ScheduleRun::extend() {
  if (command_.at.empty() && !command_.by_s)
    return missing(world_.err, "when the room is to end", "Give --at or --by.");
  Json::Object fields{{"ScheduleId", command_.schedule}};
  add_if_given(fields, "At", command_.at);
  add_if_given(fields, "BySeconds", command_.by_s);
  const Answer result = caller_.ask_in_app("ExtendDismissal", std::move(fields));
  if (!result) return result.error();
  if (text_of(*result, "State") == "too_late") return too_late(*result);
  const std::string due = text_of(*result, "DueAt");
  return tell(result, settings_, world_.out,
              "The countdown is moved" + (due.empty() ? "."
                                                      : ": room " + text_of(*result, "RoomId") +
                                                            " will be dismissed at " + due + "."));
}

ExitCode ScheduleRun::cancel() {
  const Answer result = caller_.ask_in_app("CancelDismissal", {{"ScheduleId", command_.schedule}});
  if (!result) return result.error();
  if (text_of(*result, "State") == "too_late") return too_late(*result);
  return tell(result, settings_, world_.out,
              "Countdown " + clean(command_.schedule) + " is cancelled: its room goes on.");
}

ExitCode ScheduleRun::list() {
  const Answer result = ask_all_by_cursor(caller_, "ListSchedules", {}, "Schedules");
  if (!result) return result.error();
  const Json::Array& schedules = items_of(*result, "Schedules");
  if (settings_.output == Output::Json || schedules.empty())
    return tell(result, settings_, world_.out, "No room is counting down.");
  std::vector<Row> rows{{"SCHEDULE", "ROOM", "SESSION", "DUE", "JOINS", "WARNINGS", "REASON"}};
  for (const Json& schedule : schedules)
    rows.push_back({text_of(schedule, "ScheduleId"), text_of(schedule, "RoomId"),
                    text_of(schedule, "RoomSessionId"), text_of(schedule, "DueAt"),
                    text_of(schedule, "RefuseJoins") == "true" ? "refused" : "open",
                    joined(schedule, "WarnBeforeSeconds"), text_of(schedule, "Reason")});
  show_table(world_.out, rows);
  return ExitCode::Ok;
}

ExitCode ScheduleRun::set_policy() {
  Json::Object fields{{"RoomId", command_.room}};
  add_if_given(fields, "EndAt", command_.at);
  add_if_given(fields, "MaxDurationSeconds", command_.max_duration_s);
  add_if_given(fields, "IdleSeconds", command_.idle_s);
  add_if_given(fields, "LastHostLeftSeconds", command_.last_host_left_s);
  if (fields.size() == 1)
    return missing(
        world_.err, "what ends the room",
        "Give --end-at, --max-duration, --idle or --last-host-left; a policy is taken away with: "
        "atriumctl policy clear ROOM");
  if (!command_.hosts.empty())
    fields.emplace_back("Hosts", Json::Array(command_.hosts.begin(), command_.hosts.end()));
  add_warnings(fields);
  add_if_given(fields, "Reason", command_.reason);
  return tell(caller_.ask_in_app("SetRoomPolicy", std::move(fields)), settings_, world_.out,
              "Room " + room() + " has this policy now, in place of any earlier one.");
}

ExitCode ScheduleRun::get_policy() {
  const Answer result = caller_.ask_in_app_by_get("GetRoomPolicy", {{"RoomId", command_.room}});
  if (!result) return result.error();
  if (settings_.output == Output::Json) world_.out << openapi::to_text(*result) << "\n";
  if (text_of(*result, "PolicyExists") != "true") {
    world_.err << "atriumctl: room " << room() << " has no policy.\n";
    return ExitCode::Refused;
  }
  if (settings_.output == Output::Json) return ExitCode::Ok;
  const Json& policy = member(*result, "Policy");
  std::vector<Row> rows;
  if (const Json::Object* members = policy.if_object())
    for (const auto& [name, value] : *members)
      rows.push_back(
          {name, value.if_array() == nullptr ? text_of(policy, name) : joined(policy, name)});
  show_table(world_.out, rows);
  return ExitCode::Ok;
}

ExitCode ScheduleRun::clear_policy() {
  return tell(caller_.ask_in_app("SetRoomPolicy", {{"RoomId", command_.room}}), settings_,
              world_.out, "Room " + room() + " has no policy (any more).");
}

}  // namespace

ExitCode run_schedule(const Settings& settings, const std::string& authority,
                      const ScheduleCommand& command, World& world) {
  if (!has_keys(settings, world.err) || !has_app(settings, world.err)) return ExitCode::Usage;
  ScheduleRun run(settings, authority, command, world);
  switch (command.verb) {
    case ScheduleVerb::Add:
      return run.add();
    case ScheduleVerb::Extend:
      return run.extend();
    case ScheduleVerb::Cancel:
      return run.cancel();
    case ScheduleVerb::List:
      return run.list();
    case ScheduleVerb::SetPolicy:
      return run.set_policy();
    case ScheduleVerb::GetPolicy:
      return run.get_policy();
    case ScheduleVerb::ClearPolicy:
      return run.clear_policy();
    case ScheduleVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
