// Shard: one media engine between its udp loop and its rings.  Owner: apps (or sim).  Thread: its shard.
// Does not: decide anything about packets (media::Engine does) or about rooms (the control plane does).
#pragma once

#include <functional>
#include <vector>

#include "media/engine.h"
#include "node/overflow_sender.h"
#include "node/ports.h"
#include "node/shard_link.h"

namespace atrium::node {

// What the shard's socket threw away since it was opened.
struct SocketDrops {
  uint64_t kernel_queue = 0, oversize = 0, no_address = 0, send_full = 0, send_refused = 0;
};

// The ring ends that a shard holds; the pointees outlive it.
struct ShardLinks {
  Receiver<ShardCommand>& commands;
  Receiver<ShardCommand>& urgent;  // CutLife alone: the reserved lane
  Sender<ShardReport>& reports;
  Sender<media::SctpCommand>& to_sctp;
  Receiver<media::SctpEvent>& from_sctp;
  std::function<SocketDrops()> socket_drops = {};  // none: a world without sockets
};

class Shard final : public ShardHandler {
 public:
  Shard(SecretSource& secrets, media::EngineOptions options, ShardLinks links);

  void on_datagrams(std::span<ShardDatagram> batch, Now now) override;
  void on_wake(Now now) override;
  void on_deadline(Now now) override;
  Mono next_deadline() const override;
  std::span<const ShardSendRun> drain(Now now) override;
  bool has_more_to_send() const override;

 private:
  // The ring to SCTP, and the last look at what goes into it.
  class SctpLane final : public Sender<media::SctpCommand> {
   public:
    SctpLane(Sender<media::SctpCommand>& ring, media::Engine& engine)
        : ring_(ring), engine_(engine) {}
    bool try_send(media::SctpCommand& command) override;

   private:
    Sender<media::SctpCommand>& ring_;
    media::Engine& engine_;
  };

  void take_commands(Now now);
  bool take_cuts(Now now);  // whether there was one
  void take_cut(ShardCommand cut, Now now);
  void apply(ShardCommand command, Now now);
  media::EngineCounters counters() const;
  void take_sctp_events(Now now);
  void forward_outputs();  // reports and SCTP packets to their rings

  // given
  const uint32_t index_;
  ShardLinks links_;
  // owned
  media::Engine engine_;
  OverflowSender<ShardReport> reports_;
  SctpLane sctp_lane_;
  OverflowSender<media::SctpCommand> to_sctp_;
  // derived: scratch kept between turns so that the packet path does not allocate
  std::vector<media::Datagram> batch_;
  std::vector<ShardSendRun> runs_;
  bool commands_waiting_ = false;
  bool is_draining_ = false;  // pieces of a turn's output may be left
};

}  // namespace atrium::node
