// Thin owners of SQLite's handles: Database, Statement, Transaction, Backup.  SQLite itself is included by sqlite.cc,
// wal.cc and vfs_fault.cc alone.  Errors are Unavailable (the disk or another process refused) with a literal that says
// which; Malformed: the file is damaged.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_backup;
struct sqlite3_stmt;

namespace atrium::store {

// Two failures ask for more than to be reported: they can be told from all others.
bool is_disk_full(const Error& error);
bool is_sync_failure(
    const Error& error);  // what was written before may be lost, whatever SQLite remembers of it
Result<void> result_of(int code);  // of a call of SQLite's

// How a file that is only read came to be there.
enum class Source : uint8_t {
  Live,   // a daemon may be writing: its write-ahead log is read too, and nobody is kept waiting
  Still,  // nobody has it open: nothing beside it is read or made
};

class Database {
 public:
  // vfs: the name of the VFS to go through; empty: SQLite's own.
  static Result<Database> open(const std::string& path, const std::string& vfs = {});
  static Result<Database> open_to_read(const std::string& path, Source source);
  // One or more statements whose rows nobody wants.
  Result<void> run(const char* sql);
  // False after an error for which SQLite itself undid the transaction (full disk, I/O).
  bool is_in_transaction() const;
  uint32_t rows_changed() const;  // by the latest statement
  int64_t last_row_id() const;    // of the latest row inserted, into a table that has such numbers
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement, used as: start, put in the order of its parameters, step until false, get in the order of
// its columns. Texts and bytes put must live until the last step.
class Statement {
 public:
  static Result<Statement> prepare(Database& database, const char* sql);

  Statement& start();
  Statement& put(int64_t value);
  Statement& put(std::string_view text);
  Statement& put(ByteView bytes);
  Statement& put_null();
  template <typename T>
  Statement& put(const std::optional<T>& value) {
    return value ? put(static_cast<int64_t>(*value)) : put_null();
  }
  Statement& put_text(const std::optional<std::string_view>& text) {
    return text ? put(*text) : put_null();
  }
  Statement& put_bytes(const std::optional<ByteView>& bytes) {
    return bytes ? put(*bytes) : put_null();
  }
  Result<bool> step();  // true: a row is there
  // For statements without rows: one step, then ready to start again.
  Result<void> finish();

  int64_t number();
  std::string text();
  ByteView bytes();  // until the next step
  template <typename T>
  std::optional<T> optional_number() {
    if (is_null()) return skip_column();
    return static_cast<T>(number());
  }
  std::optional<std::string> optional_text() {
    if (is_null()) return skip_column();
    return text();
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  bool is_null() const;
  std::nullopt_t skip_column();
  Statement& note(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int parameter_ = 0;
  int column_ = 0;
  int failure_ = 0;  // the first put that failed
};

// Undone when it goes out of scope without commit().
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

// A copy of a whole database, a few pages at a time.  `from` must be in a read transaction, or each commit of another
// process begins the copy anew.  Both databases outlive it.
class Backup {
 public:
  static Result<Backup> start(Database& from, Database& to);
  Result<bool> step(int pages);  // false: all is copied
  int64_t pages_left() const;
  int64_t pages_total() const;  // both known after the first step

 private:
  struct Finish {
    void operator()(sqlite3_backup* handle) const;
  };
  explicit Backup(sqlite3_backup* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3_backup, Finish> handle_;
};

}  // namespace atrium::store
