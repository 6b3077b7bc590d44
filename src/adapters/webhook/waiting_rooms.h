// WaitingRooms: of the deliveries that wait in the store for one webhook, the few that are held in memory; which room's
// turn it is; and where to read on.  Owner: Dispatcher.  Thread: control.  Does not: know whether the destination is
// well, count attempts, send.
//
// A room is held with a run of its first deliveries, of which one may be under way.  A room whose head failed is let go
// of, so that failing rooms never fill the memory, and is remembered as failing until it comes again with a later
// reading; while it sleeps it is passed over then.  Reading goes round through all rooms in the order of their names,
// a page at a time.  News (something may wait that is not held) ask for one whole round; no news, no reading.
//
// At most kWebhookRoomsPerFetch rooms of kWebhookRunMax deliveries are held, kWebhookRoomsBackedOffMax are remembered
// as failing: of more than that the oldest is forgotten and may be tried at once.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "domain/webhook.h"

namespace atrium::webhook {

struct RoomKey {
  AppId app;
  RoomId room;
  friend auto operator<=>(const RoomKey&, const RoomKey&) = default;
};

class WaitingRooms {
 public:
  // --- reading the store

  // Something may wait that is not held.
  void on_news();
  // Sleepers whose time has come are news; at most once in kWebhookBackoffMinMs, so that many of them share a round.
  void on_deadline(Mono now);
  // The room behind which to read now (an empty key: from the start); nullopt: not now.  Whoever is told is to answer
  // once, with one of the two below.
  std::optional<RoomKey> ask(Mono now);
  // What the store had at some time since ask(), in its order; fewer than kWebhookRoomsPerFetch rooms: none behind
  // them.  `successes` of the destination so far.
  void on_answer(std::vector<domain::DeliveryRun> runs, uint64_t successes);
  void on_no_answer(Mono now);  // the store refused: asked again after kWebhookBackoffMinMs
  // When on_deadline() or ask() has something to do next; behind `now`.
  Mono next_deadline(Mono now) const;

  // --- sending

  bool has_turn() const { return !turns_.empty(); }
  // The delivery whose turn it is.  Requires has_turn().
  const domain::Delivery& next() const;
  // It is under way now.
  void begin();
  // It is over, delivered or not: the room goes on.
  void skip(uint64_t successes);
  // The same of a delivery under way; its room is held.
  void on_ended(const RoomKey& room, uint64_t successes);
  // A delivery under way failed.  Has the destination had a success since the delivery became the first of its room,
  // or since its last failure?
  bool has_failed_beside_others(const RoomKey& room, uint64_t successes) const;
  // `head` with its counts as of now.  The room is let go of until `not_before`; nullopt: it may come again at once.
  void on_failed(const RoomKey& room, const domain::Delivery& head, uint64_t successes,
                 std::optional<Mono> not_before);

  // Forgets everything but what is under way.
  void let_go();

  size_t held() const { return held_.size(); }
  size_t failing() const { return failing_.size(); }
  std::optional<Wall> oldest_held() const;

 private:
  struct Room {
    std::deque<domain::Delivery> run;  // never empty
    bool is_under_way = false;         // the first of the run
    bool may_have_more = false;        // the store's run was full
    uint64_t place = 0;                // in turns_, unless under way
    uint64_t successes =
        0;  // of the destination, when the first of the run became that or failed last
  };
  struct Failing {
    int64_t cursor = 0;  // of the delivery that failed; its counts as of then
    uint32_t attempts = 0, failed_beside_others = 0;
    uint64_t successes = 0, order = 0;
    std::optional<Mono> not_before;
  };

  void put_in_turn(const RoomKey& key, Room& room, uint64_t behind);
  void remove_first(const RoomKey& key, Room& room, uint64_t successes);
  void take(const RoomKey& key, std::vector<domain::Delivery> run, bool is_full,
            uint64_t successes);
  bool is_asleep(const RoomKey& key, const domain::Delivery& head) const;
  void hold_anew(const RoomKey& key, std::vector<domain::Delivery> run, bool is_full,
                 uint64_t successes);
  void refresh(Room& room, std::vector<domain::Delivery> run, bool is_full, uint64_t successes);
  void drop_what_is_gone(const std::set<RoomKey>& there, const std::optional<RoomKey>& up_to);
  void forget_failing(const RoomKey& key);

  // given: the store's
  std::map<RoomKey, Room> held_;
  std::map<RoomKey, Failing> failing_;
  // derived
  std::set<std::pair<uint64_t, RoomKey>> turns_;       // held rooms of which nothing is under way
  std::set<std::pair<Mono, RoomKey>> sleeping_;        // failing rooms with a not_before
  std::set<std::pair<uint64_t, RoomKey>> forgetting_;  // failing rooms, the oldest first
  uint64_t places_ = 0, orders_ = 0;
  // of reading
  RoomKey position_;  // what was read last; empty: at the start
  bool is_asked_ = false;
  int rounds_wanted_ =
      0;  // ends of the order to be met before everything was read since the last news
  std::set<int64_t> ended_since_ask_;  // cursors; the answer may still have them
  Mono not_asked_before_{}, no_wake_before_{};
};

}  // namespace atrium::webhook
