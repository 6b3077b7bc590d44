// Care of a store's file: copied while a daemon writes to it, looked over, made one file again.
// Owner: apps/atriumctl.  Any thread; every call blocks on the disk.  Does not: replace, rename or lock files.
// A copy holds what the store holds.  The key that seals AppKeys lies outside the store, so no copy has it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "adapters/store/sqlite.h"
#include "base/result.h"

namespace atrium::store {

struct CopyProgress {
  int64_t pages_left = 0, pages_total = 0;
};

// Copies the database at `from` as it is at this moment to `to`, which is missing or empty; commits go on meanwhile.
// Afterwards `to` is one file, whole without a log beside it, and not yet synced.
Result<void> copy_store(const std::string& from, Source source, const std::string& to,
                        const std::function<void(CopyProgress)>& on_step);

enum class Verdict : uint8_t {
  Good,
  Damaged,
  Foreign,     // not a store
  Newer,       // a newer version of this program wrote it
  Unreadable,  // the disk or another process refused
};

struct TableRows {
  std::string table;
  int64_t rows = 0;
};

struct Inspection {
  Verdict verdict = Verdict::Good;
  int64_t schema_version = 0;
  std::vector<TableRows> tables = {};      // by name
  std::vector<std::string> problems = {};  // for people; bounded
};

// Reads the whole file.
Inspection inspect_store(const std::string& path, Source source);

// Moves what the write-ahead log of `path` holds into the file itself and takes the log away.  Nobody has it open.
Result<void> fold_log(const std::string& path);

}  // namespace atrium::store
