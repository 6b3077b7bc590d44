#include "node/sctp_worker.h"

#include <algorithm>

#include "base/limits.h"

namespace atrium::node {
namespace {

TransportId transport_of(const media::SctpCommand& command) {
  return std::visit([](const auto& c) { return c.transport; }, command);
}
TransportId transport_of(const media::SctpEvent& event) {
  return std::visit([](const auto& e) { return e.transport; }, event);
}

// SCTP's counters under the names that an operator reads.
void add_drops(const media::SctpCounters& from, std::array<uint64_t, media::kDropReasons>& into) {
  const auto add = [&](media::DropReason reason, uint64_t count) {
    into[static_cast<size_t>(reason)] += count;
  };
  using media::DropReason;
  add(DropReason::DataTooLarge, from.dropped_oversize_in + from.dropped_oversize_out);
  add(DropReason::DataNoChannel, from.dropped_no_channel_in + from.dropped_no_channel_out);
  add(DropReason::SctpReassemblyFull, from.dropped_reassembly_full);
  add(DropReason::SctpMalformed,
      from.dropped_bad_packet + from.dropped_bad_ppid + from.dropped_bad_dcep);
  add(DropReason::SctpQueueFull, from.dropped_queue_full_lossy + from.dropped_queue_full_reliable);
  add(DropReason::TransportCut, from.dropped_before_notice);
  add(DropReason::SctpFailed, from.dropped_send_failed + from.open_failed);
  add(DropReason::SctpUnknownTransport, from.dropped_unknown_transport);
}

}  // namespace

SctpWorker::SctpWorker(std::vector<SctpShardEnds> shards) : shards_(std::move(shards)) {
  for (SctpShardEnds& ends : shards_) events_.emplace_back(ends.events, limits::kRingOverflowMax);
}

void SctpWorker::on_wake(Now now) {
  for (size_t shard = 0; shard < shards_.size(); ++shard) {
    media::SctpCommand command;
    for (int i = 0; i < limits::kRingSctp && shards_[shard].commands.try_receive(command); ++i) {
      if (std::holds_alternative<media::SctpOpen>(command))
        shard_of_[transport_of(command)] = shard;
      const bool is_close = std::holds_alternative<media::SctpClose>(command);
      const TransportId transport = transport_of(command);
      if (is_close && !shard_of_.contains(transport)) {
        events_[shard].send(
            media::SctpClosed{transport});  // never opened here: closed all the same
        continue;
      }
      world_.on_command(std::move(command), now);
      deliver_events();
    }
  }
  deliver_events();
  tell_drops();
}

void SctpWorker::on_deadline(Now now) {
  world_.on_deadline(now);
  on_wake(now);
}

Mono SctpWorker::next_deadline() const {
  const bool waiting =
      std::ranges::any_of(events_, [](const auto& sender) { return !sender.is_empty(); });
  return waiting ? Mono::min() : world_.next_deadline();
}

void SctpWorker::deliver_events() {
  for (media::SctpEvent& event : world_.take_events()) {
    const TransportId transport = transport_of(event);
    const auto shard = shard_of_.find(transport);
    if (shard == shard_of_.end()) continue;  // its shard has closed it
    const size_t index = shard->second;
    if (std::holds_alternative<media::SctpClosed>(event)) shard_of_.erase(shard);
    const bool is_packet = std::holds_alternative<media::SctpPacketOut>(event);
    const bool is_refused = is_packet && !events_[index].is_empty();  // SCTP sends it again
    if (is_refused || !events_[index].send(std::move(event)))
      ++drops_[static_cast<size_t>(media::DropReason::SctpRingFull)];
  }
  for (auto& sender : events_) sender.flush();
}

// To the first shard, whichever dropped: the page adds the shards up.  Not while its ring is full, which is when most
// is dropped.
void SctpWorker::tell_drops() {
  if (!events_[0].is_empty()) return;
  auto all = drops_;
  add_drops(world_.counters(), all);
  for (size_t reason = 0; reason < media::kDropReasons; ++reason) {
    if (all[reason] == told_[reason]) continue;
    events_[0].send(media::SctpDropped{TransportId{}, static_cast<media::DropReason>(reason),
                                       all[reason] - told_[reason]});
    told_[reason] = all[reason];
  }
}

}  // namespace atrium::node
