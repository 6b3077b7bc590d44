// Apps: the applications, by AppId and by LiveKit API key.  Owner: Core.  Holds for each what is in force and what the
// store has; the two differ while a change is on its way there.  One that the store has never had is not found yet.
// Does not: decide what may be changed, make keys, store.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/types.h"

namespace atrium::domain {

class Apps {
 public:
  // In force; null: there is none.  Valid until the next change.
  const App* find(const AppId& app) const;
  struct KeyOwner {
    const App* app = nullptr;
    std::string_view secret;
    bool management = false;
  };
  // Whose API key this is: an alias, in force.  nullopt: nobody's.
  std::optional<KeyOwner> find_api_key(std::string_view api_key) const;
  // Of an account; oldest first.
  std::vector<const App*> list(const std::string& account) const;

  // The following know those that are not stored yet, too.
  bool is_taken(const AppId& app) const { return entries_.contains(app); }
  bool is_taken(std::string_view api_key) const { return owners_.contains(api_key); }
  size_t count(const std::string& account) const;
  size_t size() const { return entries_.size(); }

  void put_stored(App app);
  void put_unstored(App app);    // a new one
  void change(App app);          // in force from now; the store does not have it yet
  void settle(const App& app);   // the store has it as it is here
  void revert(const AppId& id);  // the store does not: what it had last is in force again

 private:
  struct Entry {
    App app;
    std::optional<App> stored;
  };
  void put_in_force(Entry& entry, App app);
  void forget_keys(const App& app);

  std::map<AppId, Entry> entries_;
  // derived
  std::map<std::string, AppId, std::less<>> owners_;  // API key → who has it
};

}  // namespace atrium::domain
