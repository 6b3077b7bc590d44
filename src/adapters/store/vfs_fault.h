// FaultVfs: a SQLite VFS over the default one that numbers whatever changes a file, asks a hook before each such step,
// and refuses what the hook says.  Not in the way of a daemon unless it was asked for: tests and atriumd --dev --fault.
// Owner: whoever plants the fault; outlives the stores that were opened through it.  Thread: the store's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace atrium::store {

enum class VfsOp : uint8_t { Write, Truncate, Delete, Sync };

// One step that is about to be done; steps are numbered from 1.
struct VfsStep {
  uint64_t number = 0;
  VfsOp op = VfsOp::Write;
  std::string_view path;
  int64_t offset = 0;  // of a Write; the new size of a Truncate
  ByteView bytes;      // of a Write
};

enum class VfsVerdict : uint8_t {
  Go,
  Pretend,  // reported as done and not done (a Delete: not flushed): spares a model of a disk the real flushes
  Fail,  // an I/O error; of a Sync SQLITE_IOERR_FSYNC
  Full,  // SQLITE_FULL
  Crash  // this step and all that come after fail, nothing more reaches a file
};

class FaultVfs {
 public:
  using Hook = std::function<VfsVerdict(const VfsStep&)>;

  static Result<std::unique_ptr<FaultVfs>> create(Hook hook);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  const std::string& name() const;  // for StoreOptions::vfs
  uint64_t steps() const;           // asked about so far
  bool has_crashed() const;

  struct State;  // vfs_fault.cc's own

 private:
  explicit FaultVfs(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::store
