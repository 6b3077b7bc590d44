#include "adapters/store/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "base/limits.h"

namespace atrium::store {
namespace {

// Compared by address.
constexpr char kDiskFull[] = "the disk is full";
constexpr char kSyncFailed[] = "the disk did not confirm a write";

std::unexpected<Error> failure_of(int code) {
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
    return fail(ErrorKind::Unavailable, kSyncFailed);
  // The log's index is a file beside it, and grows in it.
  if (code == SQLITE_IOERR_SHMSIZE) return fail(ErrorKind::Unavailable, kDiskFull);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return fail(ErrorKind::Unavailable, kDiskFull);
    case SQLITE_IOERR:
      return fail(ErrorKind::Unavailable, "the disk reported an error");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(ErrorKind::Unavailable, "another process holds the store");
    case SQLITE_CORRUPT:
      return fail(ErrorKind::Malformed, "the store's file is damaged");
    case SQLITE_NOTADB:
      return fail(ErrorKind::Unsupported, "the store's file is not a database");
    case SQLITE_CANTOPEN:
      return fail(ErrorKind::Unavailable, "the store's file cannot be opened");
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return fail(ErrorKind::Unavailable, "the store's file cannot be written");
    case SQLITE_NOMEM:
      return fail(ErrorKind::Unavailable, "no memory for the store");
    case SQLITE_TOOBIG:
      return fail(ErrorKind::LimitExceeded, "a value is too large for the store");
    case SQLITE_CONSTRAINT:
      return fail(ErrorKind::Conflict, "a row breaks a rule of the store");
    default:
      return fail(ErrorKind::Internal, "the store's statement failed");
  }
}

// SQLite's form of a file name with options.
std::string uri_of(const std::string& path, const char* options) {
  std::string out = path.starts_with('/') ? "file://" : "file:";
  for (const char c : path) {
    if (c == '%')
      out += "%25";
    else if (c == '?')
      out += "%3f";
    else if (c == '#')
      out += "%23";
    else
      out += c;
  }
  return out + options;
}

}  // namespace

bool is_disk_full(const Error& error) {
  return error.what == kDiskFull;
}
bool is_sync_failure(const Error& error) {
  return error.what == kSyncFailed;
}

Result<void> result_of(int code) {
  if (code != SQLITE_OK) return failure_of(code);
  return {};
}

// --- Database ------------------------------------------------------------------------------------

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

// What a statement that changes several rows must be able to undo stays in memory; SQLite would take a file from 64
// KiB on.  For the whole process, before its first database is opened.
void keep_statement_journals_in_memory() {
  [[maybe_unused]] static const int configured = sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1);
}

Result<Database> Database::open(const std::string& path, const std::string& vfs) {
  keep_statement_journals_in_memory();
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code =
      sqlite3_open_v2(path.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str());
  Database database(handle);  // also on failure there is a handle to close
  if (code != SQLITE_OK) return failure_of(code);
  sqlite3_busy_timeout(handle, static_cast<int>(limits::kStoreBusyMs));
  return database;
}

Result<Database> Database::open_to_read(const std::string& path, Source source) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const std::string uri = uri_of(path, source == Source::Still ? "?immutable=1" : "?mode=ro");
  const int code = sqlite3_open_v2(uri.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (code != SQLITE_OK) return failure_of(code);
  sqlite3_busy_timeout(handle, static_cast<int>(limits::kStoreBusyMs));
  return database;
}

Result<void> Database::run(const char* sql) {
  return result_of(sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr));
}

bool Database::is_in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

int64_t Database::last_row_id() const {
  return sqlite3_last_insert_rowid(handle());
}

uint32_t Database::rows_changed() const {
  return static_cast<uint32_t>(sqlite3_changes(handle()));
}

// --- Statement -----------------------------------------------------------------------------------

void Statement::Finalize::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

Result<Statement> Statement::prepare(Database& database, const char* sql) {
  sqlite3_stmt* handle = nullptr;
  const int code =
      sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return failure_of(code);
  return Statement(handle);
}

Statement& Statement::start() {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
  parameter_ = 0;
  failure_ = SQLITE_OK;
  return *this;
}

Statement& Statement::note(int code) {
  if (failure_ == SQLITE_OK) failure_ = code;
  return *this;
}

Statement& Statement::put(int64_t value) {
  return note(sqlite3_bind_int64(handle_.get(), ++parameter_, value));
}

Statement& Statement::put(std::string_view text) {
  const char* data = text.data() == nullptr ? "" : text.data();  // a null pointer would store NULL
  return note(sqlite3_bind_text64(handle_.get(), ++parameter_, data, text.size(), SQLITE_STATIC,
                                  SQLITE_UTF8));
}

Statement& Statement::put(ByteView bytes) {
  return note(
      sqlite3_bind_blob64(handle_.get(), ++parameter_, bytes.data(), bytes.size(), SQLITE_STATIC));
}

Statement& Statement::put_null() {
  return note(sqlite3_bind_null(handle_.get(), ++parameter_));
}

Result<bool> Statement::step() {
  column_ = 0;
  if (failure_ != SQLITE_OK) return failure_of(failure_);
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(handle_.get());  // an open statement would keep its transaction from ending
  if (code == SQLITE_DONE) return false;
  return failure_of(code);
}

Result<void> Statement::finish() {
  TRY(step());
  sqlite3_reset(handle_.get());
  return {};
}

bool Statement::is_null() const {
  return sqlite3_column_type(handle_.get(), column_) == SQLITE_NULL;
}

std::nullopt_t Statement::skip_column() {
  ++column_;
  return std::nullopt;
}

int64_t Statement::number() {
  return sqlite3_column_int64(handle_.get(), column_++);
}

std::string Statement::text() {
  return std::string(as_text(bytes()));
}

ByteView Statement::bytes() {
  const auto* data = static_cast<const uint8_t*>(sqlite3_column_blob(handle_.get(), column_));
  const auto size = static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column_));
  ++column_;
  return data == nullptr ? ByteView() : ByteView(data, size);
}

// --- Transaction ---------------------------------------------------------------------------------

Result<Transaction> Transaction::begin(Database& database) {
  TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(database);
}

Transaction::~Transaction() {
  // The result changes nothing: SQLite may have undone it already.
  if (database_ != nullptr && database_->is_in_transaction())
    static_cast<void>(database_->run("ROLLBACK"));
}

Result<void> Transaction::commit() {
  TRY(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

// --- Backup --------------------------------------------------------------------------------------

void Backup::Finish::operator()(sqlite3_backup* handle) const {
  sqlite3_backup_finish(handle);
}

Result<Backup> Backup::start(Database& from, Database& to) {
  sqlite3_backup* handle = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  if (handle == nullptr) return failure_of(sqlite3_extended_errcode(to.handle()));
  return Backup(handle);
}

Result<bool> Backup::step(int pages) {
  const int code = sqlite3_backup_step(handle_.get(), pages);
  if (code == SQLITE_OK) return true;
  if (code == SQLITE_DONE) return false;
  return failure_of(code);
}

int64_t Backup::pages_left() const {
  return sqlite3_backup_remaining(handle_.get());
}

int64_t Backup::pages_total() const {
  return sqlite3_backup_pagecount(handle_.get());
}

}  // namespace atrium::store
