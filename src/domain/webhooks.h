// Webhooks: where events are told, by id and by app.  Owner: Core.  What it shows is what the store has; it counts
// those that are on their way there, too.  Does not: decide what may be changed, deliver, store.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "domain/webhook.h"

namespace atrium::domain {

class Webhooks {
 public:
  // In force; null: there is none.  Valid until the next change.
  const Webhook* find(const WebhookId& webhook) const;
  // The same, of this app.
  const Webhook* find(const AppId& app, const WebhookId& webhook) const;
  // In force, in the vendor's dialect, for this BusinessId (empty: none).
  const Webhook* find_callback(const AppId& app, const std::string& business) const;
  // In force, by id.
  std::vector<const Webhook*> list(const AppId& app) const;

  // These count what is not stored yet, too.
  size_t size() const { return entries_.size(); }
  size_t count(const AppId& app) const;
  // It is in the vendor's dialect, and another one is so for the same app and BusinessId.
  bool is_taken(const Webhook& callback) const;
  // In force, and nothing that was given to the store takes it away.
  bool can_change(const AppId& app, const WebhookId& webhook) const;

  void reserve(const Webhook& webhook);           // a new one: on its way to the store
  void put(Webhook webhook);                      // the store has it
  void forget(const WebhookId& webhook);          // the store does not have it, or has it no more
  void mark_dropping(const WebhookId& webhook);   // on its way out of the store
  void keep_after_all(const WebhookId& webhook);  // which did not let it go

 private:
  struct Entry {
    Webhook webhook;
    bool is_stored = false;
    bool is_dropping = false;
  };
  std::map<WebhookId, Entry> entries_;
  // derived
  std::map<AppId, std::set<WebhookId>> of_app_;
};

}  // namespace atrium::domain
