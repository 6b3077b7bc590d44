// A naive model of the registry, made of maps and full scans: who is present in which life, which tracks live, who is
// forwarded what, who is refused.  It decides on its own from commands and time; of the effects it takes only the
// sids
// that it cannot guess, and compares the rest.  Test code only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/registry.h"

namespace atrium::domain {

class RegistryModel {
 public:
  struct Person {
    Joiner joiner;
    RoomSid life;
    std::optional<ConnectionId> connection;
    bool is_join_sent = false, is_active = false, is_up = false;
    bool can_publish = true, can_subscribe = true;
    std::optional<Mono> active_by, grace_until, token_until, publish_until, subscribe_until;
    std::map<TrackSid, bool> tracks;  // → live
    std::map<TrackSid, bool> choices;
    bool is_open = true;
    std::set<UserId> allowed;
  };
  struct Life {
    RoomId name;
    bool is_fenced = false, is_closing = false;
    std::optional<Mono> empty_since;
    int late_turns = 0;
  };
  // What one user interface believes about one other user.
  struct Believed {
    ParticipantSid sid;
    std::set<TrackSid> live_tracks;
    bool operator==(const Believed&) const = default;
  };
  using Forward = std::pair<ParticipantSid, TrackSid>;
  using Beliefs = std::map<UserId, Believed>;

  explicit RegistryModel(RegistryOptions options) : options_(options) {}

  // Applies the command to the model, taking sids from `effects`, and compares.  Yields what was wrong, in words.
  std::vector<std::string> step(const Command& command, Now now, const Effects& effects);
  // What the world said when the registry asked it to cut the life (RegistryOptions::cut_at_once), before the step.
  void note_cut(const RoomSid& life, RegistryOptions::Carried carried) { carried_[life] = carried; }
  // Compares the whole state; beliefs only where nothing may be pending.
  std::vector<std::string> compare(const Registry& registry, bool with_beliefs) const;
  // Every session and life that began has ended, every caller was answered.
  std::vector<std::string> balance() const;

  const std::map<ParticipantSid, Person>& people() const { return people_; }

 private:
  struct Refusal {
    RoomId room;
    UserId user;
    Sha256 token{};
    Mono until{};
    bool refuses_join = true;
    ClientCode code = ClientCode::RoomDismiss;
  };
  struct Ban {
    BanId id;
    Mono until{};
  };
  // What the store's answer about a kick or ban decides; keys are "room/user", "/user" for every room.
  struct BanWrite {
    std::string key;
    BanId erase_if_failed, erase_if_ok;
    std::optional<Ban> put_if_ok;
  };
  struct Operation {
    RoomSid life;
    bool is_cut = false, is_closed = false, is_final = false;
    int records = 2;  // that must be durable before success
    int stored_ok = 0, stored_failed = 0;
  };

  void expect(bool holds, const std::string& what) {
    if (!holds) wrongs_.push_back(what);
  }
  void fire_due();
  void close_life(const CloseRoom& effect);
  void count_late_turns(Now now);
  void compare_beliefs(std::vector<std::string>& wrongs) const;
  void remove(const ParticipantSid& sid, bool leaves_farewell);
  bool kick(const std::optional<RoomId>& room, const UserId& user);  // whether anybody was in
  void kick(const ParticipantSid& sid);
  bool is_banned(const Joiner& joiner) const;
  void expect_write(const Effects& effects, bool is_due, BanWrite write);
  void drop_track(const ParticipantSid& publisher, const TrackSid& track);
  bool is_live_in(const RoomSid& life, const TrackSid& track, const ParticipantSid& not_of) const;
  Person* find(const ParticipantSid& sid);
  std::optional<RoomSid> current(const RoomId& name) const;
  std::set<Forward> wanted_forwards() const;
  void take_token(Person& person, const Joiner& joiner);
  std::optional<ClientCode> take_refusal(const Joiner& joiner);

  void on(const Join& command, const Effects& effects);
  void on(const Resume& command, const Effects& effects);
  void on(const JoinSent& command, const Effects& effects);
  void on(const SignalLost& command, const Effects& effects);
  void on(const Leave& command, const Effects& effects);
  void on(const AddTrack& command, const Effects& effects);
  void on(const TrackLive& command, const Effects& effects);
  void on(const TrackGone& command, const Effects& effects);
  void on(const UpdateSubscription& command, const Effects& effects);
  void on(const SubscriptionPermission& command, const Effects& effects);
  void on(const RenewToken& command, const Effects& effects);
  void on(const TransportUp& command, const Effects& effects);
  void on(const TransportDown& command, const Effects& effects);
  void on(const TransportClosed& command, const Effects& effects);
  void on(const DismissRoom& command, const Effects& effects);
  void on(const BanUsers& command, const Effects& effects);
  void on(const UpdateBan& command, const Effects& effects);
  void on(const RemoveUser& command, const Effects& effects);
  void on(const RoomCut& command, const Effects& effects);
  void on(const RoomClosed& command, const Effects& effects);
  void on(const RecordStored& command, const Effects& effects);
  void on(const SendMessage& command, const Effects& effects);
  template <typename Other>
  void on(const Other&, const Effects&) {}

  void observe(const Effects& effects);
  void see(const StartForward& effect);
  void see(const StopForward& effect);
  void see(const PersistDismissal& effect);
  void see(const JoinAccepted& effect);
  void see(const ResumeAccepted& effect);
  void see(const ParticipantUpdate& effect);
  void see(const SendLeave& effect);
  void see(const Event& effect);
  void see(const ActionReply& effect);
  void see(const DismissReply& effect);
  template <typename Other>
  void see(const Other&) {}
  void add_refusals(const std::vector<Tombstone>& tombstones);
  static void believe(Beliefs& beliefs, const ParticipantView& view);

  RegistryOptions options_;
  Now now_;
  Mono turn_before_{};
  std::map<ParticipantSid, Person> people_;  // of Active lives
  std::map<ParticipantSid, Person> fenced_;  // of lives being dismissed
  std::map<RoomSid, Life> lives_;
  std::map<RoomSid, RegistryOptions::Carried> carried_;
  std::map<ParticipantSid, Refusal> refusals_;
  std::map<OperationId, Operation> operations_;
  std::set<WaiterId> waiting_;
  std::set<ParticipantSid> were_there_;  // connected before this step
  std::set<Forward> forwards_;           // as the effects say
  std::map<ParticipantSid, Beliefs> beliefs_;
  std::map<std::string, Ban> bans_;
  std::map<OperationId, BanWrite> ban_writes_;
  std::map<ParticipantSid, uint32_t> versions_;  // last told
  std::map<ParticipantSid, std::shared_ptr<const ParticipantView>>
      told_;  // as last shown to anybody
  std::map<ParticipantSid, int> joined_, left_;
  std::map<RoomSid, int> started_, ended_;
  std::vector<std::string> wrongs_;
};

}  // namespace atrium::domain
