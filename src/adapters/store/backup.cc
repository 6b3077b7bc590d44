#include "adapters/store/backup.h"

#include "adapters/store/schema.h"
#include "base/limits.h"

namespace atrium::store {
namespace {

constexpr size_t kProblemsMax = 20;  // more of the same helps nobody

Result<void> leave_wal(Database& database) {
  Statement journal = TRY(Statement::prepare(database, "PRAGMA journal_mode = DELETE"));
  if (!TRY(journal.start().step()) || journal.text() != "delete")
    return fail(ErrorKind::Unavailable, "another process holds the store");
  TRY(journal.step());
  return {};
}

void add(Inspection& out, std::string problem) {
  if (out.problems.size() < kProblemsMax) out.problems.push_back(std::move(problem));
}

// integrity_check says "ok" or names what is wrong.
Result<void> check_pages(Database& database, Inspection& out) {
  const std::string sql = "PRAGMA integrity_check(" + std::to_string(kProblemsMax) + ")";
  Statement check = TRY(Statement::prepare(database, sql.c_str()));
  check.start();
  while (TRY(check.step()))
    if (std::string line = check.text(); line != "ok") add(out, std::move(line));
  return {};
}

Result<void> check_references(Database& database, Inspection& out) {
  Statement check = TRY(Statement::prepare(database, "PRAGMA foreign_key_check"));
  check.start();
  while (out.problems.size() < kProblemsMax && TRY(check.step())) {
    const std::string child = check.text();
    static_cast<void>(check.number());  // the row's number: none in our tables
    add(out, "a row of " + child + " belongs to a row of " + check.text() + " that is not there");
  }
  return {};
}

Result<void> count_rows(Database& database, Inspection& out) {
  Statement names = TRY(Statement::prepare(
      database,
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
      "AND name <> 'schema_version' ORDER BY name"));
  names.start();
  while (TRY(names.step())) {
    const std::string table = names.text();
    std::string quoted;
    for (const char c : table) quoted.append(c == '"' ? 2 : 1, c);
    const std::string sql = "SELECT count(*) FROM \"" + quoted + "\"";
    Statement count = TRY(Statement::prepare(database, sql.c_str()));
    if (TRY(count.start().step())) out.tables.push_back({table, count.number()});
  }
  return {};
}

// `what` of the file could not be read to its end.
Inspection& fail_with(Inspection& out, const Error& error) {
  out.verdict = error.kind == ErrorKind::Malformed     ? Verdict::Damaged
                : error.kind == ErrorKind::Unsupported ? Verdict::Foreign
                                                       : Verdict::Unreadable;
  add(out, error.what);
  return out;
}

Result<void> look_through(Database& database, Inspection& out) {
  TRY(database.run("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON"));
  out.schema_version = TRY(version_of(database));
  if (out.schema_version <= 0) return fail(ErrorKind::Unsupported, "the file is an empty database");
  if (out.schema_version > kSchemaVersion) {
    out.verdict = Verdict::Newer;
    add(out, "the store was written by a newer version of this program");
    return {};
  }
  TRY(check_pages(database, out));
  TRY(check_references(database, out));
  TRY(count_rows(database, out));
  if (!out.problems.empty()) out.verdict = Verdict::Damaged;
  return {};
}

}  // namespace

Result<void> copy_store(const std::string& from, Source source, const std::string& to,
                        const std::function<void(CopyProgress)>& on_step) {
  Database reader = TRY(Database::open_to_read(from, source));
  // The transaction's first read fixes what is copied: commits of others neither show in it nor begin it anew.
  TRY(reader.run("BEGIN; SELECT count(*) FROM sqlite_schema"));
  Database copy = TRY(Database::open(to));
  TRY(copy.run("PRAGMA synchronous = OFF"));  // a copy that is cut short is thrown away
  {
    Backup backup = TRY(Backup::start(reader, copy));
    bool is_more = true;
    while (is_more) {
      is_more = TRY(backup.step(static_cast<int>(limits::kBackupPagesPerStep)));
      if (on_step) on_step({backup.pages_left(), backup.pages_total()});
    }
  }
  return leave_wal(copy);
}

Inspection inspect_store(const std::string& path, Source source) {
  Inspection out;
  auto database = Database::open_to_read(path, source);
  if (!database) return fail_with(out, database.error());
  if (const auto looked = look_through(*database, out); !looked) {
    const bool was_damaged = !out.problems.empty();
    fail_with(out, looked.error());
    if (was_damaged) out.verdict = Verdict::Damaged;
  }
  return out;
}

Result<void> fold_log(const std::string& path) {
  Database database = TRY(Database::open(path));
  TRY(version_of(database));  // SQLite looks at the log with the first read
  return leave_wal(database);
}

}  // namespace atrium::store
