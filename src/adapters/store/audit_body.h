// The text of an audit record as the store keeps it and the chain covers it: JSON in one spelling (fixed order of
// fields, no spaces, what says nothing is left out, numbers in decimal, only what must be escaped is).  Records of
// earlier servers have all fields and are read, too.  A row of the store has one record, or a run of them: a line each,
// the last without its end.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/audit.h"

namespace atrium::store {

// Every text at most kAuditTextBytesMax bytes, cut between two characters; what is not UTF-8 becomes U+FFFD.
domain::AuditEntry bounded(domain::AuditEntry entry);
// True: bounded() would change nothing.  May be false where it would not, either.
bool is_bounded(const domain::AuditEntry& entry);

std::string audit_body(const domain::AuditEntry& entry);
void append_audit_body(std::string& out, const domain::AuditEntry& entry);
// Reads that one spelling alone.  Malformed: anything else.
Result<domain::AuditEntry> parse_audit_body(std::string_view body);

// Between two records of a row: none has one, since it is escaped.
inline constexpr char kAuditBodiesEnd = '\n';
// How many records a row's text has, at least one; of a row of ours kAuditRowRecordsMax at most, which may never become
// less than what an earlier server wrote.
int64_t audit_body_count(std::string_view row);
// Those records, views into it.
std::vector<std::string_view> audit_bodies(std::string_view row);
// Of a record, without reading the rest of it: microseconds since 1970; nullopt: it says no time.
std::optional<int64_t> audit_time(std::string_view body);
// What a record holds whose member `name`, a text of "account", "app" and "action", is `value`, and no other record.
std::string audit_member(std::string_view name, std::string_view value);

}  // namespace atrium::store
