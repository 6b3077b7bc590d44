#include "apps/atriumload/sctp_hub.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace atrium::load {
namespace {

// usrsctp looks through the timers of all associations each time; theirs are seconds, or the 200 ms of a delayed
// acknowledgement (RFC 9260 section 6.2).
constexpr auto kTick = std::chrono::milliseconds(50);

}  // namespace

TransportId transport_of(const media::SctpEvent& event) {
  return std::visit([](const auto& one) { return one.transport; }, event);
}

std::vector<media::SctpEvent> SctpHub::exchange(size_t worker,
                                                std::vector<media::SctpCommand> commands, Now now) {
  const std::lock_guard lock(mutex_);
  for (media::SctpCommand& command : commands) world_.on_command(std::move(command), now);
  if (due() <= now.mono) {
    world_.on_deadline(now);
    ticked_at_ = now.mono;
  }
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
  return due();
}

Mono SctpHub::due() const {
  return std::max(world_.next_deadline(), ticked_at_ + kTick);
}

}  // namespace atrium::load
