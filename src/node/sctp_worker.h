// SctpWorker: the sctp thread's handler: SCTP commands of all shards into one SctpWorld, its events back to the
// shard that has
// the transport.  Owner: apps (or sim).  Thread: sctp.
#pragma once

#include <unordered_map>
#include <vector>

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

  // given
  std::vector<SctpShardEnds> shards_;
  // owned
  media::SctpWorld world_;
  std::vector<OverflowSender<media::SctpEvent>> events_;
  std::unordered_map<TransportId, size_t> shard_of_;  // entered by SctpOpen, erased by SctpClosed
};

}  // namespace atrium::node
