// UdpShard: one UDP port, one thread, one epoll loop; batches of datagrams in, runs of datagrams out.
// Owner: the app.  All handler calls are made on the shard's thread.  RFC 8445 needs replies to leave from the address
// that a request came to: IP_PKTINFO tells and sets it.  IPv4-mapped addresses are shown as IPv4.
// Does not: look into a datagram, or ever wait for a peer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include "base/result.h"
#include "base/socket_address.h"
#include "node/ports.h"
#include "runtime/event_waker.h"

namespace atrium::runtime {

struct UdpShardOptions {
  uint32_t index = 0;               // names the thread
  uint16_t port = 0;                // 0: the kernel chooses
  std::optional<IpAddress> bind{};  // none: the wildcard, IPv6 and IPv4 where the machine has both
};

// A snapshot.  Every datagram that is thrown away is in exactly one of the dropped counters.
struct UdpShardCounters {
  uint64_t received_datagrams = 0;
  uint64_t received_bytes = 0;
  uint64_t sent_datagrams = 0;
  uint64_t sent_bytes = 0;
  uint64_t send_calls = 0;       // sendmmsg
  uint64_t segmented_sends = 0;  // messages that carried more than one datagram
  uint64_t segmentation_refused =
      0;  // the kernel or device refused UDP_SEGMENT; sent one by one instead
  uint64_t dropped_kernel_queue = 0;  // SO_RXQ_OVFL: came faster than the shard reads
  uint64_t dropped_oversize = 0;      // longer than kDatagramBytesMax, in either direction
  uint64_t dropped_no_address = 0;    // came without the address it was sent to
  uint64_t dropped_send_full = 0;     // the socket stayed full for kUdpSendWaitMs
  uint64_t dropped_send_refused = 0;  // no route, no permission, address gone
};

class UdpShard {
 public:
  // Binds at once, so that a port in use is known before anything starts.
  static Result<std::unique_ptr<UdpShard>> create(UdpShardOptions options);
  ~UdpShard();  // stops and joins
  UdpShard(const UdpShard&) = delete;
  UdpShard& operator=(const UdpShard&) = delete;

  // Once.  `handler` must outlive stop().  It is woken once at the start.
  void start(node::ShardHandler& handler);
  // Ends the loop after the turn that runs, and joins.  Idempotent.
  void stop();

  node::Waker& waker();  // valid before start
  uint16_t port() const;
  bool is_dual_stack() const;
  UdpShardCounters counters() const;  // any thread

 private:
  struct State;
  explicit UdpShard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
