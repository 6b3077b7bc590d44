// The chain of the audit: what a record's MAC covers, and the checkpoints that are kept outside the store.
// Pure: values in, values out.  docs/decisions/audit-chain.md says why it is as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/time.h"

namespace atrium::store {

using AuditKey = std::array<uint8_t, 32>;

// A row of the table, but for its MAC.
struct AuditRow {
  int64_t sequence = 0;
  int64_t at_us = 0;  // microseconds since 1970
  std::string_view account, app, action, operation, body;
};

// What the first record of all is chained to.
Sha256 audit_genesis(const AuditKey& key);
// HMAC-SHA256 over a label, `before` and every column of the row, each text with its length before it.
Sha256 audit_mac(const HmacSha256& key, const Sha256& before, const AuditRow& row);

// Says, under the key, that the record of this sequence had this MAC.
struct AuditCheckpoint {
  enum class Kind : uint8_t {
    Head,  // it was the latest and lay on the disk
    Base,  // it and all before it were about to be removed for their age or number
  };
  Kind kind = Kind::Head;
  int64_t sequence = 0;
  Sha256 mac{};
  Wall at{};  // when it was made
  friend bool operator==(const AuditCheckpoint&, const AuditCheckpoint&) = default;
};

// One line without its end: "audit1 head 1000 1767323045678 <mac> <MAC of all before it>": sequence, milliseconds since
// 1970, both MACs in hex.  Each line stands for itself: files may be joined, sorted and filtered by line.
std::string checkpoint_line(const AuditKey& key, const AuditCheckpoint& checkpoint);
// None: it is not a line of ours, or not made with this key.
std::optional<AuditCheckpoint> read_checkpoint_line(const AuditKey& key, std::string_view line);

struct AuditCheckpoints {
  std::vector<AuditCheckpoint> found;  // in the order of the text
  size_t damaged_count = 0;
  size_t first_damaged_line = 0;  // from 1
};
// All lines of a checkpoint file.  Empty lines are passed over, and so is what follows the last line's end: it is being
// written.
AuditCheckpoints read_checkpoints(const AuditKey& key, std::string_view text);

}  // namespace atrium::store
