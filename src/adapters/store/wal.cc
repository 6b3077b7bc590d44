#include "adapters/store/wal.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <vector>

namespace atrium::store {
namespace {

constexpr uint32_t kCheckpointFrames = 1'000;  // what SQLite's automatic checkpoint waits for
constexpr int64_t kCopyBytes = 65'536;

// https://sqlite.org/fileformat2.html#walformat: magic, version, page size, checkpoint's number, salt (8 bytes),
// checksum; then frames of a header and one page each.  Numbers are big-endian.
constexpr int64_t kHeaderBytes = 32, kFrameHeaderBytes = 24;
using Header = std::array<uint8_t, kHeaderBytes>;

uint64_t big_endian(const uint8_t* from, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}
uint64_t salt_of(const Header& header) {
  return big_endian(header.data() + 16, 8);
}
int64_t page_bytes_of(const Header& header) {
  return static_cast<int64_t>(big_endian(header.data() + 8, 4));
}

int on_commit(void* mark, sqlite3* handle, const char* schema, int frames) {
  auto& out = *static_cast<std::optional<WalMark>*>(mark);
  out.reset();
  sqlite3_file* log = nullptr;
  Header header{};
  if (sqlite3_file_control(handle, schema, SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
      log != nullptr && log->pMethods != nullptr &&
      log->pMethods->xRead(log, header.data(), kHeaderBytes, 0) == SQLITE_OK)
    out = WalMark{salt_of(header), static_cast<uint32_t>(frames)};
  return SQLITE_OK;
}

// The log's file, opened beside SQLite's own pager.
class LogFile {
 public:
  LogFile(sqlite3_vfs* vfs, const std::string& path) : vfs_(vfs) {
    names_ = sqlite3_create_filename(path.c_str(), (path + "-journal").c_str(),
                                     (path + "-wal").c_str(), 0, nullptr);
    file_.resize(static_cast<size_t>(vfs->szOsFile) / sizeof(std::max_align_t) + 1);
  }
  ~LogFile() {
    if (is_open_) methods().xClose(get());
    sqlite3_free_filename(names_);
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  // False: there is none.
  Result<bool> open() {
    if (names_ == nullptr) return fail(ErrorKind::Unavailable, "no memory for the store");
    const char* name = sqlite3_filename_wal(names_);
    int exists = 0;
    TRY(result_of(vfs_->xAccess(vfs_, name, SQLITE_ACCESS_EXISTS, &exists)));
    if (exists == 0) return false;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL;
    const int code = vfs_->xOpen(vfs_, name, get(), flags, nullptr);
    is_open_ = get()->pMethods != nullptr;
    TRY(result_of(code));
    return true;
  }
  Result<int64_t> size() {
    sqlite3_int64 bytes = 0;
    TRY(result_of(methods().xFileSize(get(), &bytes)));
    return bytes;
  }
  Result<void> read(void* to, int64_t bytes, int64_t offset) {
    return result_of(methods().xRead(get(), to, static_cast<int>(bytes), offset));
  }
  Result<void> write(const void* from, int64_t bytes, int64_t offset) {
    return result_of(methods().xWrite(get(), from, static_cast<int>(bytes), offset));
  }
  Result<void> truncate(int64_t bytes) { return result_of(methods().xTruncate(get(), bytes)); }
  Result<void> sync() { return result_of(methods().xSync(get(), SQLITE_SYNC_NORMAL)); }

 private:
  sqlite3_file* get() { return reinterpret_cast<sqlite3_file*>(file_.data()); }
  const sqlite3_io_methods& methods() { return *get()->pMethods; }

  sqlite3_vfs* vfs_;
  const char* names_ = nullptr;
  std::vector<std::max_align_t> file_;
  bool is_open_ = false;
};

// How much of the log holds what was confirmed.
int64_t confirmed_bytes(const Header& header, const WalMark& mark) {
  // Begun anew since the last confirmed commit, which SQLite does only once the database has it all.
  if (salt_of(header) != mark.salt) return 0;
  return kHeaderBytes + int64_t{mark.frames} * (kFrameHeaderBytes + page_bytes_of(header));
}

}  // namespace

WalKeeper WalKeeper::watch(Database& database) {
  WalKeeper keeper;
  keeper.mark_ = std::make_unique<std::optional<WalMark>>();
  sqlite3_wal_hook(database.handle(), on_commit, keeper.mark_.get());
  return keeper;
}

Result<void> WalKeeper::checkpoint_if_due(Database& database) {
  if (!*mark_ || (*mark_)->frames < kCheckpointFrames) return {};
  return result_of(sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr));
}

Result<void> WalKeeper::empty(Database& database) {
  mark_->reset();
  TRY(result_of(sqlite3_wal_checkpoint_v2(database.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                          nullptr, nullptr)));
  *mark_ = WalMark{};
  return {};
}

Result<void> mend_wal(const std::string& path, const std::string& vfs,
                      const std::optional<WalMark>& mark) {
  sqlite3_vfs* through = sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (through == nullptr) return fail(ErrorKind::Internal, "no such VFS");
  LogFile log(through, path);
  if (!TRY(log.open())) return {};
  int64_t size = TRY(log.size());
  Header header{};
  if (size >= kHeaderBytes) TRY(log.read(header.data(), kHeaderBytes, 0));
  if (const int64_t confirmed = mark ? confirmed_bytes(header, *mark) : size; confirmed < size) {
    size = confirmed;
    TRY(log.truncate(size));
  }
  std::vector<uint8_t> bytes(kCopyBytes);
  for (int64_t offset = 0; offset < size; offset += kCopyBytes) {
    const int64_t count = std::min(kCopyBytes, size - offset);
    TRY(log.read(bytes.data(), count, offset));
    TRY(log.write(bytes.data(), count, offset));
  }
  return log.sync();
}

void forbid_checkpoint_on_close(Database& database) {
  sqlite3_db_config(database.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace atrium::store
