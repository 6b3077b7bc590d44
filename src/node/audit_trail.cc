#include "node/audit_trail.h"

#include <algorithm>
#include <chrono>

namespace atrium::node {
namespace {

constexpr Duration kFlushEvery = std::chrono::milliseconds(limits::kAuditFlushMs);
constexpr Duration kMinute = std::chrono::minutes(1);

}  // namespace

void AuditTrail::note(domain::AuditEntry&& entry) {
  const bool has_room =
      !waiting_.empty() && waiting_.back().size() < static_cast<size_t>(limits::kAuditBatchMax);
  if (!has_room) waiting_.emplace_back();
  waiting_.back().push_back(std::move(entry));
  ++waiting_count_;
}

void AuditTrail::count_unknown(const IpAddress& source, domain::AuditDoor door,
                               const std::string& outcome, Now now) {
  if (unknown_.empty()) minute_ends_ = now.mono + kMinute;
  const bool is_full = unknown_.size() >= static_cast<size_t>(limits::kAuditSourcesMax);
  std::pair key{source.text(), outcome};
  if (is_full && !unknown_.contains(key)) key = {"others", ""};
  auto [at, is_new] = unknown_.try_emplace(key);
  domain::AuditEntry& entry = at->second;
  if (is_new) {
    entry.phase = domain::AuditPhase::Counted;
    entry.door = door;
    entry.at = now.wall;
    entry.source = key.first;
    entry.outcome = key.second;
    entry.count = 0;
  }
  ++entry.count;
}

void AuditTrail::close_minute(Wall now) {
  for (auto& [key, entry] : unknown_) {
    entry.at = now;
    note(std::move(entry));
  }
  unknown_.clear();
  minute_ends_ = kNever;
}

void AuditTrail::flush(Now now) {
  if (minute_ends_ <= now.mono) close_minute(now.wall);
  if (waiting_.empty() || now.mono < next_flush_) return;
  next_flush_ = now.mono + kFlushEvery;
  flush_early();
}

void AuditTrail::flush_early() {
  while (!waiting_.empty() && !to_store_.is_full()) {
    store::WriteRequest request;
    request.audit = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_count_ -= request.audit.size();
    to_store_.send(std::move(request));
  }
}

void AuditTrail::flush_all(Now now) {
  close_minute(now.wall);
  flush_early();
}

Mono AuditTrail::next_deadline() const {
  return std::min(minute_ends_, waiting_.empty() ? kNever : next_flush_);
}

}  // namespace atrium::node
