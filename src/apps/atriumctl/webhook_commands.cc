#include "apps/atriumctl/webhook_commands.h"

#include <ostream>

#include "apps/atriumctl/caller.h"
#include "apps/atriumctl/secret_file.h"
#include "apps/atriumctl/show.h"

namespace atrium::atriumctl {
namespace {

using openapi::Json;

class WebhookRun {
 public:
  WebhookRun(const Settings& settings, const std::string& authority, const WebhookCommand& command,
             World& world)
      : settings_(settings),
        command_(command),
        world_(world),
        caller_(settings, authority, world) {}

  ExitCode add();
  ExitCode list();
  ExitCode update();
  ExitCode remove();
  ExitCode test();
  ExitCode dead();
  ExitCode redrive();

 private:
  // What add and update have in common.
  ExitCode add_settings(Json::Object& fields);
  std::string webhook() const { return clean(command_.webhook); }

  const Settings& settings_;
  const WebhookCommand& command_;
  World& world_;
  Caller caller_;
};

std::string events_of(const Json& webhook) {
  std::string out;
  for (const Json& event : items_of(webhook, "Events"))
    if (const std::string* name = event.if_text()) out += (out.empty() ? "" : ",") + clean(*name);
  return out.empty() ? "all" : out;
}

ExitCode WebhookRun::add_settings(Json::Object& fields) {
  add_if_given(fields, "Url", command_.url);
  add_if_given(fields, "ApiKey", command_.api_key);
  if (!command_.events.empty() || command_.all_events)
    fields.emplace_back("Events", Json::Array(command_.events.begin(), command_.events.end()));
  if (command_.enable || command_.disable) fields.emplace_back("Enabled", command_.enable);
  return add_secret(fields, "SecretKey", "--secret-file", command_.secret_file, world_);
}

ExitCode WebhookRun::add() {
  Json::Object fields{{"Dialect", command_.dialect}};
  add_if_given(fields, "BusinessId", command_.business);
  if (const ExitCode code = add_settings(fields); code != ExitCode::Ok) return code;
  const Answer result = caller_.ask_in_app("CreateWebhook", std::move(fields));
  if (!result) return result.error();
  const std::string id = text_of(member(*result, "Webhook"), "WebhookId");
  return tell(result, settings_, world_.out,
              "Webhook " + id +
                  " is made. See whether it can be reached with: atriumctl webhook test " + id);
}

ExitCode WebhookRun::list() {
  const Answer result = caller_.ask_in_app_by_get("ListWebhooks", {});
  if (!result) return result.error();
  const Json::Array& webhooks = items_of(*result, "Webhooks");
  if (settings_.output == Output::Json || webhooks.empty())
    return tell(result, settings_, world_.out, "The app has no webhooks.");
  std::vector<Row> rows{
      {"WEBHOOK", "URL", "DIALECT", "STATUS", "WAITING", "SINCE", "DEAD", "EVENTS"}};
  for (const Json& webhook : webhooks)
    rows.push_back({text_of(webhook, "WebhookId"), text_of(webhook, "Url"),
                    text_of(webhook, "Dialect"),
                    text_of(webhook, "Enabled") == "true" ? "enabled" : "disabled",
                    text_of(webhook, "Waiting"), text_of(webhook, "OldestWaitingAt"),
                    text_of(webhook, "DeadLetters"), events_of(webhook)});
  show_table(world_.out, rows);
  return ExitCode::Ok;
}

ExitCode WebhookRun::update() {
  Json::Object fields{{"WebhookId", command_.webhook}};
  if (const ExitCode code = add_settings(fields); code != ExitCode::Ok) return code;
  if (fields.size() == 1)
    return missing(
        world_.err, "what is to change",
        "Give --to, --secret-file, --api-key, --events, --all-events, --enable or --disable.");
  return tell(caller_.ask_in_app("UpdateWebhook", std::move(fields)), settings_, world_.out,
              "Webhook " + webhook() + " is changed.");
}

ExitCode WebhookRun::remove() {
  const Answer result = caller_.ask_in_app("DeleteWebhook", {{"WebhookId", command_.webhook}});
  const bool existed = result && text_of(*result, "Existed") == "true";
  return tell(result, settings_, world_.out,
              "Webhook " + webhook() + (existed ? " is removed." : " is not there (any more)."));
}

ExitCode WebhookRun::test() {
  const Answer result = caller_.ask_in_app("TestWebhook", {{"WebhookId", command_.webhook}});
  if (!result) return result.error();
  const std::string status = text_of(*result, "Status");
  const std::string answer = (status.empty() ? "no answer" : "HTTP " + status) + ", after " +
                             text_of(*result, "Milliseconds") + " ms";
  if (text_of(*result, "Delivered") == "true")
    return tell(result, settings_, world_.out,
                "Webhook " + webhook() + " took the test event: " + answer + ".");
  if (settings_.output == Output::Json) world_.out << openapi::to_text(*result) << "\n";
  world_.err << "atriumctl: webhook " << webhook()
             << " did not take the test event: " << text_of(*result, "Why") << " (" << answer
             << ").\n";
  return ExitCode::Refused;
}

ExitCode WebhookRun::dead() {
  const Answer result = ask_all_by_cursor(caller_, "ListDeadLetters",
                                          {{"WebhookId", command_.webhook}}, "DeadLetters");
  if (!result) return result.error();
  const Json::Array& letters = items_of(*result, "DeadLetters");
  if (settings_.output == Output::Json || letters.empty())
    return tell(result, settings_, world_.out, "Webhook " + webhook() + " has no dead letters.");
  std::vector<Row> rows{{"EVENT", "KIND", "ROOM", "SEQUENCE", "AT", "DIED", "TRIES", "WHY"}};
  for (const Json& letter : letters) {
    const Json& event = member(letter, "Event");
    rows.push_back({text_of(event, "EventId"), text_of(event, "Kind"), text_of(event, "RoomId"),
                    text_of(event, "Sequence"), text_of(event, "At"), text_of(letter, "DiedAt"),
                    text_of(letter, "Attempts"), text_of(letter, "Why")});
  }
  show_table(world_.out, rows);
  return ExitCode::Ok;
}

ExitCode WebhookRun::redrive() {
  Json::Object fields{{"WebhookId", command_.webhook}};
  add_if_given(fields, "EventId", command_.event);
  return tell(caller_.ask_in_app("RedriveDeadLetters", std::move(fields)), settings_, world_.out,
              (command_.event.empty() ? "The dead letters of webhook "
                                      : "Event " + clean(command_.event) + " of webhook ") +
                  webhook() + " will be tried again.");
}

}  // namespace

ExitCode run_webhook(const Settings& settings, const std::string& authority,
                     const WebhookCommand& command, World& world) {
  if (!has_keys(settings, world.err) || !has_app(settings, world.err)) return ExitCode::Usage;
  WebhookRun run(settings, authority, command, world);
  switch (command.verb) {
    case WebhookVerb::Add:
      return run.add();
    case WebhookVerb::List:
      return run.list();
    case WebhookVerb::Update:
      return run.update();
    case WebhookVerb::Remove:
      return run.remove();
    case WebhookVerb::Test:
      return run.test();
    case WebhookVerb::Dead:
      return run.dead();
    case WebhookVerb::Redrive:
      return run.redrive();
    case WebhookVerb::None:
      break;
  }
  return ExitCode::Usage;
}

}  // namespace atrium::atriumctl
