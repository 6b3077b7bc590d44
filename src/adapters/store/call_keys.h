// CallKeys: management calls that carried an Idempotency-Key (schema.cc), for kCallKeyKeepHours.  Owner: Store, within
// whose transactions it writes.  Thread: store.
#pragma once

#include <cstdint>
#include <vector>

#include "adapters/store/sqlite.h"
#include "base/time.h"
#include "domain/keyed_call.h"

namespace atrium::store {

class CallKeys {
 public:
  static Result<CallKeys> create(Database& database);

  // Replaces the call with this key, and takes a few away that are too old by its time.
  Result<void> put(const domain::KeyedCall& call);
  // At most `rows`, oldest first: those that are too old.  Yields how many.
  Result<uint32_t> purge(Database& database, Wall now, int64_t rows);
  // Newest last; at most kCallKeysMax, the newest.
  Result<std::vector<domain::KeyedCall>> load(Wall now);

 private:
  struct Statements {
    Statement put, purge, all;
  };
  explicit CallKeys(Statements statements) : statements_(std::move(statements)) {}

  // owned
  Statements statements_;
};

}  // namespace atrium::store
