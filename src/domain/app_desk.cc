// Applications: made, changed, switched off.  A new one can be used once the store has it; a change is in force at once
// and taken back when the store refuses it.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

constexpr size_t kAppIdBytes = 12, kAppKeyBytes = 16;  // twice as many hexadecimal digits

std::string random_hex(Core& core, size_t bytes) {
  Bytes random(bytes);
  core.secrets.fill(random);
  return hex(random);
}

void complete(Core& core, App& app) {
  if (app.id.empty()) app.id = AppId(random_hex(core, kAppIdBytes));
  if (app.primary_key.empty()) app.primary_key = random_hex(core, kAppKeyBytes);
  if (app.secondary_key.empty()) app.secondary_key = random_hex(core, kAppKeyBytes);
  app.created_at = core.now.wall;
}

bool is_any_key_taken(const Core& core, const App& app) {
  return std::ranges::any_of(app.api_keys,
                             [&](const ApiKey& key) { return core.apps.is_taken(key.key); });
}

void store(Core& core, StartedAction& action, const App& app, bool is_new) {
  action.action.app = app;
  core.out.put(PersistApp{action.id, app, is_new});
}

// Every room of an application that was switched off; the action waits for all who are in them.
void end_rooms(Core& core, StartedAction& action, const ChangeApp& command) {
  std::vector<RoomName> names;
  for (auto at = core.current.lower_bound({command.app, RoomId()});
       at != core.current.end() && at->first.app == command.app; ++at)
    names.push_back(at->first);
  for (const RoomName& name : names) {
    Room& room = *core.find_current(name);
    for (const auto& [sid, participant] : room.participants) await_end(core, action, sid);
    start_dismissal(core, room,
                    DismissRoom{.waiter = {},
                                .app = name.app,
                                .room = name.room,
                                .operator_id = command.origin.operator_id,
                                .request_id = command.origin.request_id,
                                .reason = command.origin.reason},
                    ClientCode::RoomDismiss, {});
  }
}

App changed(App app, const ChangeApp& command) {
  app.enabled = command.enabled.value_or(app.enabled);
  app.any_ids = command.any_ids.value_or(app.any_ids);
  if (command.name) app.name = *command.name;
  if (command.primary_key) app.primary_key = *command.primary_key;
  if (command.secondary_key) app.secondary_key = *command.secondary_key;
  if (command.add_key) app.api_keys.push_back(*command.add_key);
  if (command.drop_key)
    std::erase_if(app.api_keys, [&](const ApiKey& key) { return key.key == *command.drop_key; });
  return app;
}

std::optional<ActionOutcome> flaw_of(const Core& core, const App& app, const ChangeApp& command) {
  if (!command.add_key) return std::nullopt;
  if (app.api_keys.size() >= static_cast<size_t>(limits::kApiKeysPerAppMax))
    return ActionOutcome::TooManyApps;
  if (core.apps.is_taken(command.add_key->key)) return ActionOutcome::Exists;
  return std::nullopt;
}

}  // namespace

void on(Core& core, const CreateApp& command) {
  if (core.apps.size() >= static_cast<size_t>(limits::kAppsMax) ||
      core.apps.count(command.app.account) >= static_cast<size_t>(limits::kAppsPerAccountMax))
    return reply(core, command.waiter, ActionOutcome::TooManyApps);
  if (core.apps.is_taken(command.app.id) || is_any_key_taken(core, command.app))
    return reply(core, command.waiter, ActionOutcome::Exists);
  App app = command.app;
  complete(core, app);
  StartedAction action = start_action(core, command.waiter);
  store(core, action, app, true);
  core.apps.put_unstored(std::move(app));
}

void on(Core& core, const ChangeApp& command) {
  const App* known = core.apps.find(command.app);
  if (known == nullptr) return reply(core, command.waiter, ActionOutcome::NotThere);
  if (const auto flaw = flaw_of(core, *known, command)) return reply(core, command.waiter, *flaw);
  App app = changed(*known, command);
  const bool is_switched_off = known->enabled && !app.enabled;
  if (app == *known) {
    core.out.put(ActionReply{command.waiter, ActionOutcome::Done, OperationId(),
                             std::make_shared<const App>(std::move(app))});
    return;
  }
  core.apps.change(app);
  StartedAction action = start_action(core, command.waiter);
  store(core, action, app, false);
  if (is_switched_off) end_rooms(core, action, command);
}

void on(Core& core, const RestoreApps& command) {
  for (const App& app : command.apps) core.apps.put_stored(app);
}

void settle_app(Core& core, const App& app, bool is_stored) {
  if (is_stored)
    core.apps.settle(app);
  else
    core.apps.revert(app.id);
}

}  // namespace atrium::domain
