#include "adapters/store/vfs_fault.h"

#include <sqlite3.h>

#include <utility>

namespace atrium::store {

struct FaultVfs::State {
  // given
  Hook hook;
  // owned
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;  // SQLite's
  uint64_t steps = 0;
  bool has_crashed = false;

  VfsVerdict ask(VfsStep step);
};

VfsVerdict FaultVfs::State::ask(VfsStep step) {
  if (has_crashed) return VfsVerdict::Crash;
  step.number = ++steps;
  const VfsVerdict verdict = hook(step);
  has_crashed = verdict == VfsVerdict::Crash;
  return verdict;
}

namespace {

using State = FaultVfs::State;

// What SQLite takes for a file of ours; the default VFS's own lies behind it in the same block.
struct ShimFile {
  sqlite3_file head;
  State* state;
  const char*
      path;  // SQLite keeps it until the file is closed; null: a temporary file, whose fate is nobody's concern
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};
static_assert(sizeof(ShimFile) % 8 == 0);  // SQLite aligns files to 8

ShimFile& shim(sqlite3_file* file) {
  return *reinterpret_cast<ShimFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
  return shim(file).real();
}
const sqlite3_io_methods& methods(sqlite3_file* file) {
  return *real(file)->pMethods;
}
bool has_crashed(sqlite3_file* file) {
  return shim(file).state->has_crashed;
}

// SQLITE_OK with `must_do` false: Pretend.
struct Answer {
  int code = SQLITE_OK;
  bool must_do = true;
};
Answer ask(State& state, const VfsStep& step, int failure) {
  switch (state.ask(step)) {
    case VfsVerdict::Go:
      return {};
    case VfsVerdict::Pretend:
      return {SQLITE_OK, false};
    case VfsVerdict::Full:
      return {SQLITE_FULL, false};
    case VfsVerdict::Fail:
    case VfsVerdict::Crash:
      break;
  }
  return {failure, false};
}
Answer ask(sqlite3_file* file, VfsStep step, int failure) {
  const ShimFile& of = shim(file);
  if (of.path == nullptr) return {};
  step.path = of.path;
  return ask(*of.state, step, failure);
}

// --- a file --------------------------------------------------------------------------------------

int on_close(sqlite3_file* file) {
  return methods(file).xClose(real(file));
}
int on_read(sqlite3_file* file, void* to, int size, sqlite3_int64 offset) {
  if (has_crashed(file)) return SQLITE_IOERR_READ;
  return methods(file).xRead(real(file), to, size, offset);
}
int on_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
  const ByteView bytes(static_cast<const uint8_t*>(from), static_cast<size_t>(size));
  const Answer answer = ask(
      file, {.op = VfsOp::Write, .path = {}, .offset = offset, .bytes = bytes}, SQLITE_IOERR_WRITE);
  return answer.must_do ? methods(file).xWrite(real(file), from, size, offset) : answer.code;
}
int on_truncate(sqlite3_file* file, sqlite3_int64 size) {
  const Answer answer = ask(file, {.op = VfsOp::Truncate, .path = {}, .offset = size, .bytes = {}},
                            SQLITE_IOERR_TRUNCATE);
  return answer.must_do ? methods(file).xTruncate(real(file), size) : answer.code;
}
int on_sync(sqlite3_file* file, int flags) {
  const Answer answer =
      ask(file, {.op = VfsOp::Sync, .path = {}, .offset = 0, .bytes = {}}, SQLITE_IOERR_FSYNC);
  return answer.must_do ? methods(file).xSync(real(file), flags) : answer.code;
}
int on_file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (has_crashed(file)) return SQLITE_IOERR_FSTAT;
  return methods(file).xFileSize(real(file), size);
}
int on_lock(sqlite3_file* file, int level) {
  if (has_crashed(file)) return SQLITE_IOERR_LOCK;
  return methods(file).xLock(real(file), level);
}
// Unlocking goes through also after a crash: a dead process holds no locks.
int on_unlock(sqlite3_file* file, int level) {
  return methods(file).xUnlock(real(file), level);
}
int on_check_lock(sqlite3_file* file, int* out) {
  return methods(file).xCheckReservedLock(real(file), out);
}
int on_control(sqlite3_file* file, int op, void* argument) {
  return methods(file).xFileControl(real(file), op, argument);
}
int on_sector_size(sqlite3_file* file) {
  return methods(file).xSectorSize(real(file));
}
int on_characteristics(sqlite3_file* file) {
  return methods(file).xDeviceCharacteristics(real(file));
}
// The index of the write-ahead log is memory, not disk: it is made anew by the first who opens the store.
int on_shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (has_crashed(file)) return SQLITE_IOERR_SHMMAP;
  return methods(file).xShmMap(real(file), page, size, extend, out);
}
int on_shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return methods(file).xShmLock(real(file), offset, count, flags);
}
void on_shm_barrier(sqlite3_file* file) {
  methods(file).xShmBarrier(real(file));
}
int on_shm_unmap(sqlite3_file* file, int is_delete) {
  return methods(file).xShmUnmap(real(file), is_delete);
}

constexpr sqlite3_io_methods kMethods{2,
                                      on_close,
                                      on_read,
                                      on_write,
                                      on_truncate,
                                      on_sync,
                                      on_file_size,
                                      on_lock,
                                      on_unlock,
                                      on_check_lock,
                                      on_control,
                                      on_sector_size,
                                      on_characteristics,
                                      on_shm_map,
                                      on_shm_lock,
                                      on_shm_barrier,
                                      on_shm_unmap,
                                      nullptr,
                                      nullptr};

// --- the file system -----------------------------------------------------------------------------

State& state_of(sqlite3_vfs* vfs) {
  return *static_cast<State*>(vfs->pAppData);
}

int on_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  State& state = state_of(vfs);
  ShimFile& opened = shim(file);
  opened.head.pMethods = nullptr;  // not to be closed, should this fail
  if (state.has_crashed) return SQLITE_IOERR;
  opened.state = &state;
  constexpr int kKept = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  opened.path = (flags & kKept) != 0 ? path : nullptr;
  const int code = state.real->xOpen(state.real, path, opened.real(), flags, out_flags);
  if (opened.real()->pMethods != nullptr) opened.head.pMethods = &kMethods;
  return code;
}
int on_delete(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  State& state = state_of(vfs);
  const Answer answer = ask(state, {.op = VfsOp::Delete, .path = path, .offset = 0, .bytes = {}},
                            SQLITE_IOERR_DELETE);
  if (answer.code != SQLITE_OK) return answer.code;
  return state.real->xDelete(state.real, path, answer.must_do ? sync_directory : 0);
}
int on_access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
  State& state = state_of(vfs);
  if (state.has_crashed) return SQLITE_IOERR_ACCESS;
  return state.real->xAccess(state.real, path, flags, out);
}
int on_full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  sqlite3_vfs* beneath = state_of(vfs).real;
  return beneath->xFullPathname(beneath, path, size, out);
}

}  // namespace

Result<std::unique_ptr<FaultVfs>> FaultVfs::create(Hook hook) {
  sqlite3_initialize();
  sqlite3_vfs* beneath = sqlite3_vfs_find(nullptr);
  if (beneath == nullptr) return fail(ErrorKind::Internal, "SQLite has no default VFS");
  auto state = std::make_unique<State>();
  state->hook = std::move(hook);
  state->real = beneath;
  // The address is what no other living one has.
  state->name = "atrium-fault-" + std::to_string(reinterpret_cast<uintptr_t>(state.get()));
  // Clock, sleep and random numbers are the default's, whose functions do not look at the VFS that they are given.
  state->vfs = *beneath;
  state->vfs.iVersion = 2;
  state->vfs.szOsFile = static_cast<int>(sizeof(ShimFile)) + beneath->szOsFile;
  state->vfs.pNext = nullptr;
  state->vfs.zName = state->name.c_str();
  state->vfs.pAppData = state.get();
  state->vfs.xOpen = on_open;
  state->vfs.xDelete = on_delete;
  state->vfs.xAccess = on_access;
  state->vfs.xFullPathname = on_full_path;
  if (sqlite3_vfs_register(&state->vfs, 0) != SQLITE_OK)
    return fail(ErrorKind::Internal, "SQLite does not take the VFS");
  return std::unique_ptr<FaultVfs>(new FaultVfs(std::move(state)));
}

FaultVfs::FaultVfs(std::unique_ptr<State> state) : state_(std::move(state)) {}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
}

const std::string& FaultVfs::name() const {
  return state_->name;
}
uint64_t FaultVfs::steps() const {
  return state_->steps;
}
bool FaultVfs::has_crashed() const {
  return state_->has_crashed;
}

}  // namespace atrium::store
