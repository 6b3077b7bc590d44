#include "node/media_plane.h"

#include <algorithm>

#include "base/limits.h"

namespace atrium::node {

MediaPlane::MediaPlane(std::vector<ShardEnds> shards) {
  CHECK(!shards.empty());
  for (ShardEnds& ends : shards) {
    shards_.push_back(std::make_unique<ShardState>(
        ShardState{ends, OverflowSender<ShardCommand>(ends.commands, limits::kRingOverflowMax),
                   OverflowSender<ShardCommand>(ends.urgent, limits::kRingOverflowMax), 0}));
  }
  snapshots_.resize(shards_.size());
  snapshots_taken_.resize(shards_.size());
}

LifeId MediaPlane::open_life(const RoomSid& sid) {
  if (auto known = find_life(sid)) return *known;
  size_t best = 0;
  for (size_t i = 1; i < shards_.size(); ++i)
    if (shards_[i]->lives < shards_[best]->lives) best = i;
  const LifeId life{next_id_++};
  ++shards_[best]->lives;
  life_ids_.emplace(sid, life);
  lives_.emplace(life, Life{sid, best});
  return life;
}

std::optional<LifeId> MediaPlane::find_life(const RoomSid& sid) const {
  const auto found = life_ids_.find(sid);
  if (found == life_ids_.end()) return std::nullopt;
  return found->second;
}

std::optional<RoomSid> MediaPlane::find_room(LifeId life) const {
  const auto found = lives_.find(life);
  if (found == lives_.end()) return std::nullopt;
  return found->second.sid;
}

void MediaPlane::forget_life(const RoomSid& sid) {
  const auto known = find_life(sid);
  if (!known) return;
  --shards_[lives_.at(*known).shard]->lives;
  lives_.erase(*known);
  life_ids_.erase(sid);
}

uint16_t MediaPlane::port_of(LifeId life) const {
  const auto found = lives_.find(life);
  CHECK(found != lives_.end());
  return shards_[found->second.shard]->ends.port;
}

TransportId MediaPlane::new_transport(LifeId, const ParticipantSid& participant) {
  const TransportId transport{next_id_++};
  transports_.emplace(transport, participant);
  return transport;
}

std::optional<ParticipantSid> MediaPlane::find_participant(TransportId transport) const {
  const auto found = transports_.find(transport);
  if (found == transports_.end()) return std::nullopt;
  return found->second;
}

void MediaPlane::forget_transport(TransportId transport) {
  transports_.erase(transport);
}

TrackId MediaPlane::new_track(LifeId) {
  return TrackId{next_id_++};
}

void MediaPlane::send(LifeId life, media::Command command) {
  const auto found = lives_.find(life);
  if (found == lives_.end()) return;  // the life is over: nothing of it is left to command
  ShardState& shard = *shards_[found->second.shard];
  const bool is_cut = std::holds_alternative<media::CutLife>(command);
  OverflowSender<ShardCommand>& lane = is_cut ? shard.urgent : shard.commands;
  if (!lane.send(ShardCommand(std::move(command)))) ++lost_commands_;
}

bool MediaPlane::send_message(LifeId life, media::SendReliable message) {
  const auto found = lives_.find(life);
  if (found == lives_.end()) return true;  // nobody is left to hear it
  if (shards_[found->second.shard]->commands.waiting() >= kMessagesWaitingMax) return false;
  send(life, std::move(message));
  return true;
}

void MediaPlane::send_to_all(const media::Command& command) {
  for (auto& shard : shards_)
    if (!shard->commands.send(ShardCommand(command))) ++lost_commands_;
}

uint64_t MediaPlane::request_snapshots() {
  for (auto& shard : shards_)
    if (!shard->commands.send(ShardCommand(TakeSnapshot{}))) ++lost_commands_;
  return ++snapshots_asked_;
}

bool MediaPlane::has_snapshots(uint64_t request) const {
  return std::ranges::all_of(snapshots_taken_, [&](uint64_t taken) { return taken >= request; });
}

std::optional<media::Report> MediaPlane::take_report() {
  for (auto& shard : shards_) {
    ShardReport report;
    while (shard->ends.reports.try_receive(report)) {
      if (auto* media_report = std::get_if<media::Report>(&report)) return std::move(*media_report);
      auto& snapshot = std::get<ShardSnapshot>(report);
      const size_t index = snapshot.shard;
      if (index >= snapshots_.size()) continue;
      snapshots_[index] = std::move(snapshot);
      ++snapshots_taken_[index];
    }
  }
  return std::nullopt;
}

void MediaPlane::flush() {
  for (auto& shard : shards_) {
    shard->urgent.flush();
    shard->commands.flush();
  }
}

bool MediaPlane::has_unsent() const {
  return std::ranges::any_of(shards_, [](const auto& shard) {
    return !shard->commands.is_empty() || !shard->urgent.is_empty();
  });
}

}  // namespace atrium::node
