// Registry: decides everything about rooms and the people in them.  Owner: the control thread's node.  Pure: same
// state,
// same command, same now → same effects.  Does not: send, store, read a clock, know a packet.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/secret_source.h"
#include "domain/apps.h"
#include "domain/command.h"
#include "domain/effect.h"
#include "domain/webhooks.h"

namespace atrium::domain {

struct RegistryOptions {
  Duration empty_room_grace = std::chrono::milliseconds(10'000);
  Duration resume_grace = std::chrono::milliseconds(20'000);
  // Takes each CutRoom the moment its life is fenced, before the events and tombstones of its users are made: media of
  // a large room stops some milliseconds earlier (docs/decisions/cut-before-the-books.md).  Says whether anything
  // carries the life's media: where nothing does there is no RoomCut, since the life is cut by having been asked.  It
  // must not call the registry.  Empty: the cut is an effect in its place among the others.
  enum class Carried : uint8_t { No, Yes };
  std::function<Carried(CutRoom)> cut_at_once = {};
};

class Registry {
 public:
  // `secrets` gives the sids and must outlive the registry.
  Registry(SecretSource& secrets, RegistryOptions options);
  ~Registry();

  Effects apply(Command command, Now now);
  Mono next_deadline() const;  // when to send Tick at the latest; kNever

  // Queries: what a management call may read.  Lists are ordered by id.
  std::optional<RoomView> find_room(const AppId& app,
                                    const RoomId& room) const;  // the current life
  // Those whose id comes after `after` (empty: from the start), at most `limit`.
  std::vector<RoomView> list_rooms(const AppId& app, const RoomId& after, size_t limit) const;
  std::vector<std::shared_ptr<const ParticipantView>> participants(const RoomSid& room_sid)
      const;  // hidden ones too; shared with who is told of them, not copied
  std::optional<DismissalRecord> find_operation(
      const OperationId& operation) const;  // running or recent

  // Who is in the name's current life, and with what; null when nobody of this id is.
  std::shared_ptr<const ParticipantView> find_user(const AppId& app, const RoomId& room,
                                                   const UserId& user) const;
  bool is_in_any_room(const AppId& app, const UserId& user) const;

  const Apps& apps() const;
  const Webhooks& webhooks() const;

  // What a DismissRooms with this filter would mean at `now`: at most `limit` of it.
  std::vector<BulkItem> find_lives(const AppId& app, const BulkFilter& filter, Wall now,
                                   size_t limit) const;

  bool is_banned(const AppId& app,
                 const BanTarget& target) const;  // a rule of exactly this target is in force

  // Dismissals that count down, also those that wait for their room after a restart.
  std::optional<Schedule> find_schedule(const AppId& app, const ScheduleId& schedule) const;
  // Those whose id comes after `after` (empty: from the start), at most `limit`.
  std::vector<Schedule> list_schedules(const AppId& app, const ScheduleId& after,
                                       size_t limit) const;
  std::optional<RoomPolicy> find_policy(const AppId& app, const RoomId& room) const;

  struct Counts {
    uint64_t rooms = 0, dismissing = 0, participants = 0, tracks = 0, subscriptions = 0,
             tombstones = 0, operations = 0, bans = 0;
  };
  Counts counts() const;
  // Aborts when an invariant is broken; called after every command by the model test and the simulator.
  void check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atrium::domain
