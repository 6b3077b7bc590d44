// Webhooks: made, changed, dropped.  A change is in force once the store has it: what is told to whom is decided by the
// store's own rows.  Its dialect and its BusinessId stay as they were when it was made.
#include <utility>

#include "base/limits.h"
#include "domain/core.h"

namespace atrium::domain {
namespace {

bool is_full(const Webhooks& webhooks, const AppId& app) {
  return webhooks.size() >= static_cast<size_t>(limits::kWebhooksMax) ||
         webhooks.count(app) >= static_cast<size_t>(limits::kWebhooksPerAppMax);
}

void store(Core& core, WaiterId waiter, PendingWebhook change) {
  StartedAction action = start_action(core, waiter);
  core.out.put(PersistWebhook{action.id, change.webhook, change.is_dropped});
  action.action.webhook = std::move(change);
}

}  // namespace

void on(Core& core, const PutWebhook& command) {
  Webhook webhook = command.webhook;
  webhook.updated_at = core.now.wall;
  if (webhook.id.empty()) {
    if (core.webhooks.is_taken(webhook)) return reply(core, command.waiter, ActionOutcome::Exists);
    if (is_full(core.webhooks, webhook.app))
      return reply(core, command.waiter, ActionOutcome::TooMany);
    webhook.id = WebhookId(core.secrets.sid("WH_"));
    webhook.created_at = core.now.wall;
    core.webhooks.reserve(webhook);
  } else {
    if (!core.webhooks.can_change(webhook.app, webhook.id))
      return reply(core, command.waiter, ActionOutcome::NotThere);
    const Webhook& known = *core.webhooks.find(webhook.id);
    webhook.dialect = known.dialect;
    webhook.business = known.business;
    webhook.created_at = known.created_at;
  }
  store(core, command.waiter, {std::move(webhook)});
}

void on(Core& core, const DropWebhook& command) {
  if (!core.webhooks.can_change(command.app, command.webhook))
    return reply(core, command.waiter, ActionOutcome::NotThere);
  core.webhooks.mark_dropping(command.webhook);
  store(core, command.waiter,
        {.webhook = *core.webhooks.find(command.webhook), .is_dropped = true});
}

void on(Core& core, const RestoreWebhooks& command) {
  for (const Webhook& webhook : command.webhooks) core.webhooks.put(webhook);
}

void settle_webhook(Core& core, const PendingWebhook& change, bool is_stored) {
  const WebhookId& id = change.webhook.id;
  if (change.is_dropped && is_stored) return core.webhooks.forget(id);
  if (change.is_dropped) return core.webhooks.keep_after_all(id);
  if (is_stored) return core.webhooks.put(change.webhook);
  if (core.webhooks.find(id) == nullptr) core.webhooks.forget(id);  // a new one
}

}  // namespace atrium::domain
