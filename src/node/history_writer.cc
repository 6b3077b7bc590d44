#include "node/history_writer.h"

#include <algorithm>
#include <iterator>

#include "base/limits.h"
#include "base/log.h"

namespace atrium::node {
namespace {

// A commit is a wait for the disk, which dismissals share; ten a second are enough for what is listed seconds later.
constexpr Duration kFlushEvery = std::chrono::milliseconds(100);

bool is_of_history(domain::EventKind kind) {
  return kind != domain::EventKind::TrackUnpublished;
}

}  // namespace

void HistoryWriter::note(const domain::Event& event) {
  if (!is_of_history(event.kind)) return;
  if (is_paused_) {
    ++counters_.lost_to_pause;
  } else if (waiting_.size() >= bound_) {
    ++counters_.lost_to_full_queue;
  } else {
    waiting_.push_back(event);
  }
}

void HistoryWriter::flush(Mono now) {
  if (now >= next_flush_) flush_early(now);
}

void HistoryWriter::flush_early(Mono now) {
  if (is_under_way_ || waiting_.empty()) return;
  const auto count = std::min<ptrdiff_t>(std::ssize(waiting_), limits::kHistoryBatchMax);
  store::PutHistory put;
  put.facts.assign(std::move_iterator(waiting_.begin()),
                   std::move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  next_flush_ = now + kFlushEvery;
  is_under_way_ = to_store_.send(store::WriteRequest(std::move(put)));
  if (!is_under_way_) counters_.lost_to_store += static_cast<uint64_t>(count);
}

void HistoryWriter::on_written(const HistoryWritten& written) {
  is_under_way_ = false;
  (written.ok ? counters_.written : counters_.lost_to_store) += written.facts;
  if (!written.ok && !is_failing_)
    log_line(LogLevel::Error, "history is not written", {{"why", written.why}});
  is_failing_ = !written.ok;
}

void HistoryWriter::pause(bool is_paused) {
  if (is_paused == is_paused_) return;
  is_paused_ = is_paused;
  log_line(LogLevel::Warning,
           is_paused ? "history stops: the disk is nearly full" : "history goes on");
  if (!is_paused) return;
  counters_.lost_to_pause += waiting_.size();
  waiting_.clear();
}

// While a request is under way its answer wakes the thread.
Mono HistoryWriter::next_deadline() const {
  return is_under_way_ || waiting_.empty() ? kNever : next_flush_;
}

HistoryCounters HistoryWriter::counters() const {
  HistoryCounters counters = counters_;
  counters.waiting = waiting_.size();
  return counters;
}

}  // namespace atrium::node
