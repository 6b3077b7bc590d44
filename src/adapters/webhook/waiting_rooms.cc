#include "adapters/webhook/waiting_rooms.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/limits.h"

namespace atrium::webhook {
namespace {

constexpr auto kRoomsHeldMax = static_cast<size_t>(limits::kWebhookRoomsPerFetch);
constexpr size_t kReadBelow = kRoomsHeldMax / 2;  // so that most of a page finds room
constexpr auto kRunMax = static_cast<size_t>(limits::kWebhookRunMax);
constexpr auto kFailingMax = static_cast<size_t>(limits::kWebhookRoomsBackedOffMax);
constexpr Duration kPause = std::chrono::milliseconds(limits::kWebhookBackoffMinMs);

}  // namespace

// --- reading the store ---------------------------------------------------------------------------

void WaitingRooms::on_news() {
  // Behind a reading that is under way, or in the middle of a round, the news may lie before the position.
  rounds_wanted_ = position_ == RoomKey() && !is_asked_ ? 1 : 2;
}

void WaitingRooms::on_deadline(Mono now) {
  if (now < no_wake_before_ || sleeping_.empty() || sleeping_.begin()->first > now) return;
  while (!sleeping_.empty() && sleeping_.begin()->first <= now) {
    failing_.at(sleeping_.begin()->second).not_before.reset();
    sleeping_.erase(sleeping_.begin());
  }
  no_wake_before_ = now + kPause;
  on_news();
}

std::optional<RoomKey> WaitingRooms::ask(Mono now) {
  if (is_asked_ || rounds_wanted_ == 0 || held_.size() >= kReadBelow || now < not_asked_before_)
    return std::nullopt;
  is_asked_ = true;
  ended_since_ask_.clear();
  return position_;
}

void WaitingRooms::on_answer(std::vector<domain::DeliveryRun> runs, uint64_t successes) {
  if (!is_asked_) return;
  is_asked_ = false;
  bool is_last_page = runs.size() < kRoomsHeldMax;
  std::set<RoomKey> there;
  std::optional<RoomKey> last;
  for (domain::DeliveryRun& run : runs) {
    RoomKey key{run.app, run.room};
    const bool is_full = run.deliveries.size() >= kRunMax;
    std::erase_if(run.deliveries, [this](const domain::Delivery& delivery) {
      return ended_since_ask_.contains(delivery.event.cursor);
    });
    const bool needs_place =
        !run.deliveries.empty() && !held_.contains(key) && !is_asleep(key, run.deliveries.front());
    if (needs_place && held_.size() >= kRoomsHeldMax) {
      is_last_page = false;
      break;
    }
    if (!run.deliveries.empty()) take(key, std::move(run.deliveries), is_full, successes);
    there.insert(key);
    last = std::move(key);
  }
  if (is_last_page || last) drop_what_is_gone(there, is_last_page ? std::nullopt : last);
  if (is_last_page) {
    position_ = {};
    if (rounds_wanted_ > 0) --rounds_wanted_;
  } else if (last) {
    position_ = std::move(*last);
  }
  ended_since_ask_.clear();
}

void WaitingRooms::on_no_answer(Mono now) {
  is_asked_ = false;
  not_asked_before_ = now + kPause;
}

Mono WaitingRooms::next_deadline(Mono now) const {
  Mono deadline = kNever;
  if (!sleeping_.empty()) deadline = std::max(sleeping_.begin()->first, no_wake_before_);
  if (!is_asked_ && rounds_wanted_ > 0 && now < not_asked_before_)
    deadline = std::min(deadline, not_asked_before_);
  return deadline;
}

bool WaitingRooms::is_asleep(const RoomKey& key, const domain::Delivery& head) const {
  const auto failing = failing_.find(key);
  return failing != failing_.end() && failing->second.cursor == head.event.cursor &&
         failing->second.not_before.has_value();
}

void WaitingRooms::take(const RoomKey& key, std::vector<domain::Delivery> run, bool is_full,
                        uint64_t successes) {
  if (const auto held = held_.find(key); held != held_.end())
    refresh(held->second, std::move(run), is_full, successes);
  else if (!is_asleep(key, run.front()))
    hold_anew(key, std::move(run), is_full, successes);
}

void WaitingRooms::hold_anew(const RoomKey& key, std::vector<domain::Delivery> run, bool is_full,
                             uint64_t successes) {
  Room& room = held_[key];
  room.successes = successes;
  room.may_have_more = is_full;
  run.resize(std::min(run.size(), kRunMax));
  room.run.assign(std::make_move_iterator(run.begin()), std::make_move_iterator(run.end()));
  uint64_t behind = 0;
  if (const auto found = failing_.find(key); found != failing_.end()) {
    const Failing& failing = found->second;
    domain::Delivery& head = room.run.front();
    if (failing.cursor == head.event.cursor) {
      // The answer may be older than the record of the last failure.
      head.attempts = std::max(head.attempts, failing.attempts);
      head.failed_beside_others = std::max(head.failed_beside_others, failing.failed_beside_others);
      room.successes = failing.successes;
      behind = kRoomsHeldMax;  // whoever was not tried yet goes first
    }
    forget_failing(key);
  }
  put_in_turn(key, room, behind);
}

// The store's run is newer than what is held of the room, but for what is under way.
void WaitingRooms::refresh(Room& room, std::vector<domain::Delivery> run, bool is_full,
                           uint64_t successes) {
  const int64_t first = room.run.front().event.cursor;
  room.may_have_more = is_full;
  if (room.is_under_way) {
    room.run.resize(1);
  } else {
    room.run.clear();
    if (run.front().event.cursor != first) room.successes = successes;
  }
  for (domain::Delivery& delivery : run) {
    if (room.is_under_way && delivery.event.cursor == first) continue;
    if (room.run.size() >= kRunMax) {
      room.may_have_more = true;
      break;
    }
    room.run.push_back(std::move(delivery));
  }
}

// Rooms that were in the range that was read, and did not come: expired, or not wanted any more.
void WaitingRooms::drop_what_is_gone(const std::set<RoomKey>& there,
                                     const std::optional<RoomKey>& up_to) {
  for (auto held = held_.upper_bound(position_); held != held_.end();) {
    const auto& [key, room] = *held;
    if (up_to && key > *up_to) return;
    if (room.is_under_way || there.contains(key)) {
      ++held;
      continue;
    }
    turns_.erase({room.place, key});
    held = held_.erase(held);
  }
}

// --- sending -------------------------------------------------------------------------------------

void WaitingRooms::put_in_turn(const RoomKey& key, Room& room, uint64_t behind) {
  room.is_under_way = false;
  room.place = ++places_ + behind;
  turns_.insert({room.place, key});
}

const domain::Delivery& WaitingRooms::next() const {
  CHECK(has_turn());
  return held_.at(turns_.begin()->second).run.front();
}

void WaitingRooms::begin() {
  CHECK(has_turn());
  held_.at(turns_.begin()->second).is_under_way = true;
  turns_.erase(turns_.begin());
}

void WaitingRooms::skip(uint64_t successes) {
  CHECK(has_turn());
  const RoomKey key = turns_.begin()->second;
  begin();
  on_ended(key, successes);
}

void WaitingRooms::on_ended(const RoomKey& key, uint64_t successes) {
  const auto held = held_.find(key);
  CHECK(held != held_.end() && held->second.is_under_way);
  Room& room = held->second;
  if (is_asked_) ended_since_ask_.insert(room.run.front().event.cursor);
  room.run.pop_front();
  room.successes = successes;
  if (!room.run.empty()) {
    put_in_turn(key, room, 0);
    return;
  }
  const bool may_have_more = room.may_have_more;
  held_.erase(held);
  if (may_have_more) on_news();
}

bool WaitingRooms::has_failed_beside_others(const RoomKey& room, uint64_t successes) const {
  return successes > held_.at(room).successes;
}

void WaitingRooms::on_failed(const RoomKey& key, const domain::Delivery& head, uint64_t successes,
                             std::optional<Mono> not_before) {
  const auto held = held_.find(key);
  CHECK(held != held_.end() && held->second.is_under_way);
  held_.erase(held);
  if (failing_.size() >= kFailingMax) {
    const RoomKey oldest = forgetting_.begin()->second;
    forget_failing(oldest);
    on_news();
  }
  Failing& failing = failing_[key];
  failing.cursor = head.event.cursor;
  failing.attempts = head.attempts;
  failing.failed_beside_others = head.failed_beside_others;
  failing.successes = successes;
  failing.order = ++orders_;
  failing.not_before = not_before;
  forgetting_.insert({failing.order, key});
  if (not_before)
    sleeping_.insert({*not_before, key});
  else
    on_news();
}

void WaitingRooms::forget_failing(const RoomKey& key) {
  const auto failing = failing_.find(key);
  forgetting_.erase({failing->second.order, key});
  if (failing->second.not_before) sleeping_.erase({*failing->second.not_before, key});
  failing_.erase(failing);
}

void WaitingRooms::let_go() {
  for (auto held = held_.begin(); held != held_.end();) {
    if (!held->second.is_under_way) {
      held = held_.erase(held);
      continue;
    }
    held->second.run.resize(1);
    held->second.may_have_more = false;
    ++held;
  }
  turns_.clear();
  failing_.clear(), sleeping_.clear(), forgetting_.clear();
  position_ = {};
  rounds_wanted_ = 0;
}

std::optional<Wall> WaitingRooms::oldest_held() const {
  std::optional<Wall> oldest;
  for (const auto& [key, room] : held_) {
    const Wall at = room.run.front().event.event.at;
    if (!oldest || at < *oldest) oldest = at;
  }
  return oldest;
}

}  // namespace atrium::webhook
