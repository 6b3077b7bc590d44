// The tables and how older files come to have them.
#pragma once

#include "adapters/store/sqlite.h"

namespace atrium::store {

inline constexpr int64_t kSchemaVersion = 7;

// What wrote the file; 0: it is empty.  Unsupported: it is the database of another program, or none at all.
Result<int64_t> version_of(Database& database);

// Brings the file at `path` to kSchemaVersion, each step in a transaction of its own.  A file of an older version is
// copied to "<path>.v<version>" before; a copy that is there already stays.  Unsupported: a newer version wrote it, or
// it is the database of another program.
Result<void> migrate(Database& database, const std::string& path);

}  // namespace atrium::store
