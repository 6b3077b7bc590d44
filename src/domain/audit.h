// AuditEntry: who asked for what, and what came of it.  Plain data; the store chains and keeps it
// (adapters/store/audit.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "domain/types.h"

namespace atrium::domain {

enum class AuditPhase : uint8_t {
  Accepted,  // a changing call, in the transaction of its effect
  Finished,  // the same call's outcome, linked by the operation or, where there is none, by the request id
  Read,     // a call that changes nothing
  Refused,  // an authenticated call that was refused before it did anything
  Counted,  // refusals of callers who are not known, of one source within a minute
};
enum class AuditDoor : uint8_t {
  OpenApi,
  Twirp,
  Operator,
  Timer
};  // Timer: a schedule or a policy

struct AuditEntry {
  AuditPhase phase = AuditPhase::Read;
  AuditDoor door = AuditDoor::OpenApi;
  Wall at{};
  std::string account = {}, access_key = {};
  std::string action = {}, version = {};
  AppId app = {};
  RoomId room = {};
  OperationId operation = {};
  std::string request_id = {};
  std::string source = {};               // address of the caller
  std::optional<Sha256> body_hash = {};  // of the request's body
  bool is_dry_run = false;
  bool is_replay = false;    // answered by an earlier call with the same Idempotency-Key
  int32_t status = 0;        // HTTP; 0 where there is none yet
  std::string outcome = {};  // error code, or "" for success; of Accepted always ""
  Reason reason = {};        // of calls that remove somebody
  uint64_t count = 1;        // of Counted
  friend bool operator==(const AuditEntry&, const AuditEntry&) = default;
};

struct StoredAudit {
  int64_t sequence = 0;  // from 1, without gaps
  AuditEntry entry;
  Sha256 mac{};  // of the row that it stands in, over the row before and this one
};
struct AuditQuery {
  std::string account = {};
  AppId app = {};  // empty: all of the account
  std::optional<OperationId> operation = {};
  std::string action = {};
  std::optional<Wall> from = {}, until = {};
  int64_t after_sequence = 0;
  size_t limit = 0;
};
struct AuditPage {
  std::vector<StoredAudit> records;  // in the order of sequences
  int64_t looked_until = 0;          // a question from behind it goes on where this page ends
  bool has_more =
      false;  // the page is full, or too many records were looked at that were not asked for
};

}  // namespace atrium::domain
