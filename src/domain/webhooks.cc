#include "domain/webhooks.h"

#include <algorithm>
#include <utility>

namespace atrium::domain {

const Webhook* Webhooks::find(const WebhookId& webhook) const {
  const auto found = entries_.find(webhook);
  return found == entries_.end() || !found->second.is_stored ? nullptr : &found->second.webhook;
}

const Webhook* Webhooks::find(const AppId& app, const WebhookId& webhook) const {
  const Webhook* found = find(webhook);
  return found == nullptr || found->app != app ? nullptr : found;
}

const Webhook* Webhooks::find_callback(const AppId& app, const std::string& business) const {
  for (const Webhook* webhook : list(app))
    if (webhook->dialect == WebhookDialect::Vendor && webhook->business == business) return webhook;
  return nullptr;
}

std::vector<const Webhook*> Webhooks::list(const AppId& app) const {
  std::vector<const Webhook*> out;
  const auto ids = of_app_.find(app);
  if (ids == of_app_.end()) return out;
  for (const WebhookId& id : ids->second)
    if (const Webhook* webhook = find(id)) out.push_back(webhook);
  return out;
}

size_t Webhooks::count(const AppId& app) const {
  const auto ids = of_app_.find(app);
  return ids == of_app_.end() ? 0 : ids->second.size();
}

bool Webhooks::is_taken(const Webhook& callback) const {
  const auto ids = of_app_.find(callback.app);
  if (callback.dialect != WebhookDialect::Vendor || ids == of_app_.end()) return false;
  return std::ranges::any_of(ids->second, [&](const WebhookId& id) {
    const Webhook& known = entries_.at(id).webhook;
    return id != callback.id && known.dialect == WebhookDialect::Vendor &&
           known.business == callback.business;
  });
}

bool Webhooks::can_change(const AppId& app, const WebhookId& webhook) const {
  return find(app, webhook) != nullptr && !entries_.at(webhook).is_dropping;
}

void Webhooks::reserve(const Webhook& webhook) {
  entries_[webhook.id].webhook = webhook;
  of_app_[webhook.app].insert(webhook.id);
}

void Webhooks::put(Webhook webhook) {
  of_app_[webhook.app].insert(webhook.id);
  Entry& entry = entries_[webhook.id];
  entry.is_stored = true;
  entry.webhook = std::move(webhook);
}

void Webhooks::forget(const WebhookId& webhook) {
  const auto found = entries_.find(webhook);
  if (found == entries_.end()) return;
  const auto ids = of_app_.find(found->second.webhook.app);
  ids->second.erase(webhook);
  if (ids->second.empty()) of_app_.erase(ids);
  entries_.erase(found);
}

void Webhooks::mark_dropping(const WebhookId& webhook) {
  entries_.at(webhook).is_dropping = true;
}

void Webhooks::keep_after_all(const WebhookId& webhook) {
  entries_.at(webhook).is_dropping = false;
}

}  // namespace atrium::domain
