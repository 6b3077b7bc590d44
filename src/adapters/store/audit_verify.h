// Whether the audit log is what the server wrote: the rows against their chain, and the chain against the checkpoints.
// Owner: apps/atriumctl.  Any thread; blocks on the disk.  Streams: one row at a time, whatever their number.
// docs/operations/audit.md says what this proves and what it cannot.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "adapters/store/audit_chain.h"
#include "adapters/store/sqlite.h"

namespace atrium::store {

enum class AuditFault : uint8_t {
  Altered,    // its MAC does not fit: it, its MAC or its place was changed, or it was put in
  Missing,    // it is not there, and later ones are
  Inserted,   // its number was there already, or is none that the server gives
  Replaced,   // the records from here to a checkpoint are not those that the checkpoint is about
  CutOff,     // it and all after it are gone, and a checkpoint knows of them
  Unguarded,  // no checkpoint covers it, and more come after it than a server leaves without one, or much later ones
};

// The first record that is not as it was written.
struct AuditFinding {
  AuditFault fault = AuditFault::Altered;
  int64_t sequence = 0;
  // Of Altered, where several records stand in one row: it is one of them up to this one; else sequence.
  int64_t until = 0;
  std::optional<Wall> at;  // as the record says; none: it is not there
  const char* detail = "";
  std::optional<AuditCheckpoint> against;  // of Replaced and CutOff: the checkpoint that shows it
};

struct AuditReport {
  std::optional<AuditFinding> finding;  // none: every record is as it was written
  int64_t records = 0;                  // whose MACs were right
  int64_t first_sequence = 0;           // 0: there is no record
  int64_t last_sequence = 0;            // of those looked at
  int64_t confirmed_sequence =
      0;  // the latest that a checkpoint confirms; what comes later may have been cut off
  int64_t bases_ahead =
      0;  // records that a base line says may go and are still there: a purge that was cut short
};

struct AuditEvidence {
  // Read after the transaction of `database` began: bases of all records that may be missing at the start.
  std::span<const AuditCheckpoint> checkpoints;
  // The newest sequence that a checkpoint named before the transaction began; 0: none did.  A newer one may speak of
  // records that the transaction does not see.
  int64_t at_least = 0;
};

// `database` is in a read transaction.  `on_progress` is called with the number of records looked at, now and then.
// Errors: those of the disk and of a damaged file; Unsupported: it has no audit log and no checkpoint tells of one.
Result<AuditReport> verify_audit(Database& database, const AuditKey& key,
                                 const AuditEvidence& evidence,
                                 const std::function<void(int64_t records)>& on_progress = {});

// The largest sequence of the checkpoints, 0 where there are none.
int64_t newest_sequence(std::span<const AuditCheckpoint> checkpoints);

}  // namespace atrium::store
