// The write-ahead log seen from outside SQLite: how far it is durable, when it is copied into the database, and how it
// is made trustworthy again after a sync failed.  Owner: Store.  Thread: store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "adapters/store/sqlite.h"

namespace atrium::store {

// Where the log ended when the latest transaction was confirmed by the disk.
struct WalMark {
  uint64_t salt = 0;  // of the log's header; another one: the log was begun anew since
  uint32_t frames = 0;
};

// Follows the commits of one database and checkpoints it in SQLite's place: SQLite's own automatic checkpoint keeps its
// failures to itself.
class WalKeeper {
 public:
  // `database` must not move to another handle while the keeper lives.
  static WalKeeper watch(Database& database);

  // Copies the log into the database when it has grown to kCheckpointFrames.  Errors: the disk's.
  Result<void> checkpoint_if_due(Database& database);
  // All of it, and cuts the log to nothing.
  Result<void> empty(Database& database);
  // Nothing is known after an empty() that failed, until the next commit.
  const std::optional<WalMark>& mark() const { return *mark_; }

 private:
  std::unique_ptr<std::optional<WalMark>> mark_;  // SQLite holds its address
};

// With the database closed, after a sync failed or may have failed.  The kernel takes bytes that it could not write for
// written, so that a later sync of them says nothing: what was confirmed is written once more and synced, and what was
// not is cut off, lest a transaction that was refused comes back.  `mark` unknown: all of the log is kept.
Result<void> mend_wal(const std::string& path, const std::string& vfs,
                      const std::optional<WalMark>& mark);

// Leaves the log as it is when the database is closed: SQLite would copy it, trusting what it remembers.
void forbid_checkpoint_on_close(Database& database);

}  // namespace atrium::store
