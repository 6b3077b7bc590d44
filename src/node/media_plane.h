// MediaPlane: the control plane's view of the shards: which shard a life lives on, and the number names (LifeId,
// TransportId, TrackId) that the media core knows sids by.  Owner: ControlPlane.  Thread: control.
// A life has a list of shards, of length one for now (DESIGN "Threads").
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "media/types.h"
#include "node/overflow_sender.h"
#include "node/ports.h"
#include "node/shard_link.h"

namespace atrium::node {

// The ring ends that control holds for one shard; the pointees outlive it.
struct ShardEnds {
  Sender<ShardCommand>& commands;
  Sender<ShardCommand>& urgent;
  Receiver<ShardReport>& reports;
  uint16_t port = 0;  // its UDP port, written into candidates
};

class MediaPlane {
 public:
  explicit MediaPlane(std::vector<ShardEnds> shards);

  // The life of `sid`, made on the least loaded shard when it is new.
  LifeId open_life(const RoomSid& sid);
  std::optional<LifeId> find_life(const RoomSid& sid) const;
  std::optional<RoomSid> find_room(LifeId life) const;
  void forget_life(const RoomSid& sid);
  uint16_t port_of(LifeId life) const;

  TransportId new_transport(LifeId life, const ParticipantSid& participant);
  std::optional<ParticipantSid> find_participant(TransportId transport) const;
  void forget_transport(TransportId transport);

  TrackId new_track(LifeId life);

  // Sends to the shard that has the life.  CutLife takes the reserved lane.
  void send(LifeId life, media::Command command);
  // False: kMessagesWaitingMax messages wait for this shard already, and this one is dropped.
  bool send_message(LifeId life, media::SendReliable message);
  void send_to_all(const media::Command& command);
  // Yields a number for has_snapshots().
  uint64_t request_snapshots();

  // The next report of any shard; snapshots are kept aside.
  std::optional<media::Report> take_report();
  const std::vector<ShardSnapshot>& snapshots() const { return snapshots_; }
  // Whether every shard has answered that request.
  bool has_snapshots(uint64_t request) const;
  void flush();
  bool has_unsent() const;
  uint64_t lost_commands() const { return lost_commands_; }
  size_t shard_count() const { return shards_.size(); }

 private:
  struct ShardState {
    ShardEnds ends;
    OverflowSender<ShardCommand> commands, urgent;
    uint64_t lives = 0;
  };
  struct Life {
    RoomSid sid;
    size_t shard = 0;
  };

  std::vector<std::unique_ptr<ShardState>> shards_;
  std::unordered_map<RoomSid, LifeId> life_ids_;
  std::unordered_map<LifeId, Life> lives_;
  std::unordered_map<TransportId, ParticipantSid> transports_;
  std::vector<ShardSnapshot> snapshots_;
  std::vector<uint64_t> snapshots_taken_;  // by shard, which answers requests in their order
  uint64_t snapshots_asked_ = 0;
  uint64_t next_id_ = 1;
  uint64_t lost_commands_ = 0;
};

}  // namespace atrium::node
