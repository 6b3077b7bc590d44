#include "domain/apps.h"

#include <algorithm>
#include <tuple>

namespace atrium::domain {

const App* Apps::find(const AppId& app) const {
  const auto found = entries_.find(app);
  return found == entries_.end() || !found->second.stored ? nullptr : &found->second.app;
}

std::optional<Apps::KeyOwner> Apps::find_api_key(std::string_view api_key) const {
  const auto owner = owners_.find(api_key);
  if (owner == owners_.end()) return std::nullopt;
  const App* app = find(owner->second);
  if (app == nullptr) return std::nullopt;
  const auto key = std::ranges::find(app->api_keys, api_key, &ApiKey::key);
  return KeyOwner{app, key->secret, key->management};
}

std::vector<const App*> Apps::list(const std::string& account) const {
  std::vector<const App*> out;
  for (const auto& [id, entry] : entries_)
    if (entry.stored && entry.app.account == account) out.push_back(&entry.app);
  std::ranges::sort(out, [](const App* a, const App* b) {
    return std::tie(a->created_at, a->id) < std::tie(b->created_at, b->id);
  });
  return out;
}

size_t Apps::count(const std::string& account) const {
  return static_cast<size_t>(std::ranges::count_if(
      entries_, [&](const auto& entry) { return entry.second.app.account == account; }));
}

void Apps::put_stored(App app) {
  Entry& entry = entries_[app.id];
  entry.stored = app;
  put_in_force(entry, std::move(app));
}

void Apps::put_unstored(App app) {
  Entry& entry = entries_[app.id];
  put_in_force(entry, std::move(app));
}

void Apps::change(App app) {
  put_in_force(entries_.at(app.id), std::move(app));
}

void Apps::settle(const App& app) {
  entries_.at(app.id).stored = app;
}

void Apps::revert(const AppId& id) {
  Entry& entry = entries_.at(id);
  if (entry.stored) return put_in_force(entry, *entry.stored);
  forget_keys(entry.app);
  entries_.erase(id);
}

void Apps::put_in_force(Entry& entry, App app) {
  forget_keys(entry.app);
  for (const ApiKey& key : app.api_keys) owners_.emplace(key.key, app.id);
  entry.app = std::move(app);
}

void Apps::forget_keys(const App& app) {
  for (const ApiKey& key : app.api_keys) {
    const auto owner = owners_.find(key.key);
    if (owner != owners_.end() && owner->second == app.id) owners_.erase(owner);
  }
}

}  // namespace atrium::domain
