// Room: one life of a room name.  Active → Dismissing → gone, or Active → Closing → gone.
// Owner: Core.  Holds the people present, those on their way out, and what the others have yet to hear.
// Does not: emit effects or arm timers; the desks (doors.cc, tracks.cc, …) do.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "domain/effect.h"
#include "domain/participant.h"
#include "domain/update_coalescer.h"

namespace atrium::domain {

struct RoomName {
  AppId app;
  RoomId room;
  friend auto operator<=>(const RoomName&, const RoomName&) = default;
};

enum class LifePhase : uint8_t {
  Active,      // the name's current life
  Dismissing,  // fenced; an operation runs
  Closing,     // ended empty; media tears it down
};

// A removed user on the way out: no longer present, its transport not yet gone.
//   AwaitNoticeAck → AwaitLeave → AwaitTransportClosed → forgotten
enum class DepartureStep : uint8_t { AwaitNoticeAck, AwaitLeave, AwaitTransportClosed };
struct Departure {
  DepartureStep step = DepartureStep::AwaitTransportClosed;
  std::optional<ConnectionId> connection;
  SendLeave leave;  // what AwaitNoticeAck leads to
};

class Room {
 public:
  Room(RoomName room_name, RoomSid room_sid, uint64_t room_epoch, Wall created_at);

  // --- changed by the desks ---------------------------------------------------------------------
  LifePhase phase = LifePhase::Active;
  OperationId operation;  // when Dismissing
  std::map<ParticipantSid, Participant> participants;
  std::map<UserId, ParticipantSid> users;
  std::set<ParticipantSid>
      announced;  // visible and known to others: few, even among ten thousand invisible users
  std::map<TrackSid, ParticipantSid> tracks;  // publications, live or asked for → their publisher
  std::map<ParticipantSid, Departure> departures;
  UpdateCoalescer updates;
  bool must_flush = false;          // an update has to go out with this command's effects
  uint64_t subscription_count = 0;  // forwards in force

  // What a backend may choose for one life (RoomService's CreateRoom).
  std::string metadata;
  uint32_t max_participants = 0;  // 0: no bound of its own
  Duration empty_timeout{};       // until somebody joins
  Duration departure_timeout{};   // after the last one left
  bool was_joined = false;        // by anybody

  // What users may not send; outlives their leaving and coming back.
  struct StreamBan {
    bool audio = false, video = false;
  };
  std::map<UserId, StreamBan> stream_bans;

  // What view() counts; each by ±1 where it changes.
  struct Tally {
    uint32_t visible = 0, hidden = 0, publishers = 0, live_tracks = 0;
    friend bool operator==(const Tally&, const Tally&) = default;
  };
  Tally tally;
  Tally announced_tally;  // as of the last RoomUpdate

  // What the policy of the name goes by.
  struct PolicyClock {
    Mono opened{};
    Mono silent_since{};  // while nobody publishes
    // While the policy asks for hosts: those who are here, and since when they are not any more.
    std::set<ParticipantSid> hosts;
    bool had_host = false;
    std::optional<Mono> hostless_since;
    // The end that users were warned of last, and how many of its warnings were said.
    struct Told {
      EndCause cause = EndCause::EndAt;
      int64_t due = 0;  // microseconds, of the wall clock for EndAt, else of the mono clock
      size_t warnings = 0;
      friend bool operator==(const Told&, const Told&) = default;
    };
    std::optional<Told> told;
    std::optional<Mono> end_slot;  // its time has come, and its turn is then
  };
  PolicyClock policy_clock;

  // Remembers a departure so that who resumes later hears of it; bounded by kDepartedPerRoomMax.
  void remember_departure(std::shared_ptr<const ParticipantView> last_view, Now now);
  // Departures since `since` whose users the others do not see again, oldest first.
  std::vector<std::shared_ptr<const ParticipantView>> departed_since(Mono since) const;

  Participant* find(const ParticipantSid& participant);
  // The live publication and its publisher; nulls when there is none of this sid.
  struct LiveTrack {
    Participant* publisher = nullptr;
    Publication* publication = nullptr;
    explicit operator bool() const { return publication != nullptr; }
  };
  LiveTrack find_live_track(const TrackSid& track);
  // Somebody on the way out has yet to be told.
  bool has_untold_departure() const;

  const RoomName& name() const { return name_; }
  const RoomSid& sid() const { return sid_; }
  uint64_t epoch() const { return epoch_; }
  Wall created_at() const { return created_at_; }
  RoomView view() const;
  // How the announced participants look now, without `except`.
  std::vector<std::shared_ptr<const ParticipantView>> announced_views(
      const ParticipantSid& except) const;
  void check_invariants() const;

 private:
  struct Departed {
    Mono at{};
    std::shared_ptr<const ParticipantView> view;
  };
  RoomName name_;
  RoomSid sid_;
  uint64_t epoch_;
  Wall created_at_;
  std::deque<Departed> departed_;
};

}  // namespace atrium::domain
