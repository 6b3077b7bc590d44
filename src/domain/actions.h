// PendingAction: a kick, or a change of rules, applications or webhooks, that is answered once it is durable and whom
// it removed is gone.
// Owner: Core, by operation id.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/effect.h"
#include "domain/policies.h"
#include "domain/schedules.h"

namespace atrium::domain {

struct Core;

void reply(Core& core, WaiterId waiter, ActionOutcome outcome, OperationId operation = {});

// What the store was given of a webhook.
struct PendingWebhook {
  Webhook webhook;
  bool is_dropped = false;
};

struct PendingAction {
  WaiterId waiter;
  bool is_stored = false;
  bool is_answered = false;
  bool has_store_failed = false;
  std::set<ParticipantSid> leaving;  // removed by it, their transports not yet gone
  // A rule that evicts is in force at once; a rule that only changes is changed when the store has it.
  std::vector<std::pair<AppId, BanId>> erase_if_not_stored, erase_when_stored;
  std::vector<BanRule> put_when_stored;
  std::optional<App> app;             // as it was given to the store
  std::optional<BulkDismissal> bulk;  // as it was accepted
  std::optional<PendingWebhook> webhook;
  std::optional<ScheduleChange> schedule_change;
  std::optional<PolicyChange> policy_change;
  // Once it is stored: what became of it, where that is neither Done nor RecordFailed, and what its caller is told.
  std::optional<ActionOutcome> outcome;
  std::optional<Schedule> schedule;
  // Callers who asked for what this one is still writing: theirs is stored, or is not, with it.
  std::vector<OperationId> followers;
};

struct StartedAction {
  OperationId id;
  PendingAction& action;  // valid until the next action begins or ends
};
StartedAction start_action(Core& core, WaiterId waiter);
// A write of ours that nobody waits for.
StartedAction start_own_action(Core& core);
// Answers the caller when the rule is stored: at once, or with the action that is still writing it.
void reply_when_stored(Core& core, WaiterId waiter, const AppId& app, const BanId& ban);
// `action` is not done before this participant's transport is gone.
void await_end(Core& core, StartedAction& action, const ParticipantSid& participant);
// A participant's transport is gone, or its life is.
void on_participant_gone(Core& core, const ParticipantSid& participant);
// The store's answer about an operation that is no dismissal.
void on_action_stored(Core& core, const OperationId& operation, bool is_ok);
// Timers: the caller (by operation id) has waited long enough; rules have run out.
void on_action_due(Core& core, const std::string& operation);
void on_bans_expired(Core& core, const std::string& unused);

}  // namespace atrium::domain
