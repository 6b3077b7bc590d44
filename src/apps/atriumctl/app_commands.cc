#include "apps/atriumctl/app_commands.h"

#include <ostream>

#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/secret_file.h"
#include "apps/atriumctl/show.h"
#include "base/limits.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

class AppRun {
 public:
  AppRun(const Settings& settings, const std::string& authority, const AppCommand& command,
         World& world)
      : settings_(settings),
        command_(command),
        world_(world),
        caller_(settings, authority, world) {}

  ExitCode create();
  ExitCode list();
  ExitCode show();
  ExitCode set_enabled(bool enabled);
  ExitCode update();
  ExitCode add_key();
  ExitCode delete_key();

 private:
  ExitCode add_app_keys(Json::Object& fields);
  Answer ask_all_apps();
  std::string app() const { return clean(command_.app); }

  const Settings& settings_;
  const AppCommand& command_;
  World& world_;
  Caller caller_;
};

ExitCode AppRun::add_app_keys(Json::Object& fields) {
  if (command_.app_key_file == "-" && command_.secondary_app_key_file == "-")
    return unusable_secret(world_.err, "--secondary-app-key-file",
                           "standard input holds the AppKey already");
  const ExitCode first =
      add_secret(fields, "AppKey", "--app-key-file", command_.app_key_file, world_);
  if (first != ExitCode::Ok) return first;
  return add_secret(fields, "SecondaryAppKey", "--secondary-app-key-file",
                    command_.secondary_app_key_file, world_);
}

ExitCode AppRun::create() {
  Json::Object fields{{"AppName", command_.name}};
  add_if_given(fields, "AppId", command_.app);
  add_if_given(fields, "Ids", command_.ids);
  if (const ExitCode code = add_app_keys(fields); code != ExitCode::Ok) return code;
  const Answer result = caller_.ask("CreateApp", std::move(fields));
  if (!result) return result.error();
  if (settings_.output == Output::Json)
    world_.out << openapi::to_text(*result) << "\n";
  else
    show_created_app(world_.out, *result);
  return ExitCode::Ok;
}

// All pages in one result.
Answer AppRun::ask_all_apps() {
  Json::Array apps;
  while (true) {
    const Answer result =
        caller_.ask("ListApps", {{"Offset", std::ssize(apps)}, {"Limit", limits::kAppsPageMax}},
                    openapi::kVersion2020);
    if (!result) return result;
    const Json* list = result->find("AppList");
    const Json::Array* page = list == nullptr ? nullptr : list->if_array();
    if (page != nullptr) apps.insert(apps.end(), page->begin(), page->end());
    if (page == nullptr || std::ssize(*page) < limits::kAppsPageMax)
      return Json(Json::Object{{"AppList", std::move(apps)}});
  }
}

void take_keys_out(Json& result) {
  for (auto& [name, list] : std::get<Json::Object>(result.value))
    if (auto* apps = std::get_if<Json::Array>(&list.value))
      for (Json& app : *apps)
        if (auto* members = std::get_if<Json::Object>(&app.value))
          std::erase_if(*members, [](const auto& member) {
            return member.first == "AppKey" || member.first == "SecondaryAppKey";
          });
}

ExitCode AppRun::list() {
  Answer result = ask_all_apps();
  if (!result) return result.error();
  if (!command_.show_keys) take_keys_out(*result);
  if (settings_.output == Output::Json)
    world_.out << openapi::to_text(*result) << "\n";
  else
    show_apps(world_.out, *result, command_.show_keys ? Keys::Shown : Keys::Hidden);
  return ExitCode::Ok;
}

ExitCode AppRun::show() {
  const Answer result = caller_.ask("GetApp", {{"AppId", command_.app}});
  if (!result) return result.error();
  if (settings_.output == Output::Json)
    world_.out << openapi::to_text(*result) << "\n";
  else
    show_app(world_.out, *result);
  return ExitCode::Ok;
}

ExitCode AppRun::set_enabled(bool enabled) {
  return tell(caller_.ask("UpdateApp", {{"AppId", command_.app}, {"Enabled", enabled}}), settings_,
              world_.out,
              enabled ? "App " + app() + " is enabled: its tokens open rooms again."
                      : "App " + app() +
                            " is disabled: its live rooms have ended, and nobody comes in until\n"
                            "atriumctl app enable " +
                            app());
}

ExitCode AppRun::update() {
  Json::Object fields{{"AppId", command_.app}};
  add_if_given(fields, "AppName", command_.name);
  add_if_given(fields, "Ids", command_.ids);
  if (const ExitCode code = add_app_keys(fields); code != ExitCode::Ok) return code;
  if (fields.size() == 1)
    return missing(world_.err, "what is to change",
                   "Give --name, --ids, --app-key-file or --secondary-app-key-file.");
  const bool is_key_changed =
      !command_.app_key_file.empty() || !command_.secondary_app_key_file.empty();
  return tell(
      caller_.ask("UpdateApp", std::move(fields)), settings_, world_.out,
      "App " + app() + " is changed." +
          (is_key_changed ? " Tokens signed with the key that it replaces are refused now." : ""));
}

ExitCode AppRun::add_key() {
  Json::Object fields{{"AppId", command_.app}, {"ApiKey", command_.api_key}};
  const ExitCode code =
      add_secret(fields, "ApiSecret", "--secret-file", command_.secret_file, world_);
  if (code != ExitCode::Ok) return code;
  if (command_.management) fields.emplace_back("Management", true);
  return tell(caller_.ask("AddApiKey", std::move(fields)), settings_, world_.out,
              "API key " + clean(command_.api_key) + (command_.management ? " manages" : " opens") +
                  " app " + app() + " now.");
}

ExitCode AppRun::delete_key() {
  return tell(caller_.ask("DeleteApiKey", {{"AppId", command_.app}, {"ApiKey", command_.api_key}}),
              settings_, world_.out,
              "App " + app() + " has no API key " + clean(command_.api_key) +
                  " (any more): tokens signed with it are refused. Who is in stays in.");
}

}  // namespace

ExitCode run_app(const Settings& settings, const std::string& authority, const AppCommand& command,
                 World& world) {
  if (!has_keys(settings, world.err)) return ExitCode::Usage;
  AppRun run(settings, authority, command, world);
  switch (command.verb) {
    case AppVerb::Create:
      return run.create();
    case AppVerb::List:
      return run.list();
    case AppVerb::Show:
      return run.show();
    case AppVerb::Enable:
      return run.set_enabled(true);
    case AppVerb::Disable:
      return run.set_enabled(false);
    case AppVerb::Update:
      return run.update();
    case AppVerb::AddKey:
      return run.add_key();
    case AppVerb::DeleteKey:
      return run.delete_key();
    case AppVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
