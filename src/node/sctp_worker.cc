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
    if (is_packet && !events_[index].is_empty()) continue;  // SCTP sends it again
    events_[index].send(std::move(event));
  }
  for (auto& sender : events_) sender.flush();
}

}  // namespace atrium::node
