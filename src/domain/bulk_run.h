// BulkRun: one DismissRooms from its acceptance to its end.  Owner: Core, by operation id.
//
//   accepted ─RecordStored→ steps, one batch after the other ─the last dismissal over→ finished (one more record)
//
// Does not: survive a restart; no life does either.
#pragma once

#include <set>

#include "domain/bulk.h"

namespace atrium::domain {

struct Core;

struct BulkRun {
  BulkDismissal bulk;
  bool is_stored = false;         // what was accepted is; nothing begins before
  size_t next = 0;                // of the items: the first that has not had its turn
  std::set<OperationId> running;  // dismissals of its lives, begun by it or found under way
};

// The lives of an app that a filter means, and the names it lists that have none; in the order of the list, else of the
// names.  More than `limit`: what is over it is left out.
std::vector<BulkItem> select_lives(const Core& core, const AppId& app, const BulkFilter& filter,
                                   Wall now, size_t limit);
// The store has, or has not, what was accepted.
void on_bulk_stored(Core& core, const OperationId& operation, bool is_ok);
// A dismissal is over, whoever ordered it.
void on_bulk_dismissal_over(Core& core, const OperationId& dismissal);

}  // namespace atrium::domain
