#include "sim/checkers.h"

#include <algorithm>

namespace atrium::sim {
namespace {
constexpr size_t kViolationsMax = 20;
constexpr uint64_t kReorderMax =
    128;  // deeper than jitter and repeats of the simulated network reach
constexpr Duration kTombstone =
    std::chrono::seconds(70);  // how long one is remembered, and the steps of clocks
}  // namespace

void Checkers::fail(const std::string& what) {
  if (violations_.size() < kViolationsMax) violations_.push_back(what);
}

void Checkers::saw_transport(TransportId transport, LifeId life, ParticipantSid participant) {
  life_of_transport_[transport] = life;
  participant_of_[transport] = participant;
  life_of_participant_[participant] = life;
}
void Checkers::saw_life_cut(LifeId life) {
  cut_.insert(life);
}
void Checkers::saw_life_closed(LifeId life) {
  closed_.insert(life);
}
void Checkers::saw_fence(const RoomSid& room_sid, std::vector<ParticipantSid> connected) {
  ever_fenced_.insert(room_sid);
  fenced_.try_emplace(room_sid, std::move(connected));
}

ParticipantSid Checkers::participant_of(TransportId transport) const {
  const auto found = participant_of_.find(transport);
  return found == participant_of_.end() ? ParticipantSid() : found->second;
}

// Numbers of lives and transports begin anew.  Who was in a life whose dismissal was not answered is promised nothing.
void Checkers::on_restart() {
  life_of_transport_.clear();
  participant_of_.clear();
  life_of_participant_.clear();
  cut_.clear();
  closed_.clear();
  std::erase_if(fenced_, [&](const auto& entry) { return !succeeded_.contains(entry.first); });
}

LifeId Checkers::life_of(const ParticipantSid& participant) const {
  const auto found = life_of_participant_.find(participant);
  return found == life_of_participant_.end() ? LifeId{} : found->second;
}

void Checkers::check_departure(const SessionFacts& to, uint8_t first_byte, bool is_rtp) {
  const auto life = life_of_participant_.find(to.participant);
  if (is_rtp && life != life_of_participant_.end() && cut_.contains(life->second))
    fail("media left after the cut for " + to.name);
  if (succeeded_.contains(to.room_sid))
    fail("a datagram (" + std::to_string(first_byte) + ") left after the answer for " + to.name);
}

void Checkers::check_data_departure(TransportId transport, bool is_notice) {
  const auto life = life_of_transport_.find(transport);
  if (!is_notice && life != life_of_transport_.end() && cut_.contains(life->second))
    fail("a user's message was sent after the cut on transport " + std::to_string(transport.value));
}

void Checkers::check_sequence(const std::string& name, uint16_t port, uint32_t ssrc, uint16_t seq) {
  auto [entry, is_new] = sequences_.try_emplace({port, ssrc});
  Sequence& sequence = entry->second;
  if (is_new) sequence.highest = (uint64_t{1} << 32) + seq;
  const auto step =
      static_cast<int16_t>(static_cast<uint16_t>(seq - static_cast<uint16_t>(sequence.highest)));
  const uint64_t ext_seq = sequence.highest + static_cast<uint64_t>(static_cast<int64_t>(step));
  const std::string where =
      name + ", SSRC " + std::to_string(ssrc) + ", number " + std::to_string(seq);
  if (!sequence.seen.insert(ext_seq).second) fail("a sequence number repeats: " + where);
  if (ext_seq + kReorderMax < sequence.highest) fail("a sequence number goes back: " + where);
  sequence.highest = std::max(sequence.highest, ext_seq);
  if (sequence.seen.size() > 4 * kReorderMax) sequence.seen.erase(sequence.seen.begin());
}

void Checkers::check_answer(const RoomSid& room_sid, const domain::Registry& registry,
                            const AppId& app, const RoomId& room) {
  const auto current = registry.find_room(app, room);
  if (current && current->sid == room_sid)
    fail("the life is still there after the answer: " + room_sid.value);
  if (!registry.participants(room_sid).empty())
    fail("somebody is still in after the answer: " + room_sid.value);
  const auto fenced = fenced_.find(room_sid);
  if (fenced == fenced_.end()) return;
  for (const ParticipantSid& participant : fenced->second) {
    const auto life = life_of_participant_.find(participant);
    if (life == life_of_participant_.end() || closed_.contains(life->second)) continue;
    return fail("the shard has not closed the life at the answer: " + room_sid.value);
  }
}

void Checkers::check_told(const std::vector<SessionFacts>& sessions) {
  for (const auto& [room_sid, connected] : fenced_) {
    for (const SessionFacts& session : sessions) {
      if (std::ranges::find(connected, session.participant) == connected.end()) continue;
      if (session.was_told || session.left_itself || session.has_tombstone) continue;
      fail("dismissed, neither told nor remembered: " + session.name + " in " + room_sid.value);
    }
  }
}

void Checkers::check_empty(const domain::Registry::Counts& counts, size_t connections) {
  if (counts.rooms + counts.dismissing + counts.participants + counts.tracks +
          counts.subscriptions !=
      0)
    fail("the registry is not empty: " + std::to_string(counts.rooms) + " rooms, " +
         std::to_string(counts.dismissing) + " dismissing, " + std::to_string(counts.participants) +
         " participants, " + std::to_string(counts.tracks) + " tracks, " +
         std::to_string(counts.subscriptions) + " subscriptions");
  if (connections != 0) fail(std::to_string(connections) + " signalling connections are left");
}

void Checkers::check_empty(const media::EngineCounters& counters) {
  if (counters.transports + counters.lives + counters.tracks + counters.forwarders != 0)
    fail("a shard is not empty: " + std::to_string(counters.transports) + " transports, " +
         std::to_string(counters.lives) + " lives, " + std::to_string(counters.tracks) +
         " tracks, " + std::to_string(counters.forwarders) + " forwarders");
}

void Checkers::check_receives(const std::string& subscriber, const std::string& track,
                              bool receives) {
  if (!receives) fail(subscriber + " does not receive " + track);
}

void Checkers::check_receives_not(const std::string& subscriber, const std::string& track,
                                  bool receives) {
  if (receives) fail(subscriber + " receives " + track + " of a limited token");
}

void Checkers::check_admitted(const SessionFacts& to, const char* what, Mono let_in, Now now) {
  const std::string said = " was sent " + std::string(what);
  if (rules_.must_be_out(to.who, let_in, now)) fail("forbidden, " + to.name + said);
  if (to.is_removed) fail("removed, " + to.name + said);
  if (succeeded_.contains(to.room_sid)) fail("dismissed, " + to.name + said);
}

void Checkers::check_refused(const Who& who, int code, Now now) {
  const std::string name = who.user + " at " + who.room + " from " + who.ip;
  if ((code == -1025 || code == -1026) && !rules_.may_be_out(who, now))
    fail("refused though no rule can be in force: " + name);
  if (code == -1006 && !rules_.may_be_removed(who, now.mono - kTombstone))
    fail("refused as if removed: " + name);
}

void Checkers::check_removal(const SessionFacts& to) {
  if (!rules_.may_be_removed(to.who, to.began)) fail("removed though nobody asked: " + to.name);
}

void Checkers::check_sent_away(const SessionFacts& to) {
  const auto fenced = fenced_.find(to.room_sid);
  const bool is_dismissed =
      succeeded_.contains(to.room_sid) && fenced != fenced_.end() &&
      std::ranges::find(fenced->second, to.participant) != fenced->second.end();
  if ((is_dismissed || to.is_removed) && !to.was_told)
    fail("out by an answered call, not told, and sent back to the doors: " + to.name);
}

void Checkers::check_removed(const std::vector<SessionFacts>& sessions) {
  for (const SessionFacts& session : sessions) {
    if (!session.is_removed || session.left_itself || session.has_tombstone) continue;
    if (!session.was_told)
      fail("removed, neither told nor remembered: " + session.name);
    else if (!session.has_heard_removal && !ever_fenced_.contains(session.room_sid))
      fail("removed, and told something else: " + session.name);
  }
}

void Checkers::check_kept(const std::string& operation, int status, const std::string& state) {
  if (status != 200)
    fail("the record of " + operation + " is lost: status " + std::to_string(status));
  else if (state != "done" && state != "interrupted")
    fail("the record of " + operation + " says " + state);
}

void Checkers::check_record(const domain::DismissalRecord& record) {
  if (record.state == domain::DismissalState::Done && record.packets_after_cut.value_or(0) != 0)
    fail("the record counts " + std::to_string(*record.packets_after_cut) +
         " packets after the cut");
}

}  // namespace atrium::sim
