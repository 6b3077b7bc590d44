#include "domain/actions.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

std::shared_ptr<const App> app_of(const Core& core, const PendingAction& action) {
  if (!action.app) return nullptr;
  const App* app = core.apps.find(action.app->id);
  return app == nullptr ? nullptr : std::make_shared<const App>(*app);
}

std::shared_ptr<const Webhook> webhook_of(const PendingAction& action) {
  return action.webhook ? std::make_shared<const Webhook>(action.webhook->webhook) : nullptr;
}

void finish_if_done(Core& core, const OperationId& id) {
  const auto found = core.actions.find(id);
  const PendingAction& action = found->second;
  if (!action.is_stored || !action.leaving.empty()) return;
  if (!action.is_answered)
    core.out.put(ActionReply{
        .waiter = action.waiter,
        .outcome = action.outcome.value_or(action.has_store_failed ? ActionOutcome::RecordFailed
                                                                   : ActionOutcome::Done),
        .operation = id,
        .app = app_of(core, action),
        .schedule = action.schedule,
        .bulk = action.bulk,
        .webhook = webhook_of(action)});
  core.timers.cancel(TimerKind::ActionDue, id.value);
  core.actions.erase(found);
}

}  // namespace

void reply(Core& core, WaiterId waiter, ActionOutcome outcome, OperationId operation) {
  core.out.put(ActionReply{waiter, outcome, std::move(operation)});
}

StartedAction start_action(Core& core, WaiterId waiter) {
  OperationId id(core.secrets.sid("OP_"));
  PendingAction& action = core.actions[id];
  action.waiter = waiter;
  core.timers.arm(TimerKind::ActionDue, id.value,
                  core.now.mono + limit_ms(limits::kActionFinishMs));
  return {std::move(id), action};
}

StartedAction start_own_action(Core& core) {
  StartedAction action = start_action(core, {});
  action.action.is_answered = true;
  return action;
}

void reply_when_stored(Core& core, WaiterId waiter, const AppId& app, const BanId& ban) {
  const auto writer = std::ranges::find_if(core.actions, [&](const auto& entry) {
    const PendingAction& action = entry.second;
    return !action.is_stored &&
           std::ranges::find(action.erase_if_not_stored, std::pair(app, ban)) !=
               action.erase_if_not_stored.end();
  });
  if (writer == core.actions.end()) return reply(core, waiter, ActionOutcome::Done);
  writer->second.followers.push_back(start_action(core, waiter).id);
}

void await_end(Core& core, StartedAction& action, const ParticipantSid& participant) {
  action.action.leaving.insert(participant);
  core.awaited.emplace(participant, action.id);
}

void on_action_stored(Core& core, const OperationId& operation, bool is_ok) {
  const auto found = core.actions.find(operation);
  if (found == core.actions.end() || found->second.is_stored) return;
  PendingAction& action = found->second;
  action.is_stored = true;
  action.has_store_failed = !is_ok;
  take_out_of_force(core, is_ok ? action.erase_when_stored : action.erase_if_not_stored);
  if (is_ok)
    for (const BanRule& rule : action.put_when_stored) put_in_force(core, rule);
  if (action.app) settle_app(core, *action.app, is_ok);
  if (action.schedule_change) settle_schedule(core, operation, action, is_ok);
  if (action.policy_change) settle_policy(core, *action.policy_change, is_ok);
  if (action.webhook) settle_webhook(core, *action.webhook, is_ok);
  const bool is_bulk = action.bulk.has_value();
  const std::vector<OperationId> followers = std::exchange(action.followers, {});
  finish_if_done(core, operation);
  if (is_bulk) on_bulk_stored(core, operation, is_ok);
  for (const OperationId& follower : followers) on_action_stored(core, follower, is_ok);
}

void on_participant_gone(Core& core, const ParticipantSid& participant) {
  const auto [first, last] = core.awaited.equal_range(participant);
  std::vector<OperationId> waiting;
  for (auto at = first; at != last; ++at) waiting.push_back(at->second);
  core.awaited.erase(first, last);
  for (const OperationId& id : waiting) {
    core.actions.at(id).leaving.erase(participant);
    finish_if_done(core, id);
  }
}

void on_action_due(Core& core, const std::string& operation) {
  const OperationId id(operation);
  PendingAction& action = core.actions.at(id);
  if (!action.is_answered) reply(core, action.waiter, ActionOutcome::Unfinished, id);
  action.is_answered = true;
}

}  // namespace atrium::domain
