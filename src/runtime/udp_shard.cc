#include "runtime/udp_shard.h"

#include <poll.h>
#include <pthread.h>

#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "runtime/clock.h"
#include "runtime/loop_wait.h"
#include "runtime/udp_socket.h"

namespace atrium::runtime {

struct UdpShard::State {
  void loop(node::ShardHandler& handler);
  void turn(node::ShardHandler& handler);

  // given
  uint32_t index = 0;
  // owned
  UdpTally tally;
  std::unique_ptr<UdpSocket> socket;
  EventWaker waker;
  std::atomic<bool> is_stopping{false};
  std::thread thread;
};

UdpShard::UdpShard(std::unique_ptr<State> state) : state_(std::move(state)) {}
UdpShard::~UdpShard() {
  stop();
}

Result<std::unique_ptr<UdpShard>> UdpShard::create(UdpShardOptions options) {
  auto state = std::make_unique<State>();
  state->index = options.index;
  state->socket = TRY(UdpSocket::open(options, state->tally));
  return std::unique_ptr<UdpShard>(new UdpShard(std::move(state)));
}

void UdpShard::start(node::ShardHandler& handler) {
  CHECK(!state_->thread.joinable());
  state_->thread = std::thread([this, &handler] { state_->loop(handler); });
}

void UdpShard::stop() {
  if (!state_->thread.joinable()) return;
  state_->is_stopping.store(true, std::memory_order_release);
  state_->waker.wake();
  state_->thread.join();
}

void UdpShard::State::loop(node::ShardHandler& handler) {
  ::pthread_setname_np(::pthread_self(), ("shard-" + std::to_string(index)).c_str());
  handler.on_wake(read_clock());
  while (!is_stopping.load(std::memory_order_acquire)) turn(handler);
}

// One turn: commands, then at most one batch of datagrams, then what became due, then what is to be sent.  A turn that
// left something to send does not sleep, and so commands are looked at between such turns.
void UdpShard::State::turn(node::ShardHandler& handler) {
  std::array<pollfd, 2> waiting{pollfd{waker.descriptor(), POLLIN, 0},
                                pollfd{socket->descriptor(), POLLIN, 0}};
  const Mono deadline = handler.has_more_to_send() ? Mono::min() : handler.next_deadline();
  const auto timeout = time_until(deadline, read_clock().mono);
  ::ppoll(waiting.data(), waiting.size(), timeout ? &*timeout : nullptr, nullptr);

  Now now = read_clock();
  if ((waiting[0].revents & POLLIN) != 0) {
    waker.acknowledge();
    handler.on_wake(now);
  }
  if (waiting[1].revents != 0) {  // errors too: receiving takes them off the socket
    const auto batch = socket->receive();
    now = read_clock();
    if (!batch.empty()) handler.on_datagrams(batch, now);
  }
  if (handler.next_deadline() <= now.mono) handler.on_deadline(now);
  socket->begin_turn();
  for (auto runs = handler.drain(now); !runs.empty(); runs = handler.drain(read_clock()))
    socket->send(runs);
}

node::Waker& UdpShard::waker() {
  return state_->waker;
}
uint16_t UdpShard::port() const {
  return state_->socket->port();
}
bool UdpShard::is_dual_stack() const {
  return state_->socket->is_dual_stack();
}

UdpShardCounters UdpShard::counters() const {
  const UdpTally& t = state_->tally;
  const auto get = [](const UdpTally::Count& count) {
    return count.load(std::memory_order_relaxed);
  };
  return {.received_datagrams = get(t.received_datagrams),
          .received_bytes = get(t.received_bytes),
          .sent_datagrams = get(t.sent_datagrams),
          .sent_bytes = get(t.sent_bytes),
          .send_calls = get(t.send_calls),
          .segmented_sends = get(t.segmented_sends),
          .segmentation_refused = get(t.segmentation_refused),
          .dropped_kernel_queue = get(t.dropped_kernel_queue),
          .dropped_oversize = get(t.dropped_oversize),
          .dropped_no_address = get(t.dropped_no_address),
          .dropped_send_full = get(t.dropped_send_full),
          .dropped_send_refused = get(t.dropped_send_refused)};
}

}  // namespace atrium::runtime
