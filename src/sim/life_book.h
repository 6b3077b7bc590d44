// LifeBook: which lives somebody asked to end, and who has a reason to be gone, noted as the server hears it; against
// it stands what the server then does.  So no order that was meant for one life of a name can harm another unseen.
// Owner: Rounds.  Does not: look into the server, know when an order is carried out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/event.h"
#include "domain/types.h"

namespace atrium::sim {

// What may end a life.
enum class Doom : uint8_t { Call, Bulk, Schedule };
// Why somebody is out though the life goes on.
enum class Exit : uint8_t { Left, Replaced, Removed, Lost };

class LifeBook {
 public:
  struct Person {
    RoomId room;
    UserId user;
    RoomSid life;
  };

  // --- what is asked for
  void doom(const RoomSid& life, Doom why);
  void schedule_cancelled(const RoomSid& life);
  void excuse(const ParticipantSid& who, Exit why);
  // Nobody is in any life any more; a schedule goes over to the first life of its name that begins within a minute.
  void restarted(Mono now);

  // --- what the server does
  void let_in(const ParticipantSid& who, const Person& person, Mono now);
  void saw_record(const domain::DismissalRecord& record);
  void saw_durable(const OperationId& operation);
  void saw_event(const domain::Event& event);
  // Orders to shards.
  void saw_transport(LifeId number, const ParticipantSid& who);
  void saw_cut(LifeId number);
  void saw_teardown(const ParticipantSid& who);
  // Words to a client: a notice, or the code of a close frame as the notice's code; and an end without words.
  void saw_words(const ParticipantSid& who, domain::ClientCode code, const OperationId& operation);
  void saw_sent_away(const ParticipantSid& who);

  // --- what is looked at
  // Those whom nothing gives a reason to be out.
  std::vector<ParticipantSid> innocents();
  bool is_innocent(const ParticipantSid& who) const;
  bool is_doomed(const RoomSid& life) const;
  const Person* find(const ParticipantSid& who) const;
  std::string room_of(const RoomSid& life) const;  // empty: nobody was let into it
  // Of a name: the life that began last.
  std::optional<RoomSid> latest(const RoomId& room) const;

  void fail(const std::string& what);
  const std::vector<std::string>& violations() const { return violations_; }
  // Lives that were dismissed for good and followed by another of their name.
  uint64_t rounds() const { return rounds_; }
  uint64_t lives() const { return lives_.size(); }

 private:
  struct Life {
    RoomId room;
    RoomSid former;  // of the same name; empty: it is the first
    std::set<Doom> dooms = {};
    bool is_gone = false;  // its dismissal is on the disk
  };
  Life& life_of(const RoomSid& life) { return lives_[life]; }
  bool has_schedule(const RoomSid& life) const;
  std::string name_of(const ParticipantSid& who) const;

  std::map<RoomSid, Life> lives_;
  std::map<RoomId, RoomSid> latest_;
  std::map<RoomId, Mono> heirs_until_;
  std::map<ParticipantSid, Person> people_;
  std::set<ParticipantSid> present_;  // let in by the process that runs
  std::map<ParticipantSid, std::set<Exit>> exits_;
  std::map<OperationId, RoomSid> operations_;
  std::map<LifeId, RoomSid> numbers_;
  uint64_t rounds_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace atrium::sim
