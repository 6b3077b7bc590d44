// Bulks: dismissals of many rooms by one call (schema.cc).  What became of each room is told by the dismissal of its
// life.  Owner: Store, within whose transactions it writes.  Thread: store.
#pragma once

#include <cstdint>
#include <optional>

#include "adapters/store/sqlite.h"
#include "base/time.h"
#include "domain/bulk.h"

namespace atrium::store {

class Bulks {
 public:
  static Result<Bulks> create(Database& database);

  // The rooms are those of the first write: later ones change the rest alone.  Takes a few old rows away.
  Result<void> put(Database& database, const domain::BulkDismissal& bulk);
  // Of those accepted before kRecordKeepDays at most `rows` rows of rooms, then those without any.
  Result<uint32_t> purge(Database& database, Wall now, int64_t rows);
  // None: not known.  At most min(limit, kBulkPageMax) rooms.
  Result<std::optional<domain::BulkPage>> find(const OperationId& operation, size_t offset,
                                               size_t limit);

 private:
  struct Statements {
    Statement known, put, put_item, purge_items, purge, find, items;
  };
  explicit Bulks(Statements statements) : statements_(std::move(statements)) {}
  Result<bool> is_known(const OperationId& operation);

  // owned
  Statements statements_;
};

}  // namespace atrium::store
