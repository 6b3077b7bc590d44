// CallKeys: which changing calls were made with which Idempotency-Key in the last kCallKeyKeepHours.  Owner: Gateway.
// Bounded per account and in all.  What must survive is in the store (domain/keyed_call.h); this is its index.
// Does not: store, answer, know what a call does.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/time.h"
#include "domain/keyed_call.h"

namespace atrium::openapi {

class CallKeys {
 public:
  enum class Verdict : uint8_t {
    New,        // nobody used the key: begin()
    Running,    // the same call is being carried out
    Done,       // the same call was carried out: find() says with what outcome
    OtherBody,  // the key belongs to another call
    Full,       // the account, or the server, remembers as many keys as it may
  };
  Verdict look(const domain::CallKey& key, const Sha256& body_hash, Wall now);

  // From now on the key is this call's, until finish() or drop().
  void begin(const domain::CallKey& key, const Sha256& body_hash, Wall now);
  // The call did nothing, or what it did is undone: the key is free again.
  void drop(const domain::CallKey& key);
  // It is done; `row` is as the store has it.
  void finish(const domain::KeyedCall& row);

  // Null: not known, or still running.
  const domain::KeyedCall* find(const domain::CallKey& key) const;
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    domain::KeyedCall row;
    bool is_running = true;
  };
  void forget_old(Wall now);
  void forget(std::map<domain::CallKey, Entry>::iterator entry);

  std::map<domain::CallKey, Entry> entries_;
  // derived
  std::map<std::string, size_t, std::less<>> per_account_;
  std::set<std::pair<Wall, domain::CallKey>> by_age_;
};

}  // namespace atrium::openapi
