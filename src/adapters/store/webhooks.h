// WebhookTable: webhooks in the store, their secrets sealed.  Owner: Store, within whose transactions it writes.
// Thread: store.
#pragma once

#include <unordered_map>
#include <vector>

#include "adapters/store/apps.h"
#include "adapters/store/sqlite.h"
#include "domain/webhook.h"

namespace atrium::store {

class WebhookTable {
 public:
  static Result<WebhookTable> create(Database& database, Sealing sealing);

  Result<void> put(const domain::Webhook& webhook);
  Result<void> drop(const domain::Webhook& webhook);  // by its id and app
  // Malformed: the key does not open what is there.
  Result<std::vector<domain::Webhook>> load();

  // Of this app, without their secrets; valid until the next call.
  Result<const std::vector<domain::Webhook>*> enabled_of(const AppId& app);
  // What was put or dropped in this transaction may have been undone.
  void forget() { enabled_.clear(); }

 private:
  struct Statements {
    Statement put, drop, all, enabled;
  };
  WebhookTable(Statements statements, Sealing sealing)
      : statements_(std::move(statements)), sealing_(sealing) {}

  // owned
  Statements statements_;
  // given
  Sealing sealing_;
  // derived: by app, read when first needed; apps whose events are written, each at most kWebhooksPerAppMax
  std::unordered_map<AppId, std::vector<domain::Webhook>> enabled_;
};

}  // namespace atrium::store
