// UdpSocket: the bound socket of one shard, with receiving and sending in batches.
// Owner: UdpShard.  Thread: the shard's.  Kernel interfaces: recvmmsg(2), sendmmsg(2), UDP_SEGMENT, IP_PKTINFO.
// Does not: wait, except for kUdpSendWaitMs per turn when the socket is full.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "node/ports.h"
#include "runtime/udp_shard.h"

namespace atrium::runtime {

// One writer (the shard's thread), any reader.
struct UdpTally {
  using Count = std::atomic<uint64_t>;
  Count received_datagrams, received_bytes, sent_datagrams, sent_bytes, send_calls;
  Count segmented_sends, segmentation_refused;
  Count dropped_kernel_queue, dropped_oversize, dropped_no_address, dropped_send_full,
      dropped_send_refused;
  static void add(Count& count, uint64_t more) {
    count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
};

class UdpSocket {
 public:
  static Result<std::unique_ptr<UdpSocket>> open(const UdpShardOptions& options, UdpTally& tally);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  // At most kDatagramsPerTurnMax datagrams that wait now.  Bytes and span are valid until the next call.
  std::span<node::ShardDatagram> receive();
  // What is sent until the next turn waits at most kUdpSendWaitMs in all for room in the kernel.
  void begin_turn();
  // Everything is with the kernel or dropped and counted when this returns.
  void send(std::span<const node::ShardSendRun> runs);

  int descriptor() const;
  uint16_t port() const;
  bool is_dual_stack() const;

 private:
  struct State;
  explicit UdpSocket(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace atrium::runtime
