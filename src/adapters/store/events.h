// EventLog: the outbox (schema.cc): events in the order of their cursors, each numbered among those of its room's name.
// Owner: Store, within whose transactions it writes.  Thread: store.
// Does not: know who is told (deliveries.h), begin or commit transactions, read a clock.
#pragma once

#include <cstdint>
#include <optional>

#include "adapters/store/sqlite.h"
#include "base/limits.h"
#include "base/time.h"
#include "domain/event.h"

namespace atrium::store {

// What is purged; a test gives smaller numbers.
struct EventBounds {
  Duration keep = std::chrono::days(limits::kEventKeepDays);
  // A room's name is numbered on as long as it was used within this time; after it, with a gap.
  Duration keep_numbers = std::chrono::days(limits::kRecordKeepDays);
  int64_t rows_max = limits::kEventRowsMax;
};

class EventLog {
 public:
  static Result<EventLog> create(Database& database, EventBounds bounds);

  // held_by: whose release() tells it; empty: it is told.  Yields its cursor; none: it is there already, by its id, and
  // nothing was changed.
  Result<std::optional<int64_t>> insert(Database& database, const domain::Event& event,
                                        const OperationId& held_by);
  // Yields how many were held by the operation.
  Result<uint32_t> release(Database& database, const OperationId& operation);
  Result<uint32_t> release_all(Database& database);
  // When the latest of them happened; none: there are none.
  Result<std::optional<Wall>> latest();

  // Held events and what comes after them, within the question's rooms, are not listed: a reader who goes on from the
  // last cursor of a page misses none.
  Result<domain::EventsPage> list(const domain::EventQuery& query);

  // Events that are too old, of which no delivery waits any more, and those beyond the bound with everything that waits
  // for them; at most `rows`, oldest first.
  Result<uint32_t> purge(Database& database, Wall now, int64_t rows);

 private:
  struct Statements {
    Statement known, number, insert, release, release_all, latest;
    Statement marks, held_of_app, held_of_room, first_since, of_app, of_room;
    Statement last_old, purge_old, last_surplus, purge_surplus, mark_purged;
    Statement raise_floor, forget_rooms;
  };
  EventLog(Statements statements, EventBounds bounds)
      : statements_(std::move(statements)), bounds_(bounds) {}
  Result<uint32_t> purge_some(Database& database, Statement& last, Statement& purge, int64_t first,
                              int64_t rows);
  Result<int64_t> first_since(Wall since);

  // owned
  Statements statements_;
  // given
  EventBounds bounds_;
};

}  // namespace atrium::store
