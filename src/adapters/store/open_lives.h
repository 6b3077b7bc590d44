// OpenLives: which lives and visits the events of the store have begun and not ended (schema.cc), so that the next
// process can end them.  Owner: Store, within whose transactions it writes.  Thread: store.
#pragma once

#include <vector>

#include "adapters/store/sqlite.h"
#include "base/time.h"
#include "domain/event.h"

namespace atrium::store {

class OpenLives {
 public:
  static Result<OpenLives> create(Database& database);

  // Of each event that is written, once.
  Result<void> note(const domain::Event& event);
  // The events that end all that is open: of each life first its visits, in the order in which they began, then itself.
  // No event is earlier than what it ends.  Their ids are made from those of what they end: always the same.
  Result<std::vector<domain::Event>> endings(Wall end, const domain::Reason& reason);

 private:
  struct Statements {
    Statement start_life, end_life, end_visits_of_life, start_visit, end_visit, lives, visits;
  };
  explicit OpenLives(Statements statements) : statements_(std::move(statements)) {}
  Result<std::vector<domain::Event>> open_visits();

  // owned
  Statements statements_;
};

}  // namespace atrium::store
