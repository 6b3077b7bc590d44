// SctpWorker: the sctp thread's handler: SCTP commands of all shards into one SctpWorld, its events back to the
// shard that has
// the transport.  Owner: apps (or sim).  Thread: sctp.
#pragma once

#include <array>
#include <unordered_map>
#include <vector>

#include "media/engine_counters.h"
#include "media/sctp.h"
#include "node/overflow_sender.h"
#include "node/ports.h"

namespace atrium::node {

struct SctpShardEnds {
  Receiver<media::SctpCommand>& commands;
  Sender<media::SctpEvent>& events;
};

class SctpWorker final : public WorkerHandler {
 public:
  explicit SctpWorker(std::vector<SctpShardEnds> shards);

  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;

 private:
  void deliver_events();
  void tell_drops();

  // given
  std::vector<SctpShardEnds> shards_;
  // owned
  media::SctpWorld world_;
  std::vector<OverflowSender<media::SctpEvent>> events_;
  std::unordered_map<TransportId, size_t> shard_of_;  // entered by SctpOpen, erased by SctpClosed
  // derived
  std::array<uint64_t, media::kDropReasons> drops_{};  // of our own
  std::array<uint64_t, media::kDropReasons> told_{};   // what the shards know
};

}  // namespace atrium::node
