// Deliveries: what waits for each webhook, room by room in the order of cursors, and the dead letters that wait no more
// (schema.cc).  Owner: Store, within whose transactions it writes.  Thread: store.
// Does not: decide when to try again or when an event is given up for its failures, begin or commit transactions, read
// a clock.
//
// Cost of next(): one step down an index for each room that it looks at, however much waits in the rooms; it looks at
// no more rooms than it yields and those whose first event is held.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adapters/store/sqlite.h"
#include "base/limits.h"
#include "base/time.h"
#include "domain/webhook.h"

namespace atrium::store {

struct DeliveriesPurged {
  uint32_t too_old = 0;       // deliveries that became dead letters
  uint32_t dead_letters = 0;  // that were removed for their age
  uint32_t dropped = 0;       // rows of webhooks that are gone
};

class Deliveries {
 public:
  // keep: a delivery waits so long after its event, and a dead letter is kept so long after it died.
  static Result<Deliveries> create(Database& database,
                                   Duration keep = std::chrono::days(limits::kEventKeepDays));

  Result<void> add(const WebhookId& webhook, const domain::Event& event, int64_t cursor);
  // A webhook that was put into its table: its backlog is counted from now on.
  Result<void> begin(const WebhookId& webhook);
  // Nothing waits for it any more; its rows are removed by purge().
  Result<void> drop(const WebhookId& webhook);
  Result<void> note(Database& database, const domain::DeliveryOutcome& outcome);
  // Of one event, or where it is empty of the oldest, at most kDeadLettersPageMax.
  Result<void> redrive(const WebhookId& webhook, const EventId& event);
  Result<DeliveriesPurged> purge(Database& database, Wall now, int64_t rows);

  // See Store.
  Result<std::vector<domain::DeliveryRun>> next(const WebhookId& webhook, const AppId& after_app,
                                                const RoomId& after_room);
  Result<std::vector<domain::DeadLetter>> list_dead(const WebhookId& webhook, int64_t after_cursor,
                                                    size_t limit);
  Result<std::vector<domain::WebhookBacklog>> backlogs();

 private:
  struct Statements {
    Statement add, begin, forget_backlog, mark_dropped, remove, fail, die, keep_event, let_event_go;
    Statement redrive_some, redrive_one, forget_some, forget_one;
    Statement next_room, run, dead, backlogs;
    Statement expired, old_dead, remove_dead, dropped, rows_of_dropped, forget_dropped;
  };
  struct Place {
    WebhookId webhook;
    AppId app;
    RoomId room;
    int64_t cursor = 0;
  };
  Deliveries(Statements statements, Duration keep)
      : statements_(std::move(statements)), keep_(keep) {}
  Result<uint32_t> remove(Database& database, const Place& place);
  Result<void> bury(Database& database, const Place& place, uint32_t attempts, std::string_view why,
                    Wall at);
  Result<std::vector<domain::Delivery>> run_of(const Place& room);
  Result<uint32_t> bury_expired(Database& database, Wall now, int64_t rows);
  Result<uint32_t> remove_old_dead(Wall now, int64_t rows);
  Result<uint32_t> remove_dropped(Database& database, int64_t rows);
  Result<void> remove_dead(const WebhookId& webhook, int64_t cursor);

  // owned
  Statements statements_;
  // given
  Duration keep_;
};

}  // namespace atrium::store
