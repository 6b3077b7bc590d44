#include "adapters/openapi/call_keys.h"

#include <chrono>

#include "base/limits.h"

namespace atrium::openapi {
namespace {

constexpr auto kKeep = std::chrono::hours(limits::kCallKeyKeepHours);

}  // namespace

CallKeys::Verdict CallKeys::look(const domain::CallKey& key, const Sha256& body_hash, Wall now) {
  forget_old(now);
  if (const auto known = entries_.find(key); known != entries_.end()) {
    if (known->second.row.body_hash != body_hash) return Verdict::OtherBody;
    return known->second.is_running ? Verdict::Running : Verdict::Done;
  }
  const auto account = per_account_.find(key.account);
  const size_t count = account == per_account_.end() ? 0 : account->second;
  const bool is_full = count >= static_cast<size_t>(limits::kCallKeysPerAccountMax) ||
                       entries_.size() >= static_cast<size_t>(limits::kCallKeysMax);
  return is_full ? Verdict::Full : Verdict::New;
}

void CallKeys::begin(const domain::CallKey& key, const Sha256& body_hash, Wall now) {
  Entry entry;
  entry.row.key = key;
  entry.row.body_hash = body_hash;
  entry.row.at = now;
  if (!entries_.emplace(key, std::move(entry)).second) return;
  ++per_account_[key.account];
  by_age_.emplace(now, key);
}

void CallKeys::drop(const domain::CallKey& key) {
  if (const auto known = entries_.find(key); known != entries_.end()) forget(known);
}

void CallKeys::finish(const domain::KeyedCall& row) {
  begin(row.key, row.body_hash, row.at);  // one that comes from the store
  Entry& entry = entries_.at(row.key);
  by_age_.erase({entry.row.at, row.key});
  by_age_.emplace(row.at, row.key);
  entry = {row, false};
}

const domain::KeyedCall* CallKeys::find(const domain::CallKey& key) const {
  const auto known = entries_.find(key);
  return known == entries_.end() || known->second.is_running ? nullptr : &known->second.row;
}

// One that still runs after a day is let go, too: its caller was answered long ago.
void CallKeys::forget_old(Wall now) {
  while (!by_age_.empty() && by_age_.begin()->first + kKeep <= now)
    forget(entries_.find(by_age_.begin()->second));
}

void CallKeys::forget(std::map<domain::CallKey, Entry>::iterator entry) {
  const auto account = per_account_.find(entry->first.account);
  if (--account->second == 0) per_account_.erase(account);
  by_age_.erase({entry->second.row.at, entry->first});
  entries_.erase(entry);
}

}  // namespace atrium::openapi
