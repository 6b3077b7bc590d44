// History: the tables of lives and visits (schema.cc): facts in, pages out, and what becomes of old rows.
// Owner: Store, within whose transactions it writes.  Thread: store.
// Does not: begin or commit transactions, read a clock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/store/sqlite.h"
#include "base/limits.h"
#include "base/time.h"
#include "domain/event.h"
#include "domain/history.h"

namespace atrium::store {

// What is purged; a test gives smaller numbers.
struct HistoryBounds {
  Duration keep = std::chrono::days(limits::kHistoryKeepDays);
  int64_t lives_max = limits::kHistoryLivesMax, visits_max = limits::kHistoryVisitsMax;
};
struct HistoryPurged {
  uint32_t lives = 0, visits = 0;
};

class History {
 public:
  static Result<History> create(Database& database, HistoryBounds bounds);

  // When anything was last written of; none: never.
  Result<std::optional<Wall>> latest();
  // Those that a former process left open have ended with it.
  Result<void> close_interrupted(Wall end, const domain::Reason& reason);
  // In the order in which they happened.  Facts about a life or a visit that is not known change nothing.
  Result<void> write(Database& database, std::span<const domain::Event> facts);
  // At most `rows` of each kind, oldest end first, and none that is open.
  Result<HistoryPurged> purge(Database& database, Wall now, int64_t rows);
  // What was written in this transaction may have been undone.
  void forget_counts() { lives_count_ = visits_count_ = std::nullopt; }

  Result<domain::LivesPage> list_lives(const domain::HistoryQuery& query);
  Result<domain::VisitorsPage> list_visitors(const domain::HistoryQuery& query, Wall now);

 private:
  // One of the two tables, as far as purging goes.
  struct Table {
    Statement count, purge, trim;
  };
  struct Questions {
    Statement count, page;
  };
  struct Statements {
    Statement latest, close_lives, close_visits;
    Statement start_life, end_life, end_visits_of_life, start_visit, end_visit, published;
    Table lives, visits;
    Questions lives_of_app, lives_of_room, visitors_of_app, visitors_of_room;
    Statement visits_of_user, sum_of_user;
  };
  History(Statements statements, HistoryBounds bounds)
      : statements_(std::move(statements)), bounds_(bounds) {}
  static Result<Table> prepare_table(Database& database, const char* count, const char* purge,
                                     const char* trim);
  static Result<Questions> prepare_questions(Database& database, const char* count,
                                             const char* page);

  Result<void> write_fact(Database& database, const domain::Event& fact);
  static Result<void> end_rows(Statement& statement, const domain::Event& fact,
                               std::string_view key);
  Result<void> start_visit(Database& database, const domain::Event& fact);
  Result<uint32_t> purge_table(Database& database, Table& table, std::optional<int64_t>& count,
                               int64_t rows_max, int64_t oldest_kept_us, int64_t rows);
  Result<void> add_visits(domain::VisitorEntry& visitor, Wall now);

  // owned
  Statements statements_;
  // given
  HistoryBounds bounds_;
  // derived: counted when first needed, then kept, since counting millions of rows takes as long as hundreds of writes
  std::optional<int64_t> lives_count_, visits_count_;
};

}  // namespace atrium::store
