// The tables and how older files come to have them.
#pragma once

#include "adapters/store/sqlite.h"

namespace atrium::store {

inline constexpr int64_t kSchemaVersion = 1;

// Brings the file to kSchemaVersion, each step in a transaction of its own.  Unsupported: a newer version wrote
// it, or it is the database of another program.
Result<void> migrate(Database& database);

}  // namespace atrium::store
