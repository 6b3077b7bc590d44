#include "node/event_writer.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"

namespace atrium::node {
namespace {

constexpr Duration kFlushEvery = std::chrono::milliseconds(limits::kEventFlushMs);

std::vector<domain::Event> take(std::deque<domain::Event>& from, size_t count) {
  const auto end = from.begin() + static_cast<ptrdiff_t>(std::min(count, from.size()));
  std::vector<domain::Event> out(std::move_iterator(from.begin()), std::move_iterator(end));
  from.erase(from.begin(), end);
  return out;
}

}  // namespace

void EventWriter::note(domain::Event event) {
  if (waiting_.size() >= bound_) {
    if (counters_.lost++ == 0)
      log_line(LogLevel::Error, "events are lost: the store is too far behind");
    return;
  }
  waiting_.push_back(std::move(event));
}

void EventWriter::take_along(store::WriteRequest& write, std::vector<domain::Event> own) {
  while (waiting_.size() > static_cast<size_t>(limits::kEventBatchMax))
    if (!send(limits::kEventBatchMax)) break;
  write.events = take(waiting_, waiting_.size());
  std::ranges::move(own, std::back_inserter(write.events));
}

void EventWriter::flush(Mono now) {
  if (now >= next_flush_) flush_early(now);
}

void EventWriter::flush_early(Mono now) {
  if (waiting_.empty()) return;
  next_flush_ = now + kFlushEvery;
  while (!waiting_.empty())
    if (!send(limits::kEventBatchMax)) return;  // they go on waiting
}

bool EventWriter::send(size_t count) {
  if (to_store_.is_full()) return false;
  return to_store_.send(store::of_events(take(waiting_, count)));
}

void EventWriter::on_written(const EventsWritten& written) {
  if (written.ok) counters_.written += written.events;
  if (!written.ok && !is_failing_)
    log_line(LogLevel::Error, "events wait for the store, which cannot write them",
             {{"why", written.why}});
  is_failing_ = !written.ok;
}

EventCounters EventWriter::counters() const {
  EventCounters counters = counters_;
  counters.waiting = waiting_.size();
  return counters;
}

}  // namespace atrium::node
