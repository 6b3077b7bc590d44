// Checkers: what must hold in every run, whatever the network, the disk and the users do.  Each is one sentence and one
// function; the world feeds them what it sees.  Owner: World.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/registry.h"
#include "media/engine_counters.h"
#include "sim/rule_book.h"

namespace atrium::sim {

// What is known of one session of one user when a checker looks.
struct SessionFacts {
  std::string name;  // for messages
  ParticipantSid participant;
  RoomSid room_sid;
  bool was_told = false;  // a notice, a leave or a close of the server's reached it
  bool left_itself = false;
  bool has_tombstone = false;
  Who who{};
  Mono began{}, joined{};          // joined: its join was sent
  bool is_in = false;              // its join was sent
  bool is_removed = false;         // a kick or a ban that meant it was answered with success
  bool has_heard_removal = false;  // -1006
};

class Checkers {
 public:
  // --- what the world saw
  void saw_transport(TransportId transport, LifeId life, ParticipantSid participant);
  void saw_life_cut(LifeId life);
  void saw_life_closed(LifeId life);
  // Who was connected in that life when its cut was ordered.
  void saw_fence(const RoomSid& room_sid, std::vector<ParticipantSid> connected);
  void saw_success(const RoomSid& room_sid) { succeeded_.insert(room_sid); }

  // The node died: its lives are gone, and what was begun is for nobody.
  void on_restart();
  RuleBook& rules() { return rules_; }

  ParticipantSid participant_of(TransportId transport) const;  // empty: not known
  LifeId life_of(const ParticipantSid& participant) const;     // 0: it never had a transport

  // --- the checkers
  // No media leaves for a client of a life after that life's media cut, and nothing at all after its answer "success".
  void check_departure(const SessionFacts& to, uint8_t first_byte, bool is_rtp);
  // No message of a user goes to SCTP for a client of a life after that life's media cut.
  void check_data_departure(TransportId transport, bool is_notice);
  // A subscriber's sequence numbers never repeat within an SSRC, nor go back further than the network reorders.
  void check_sequence(const std::string& name, uint16_t port, uint32_t ssrc, uint16_t seq);
  // When a dismissal is answered "success", the registry has neither the life nor anybody of it,
  // and its shard has closed it.
  void check_answer(const RoomSid& room_sid, const domain::Registry& registry, const AppId& app,
                    const RoomId& room);
  // Every session that was connected at the fence got the notice or the leave, or has a tombstone.
  void check_told(const std::vector<SessionFacts>& sessions);
  // All tables are empty when everybody has left and the graces have passed.
  void check_empty(const domain::Registry::Counts& counts, size_t connections);
  void check_empty(const media::EngineCounters& counters);
  // After the faults stop, every live client receives each allowed track within ten seconds.
  void check_receives(const std::string& subscriber, const std::string& track, bool receives);
  // A record that says "done" counts no packet after the cut.
  void check_record(const domain::DismissalRecord& record);

  // From the answer on, nobody who was removed, or whom a rule in force means, gets media, others' data or signalling.
  void check_admitted(const SessionFacts& to, const char* what, Mono let_in, Now now);
  // Nobody is refused because of a rule that cannot be there, nor told of a removal that nobody asked for.
  void check_refused(const Who& who, int code, Now now);
  void check_removal(const SessionFacts& to);
  // Who is out by an answered call, and was not told, is not sent to the doors as if nothing had been.
  void check_sent_away(const SessionFacts& to);
  // Who was removed has heard -1006, or was gone before.
  void check_removed(const std::vector<SessionFacts>& sessions);
  // The record of a dismissal whose caller was told of its success can be read: done, or interrupted.
  void check_kept(const std::string& operation, int status, const std::string& state);
  // A limited token publishes nothing.
  void check_receives_not(const std::string& subscriber, const std::string& track, bool receives);

  void fail(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Sequence {
    std::set<uint64_t> seen;  // the last few hundred
    uint64_t highest = 0;
  };
  RuleBook rules_;
  std::map<TransportId, LifeId> life_of_transport_;
  std::map<TransportId, ParticipantSid> participant_of_;
  std::map<ParticipantSid, LifeId> life_of_participant_;
  std::set<LifeId> cut_, closed_;
  std::set<RoomSid> succeeded_, ever_fenced_;
  std::map<RoomSid, std::vector<ParticipantSid>> fenced_;
  std::map<std::pair<uint16_t, uint32_t>, Sequence> sequences_;
  std::vector<std::string> violations_;
};

}  // namespace atrium::sim
