#include "apps/atriumload/sctp_hub.h"

#include <utility>
#include <variant>

namespace atrium::load {

TransportId transport_of(const media::SctpEvent& event) {
  return std::visit([](const auto& one) { return one.transport; }, event);
}

std::vector<media::SctpEvent> SctpHub::exchange(size_t worker,
                                                std::vector<media::SctpCommand> commands, Now now) {
  const std::lock_guard lock(mutex_);
  for (media::SctpCommand& command : commands) world_.on_command(std::move(command), now);
  if (world_.next_deadline() <= now.mono) world_.on_deadline(now);
  for (media::SctpEvent& event : world_.take_events()) {
    const size_t owner = transport_of(event).value % inboxes_.size();
    Inbox& inbox = inboxes_[owner];
    if (owner != worker && inbox.events.empty() && inbox.waker != nullptr) inbox.waker->wake();
    inbox.events.push_back(std::move(event));
  }
  return std::exchange(inboxes_[worker].events, {});
}

Mono SctpHub::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return world_.next_deadline();
}

}  // namespace atrium::load
