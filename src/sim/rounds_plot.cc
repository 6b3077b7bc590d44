// Who does what when: the rounds of a name, and what goes wrong meanwhile.
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kInRoundMax = std::chrono::milliseconds(2'500);
constexpr Duration kTroubleMost = std::chrono::seconds(2);
constexpr Duration kBackWithin = std::chrono::milliseconds(1'200);  // the grace is 3 s
constexpr std::string_view kLeave("\x42\x00", 2);                   // SignalRequest{leave: {}}

std::string room_field(const std::string& room) {
  return R"(,"RoomId":")" + room + "\"";
}

}  // namespace

bool Rounds::is_done() const {
  const Mono over = began_ + options_.span / 4 + options_.outage;
  return book_.rounds() >= options_.rounds && consumer_.events() >= options_.events && mono_ > over;
}

void Rounds::begin_round(size_t name) {
  if (!is_acting_) return;
  for (uint64_t i = 1 + below(3); i > 0; --i)
    at(some_delay(), [this, name] { join(name, below(names_[name].places.size())); });
  for (uint64_t i = below(3); i > 0; --i)
    at(between(std::chrono::milliseconds(50), kInRoundMax),
       [this, name] { something_happens(name); });
  at(between(std::chrono::milliseconds(500), kInRoundMax), [this, name] { end_life(name); });
}

void Rounds::join(size_t name, size_t user) {
  if (!is_up()) return;
  const Place& place = names_[name].places[user];
  // Who is in already comes again now and then, from another device.
  if (place.connection && !one_in(8)) return;
  ++outcome_.figures.joins;
  dial(name, user, false);
}

void Rounds::leave(size_t name, size_t user) {
  const Place& place = names_[name].places[user];
  if (!is_up() || !place.connection || place.who.empty()) return;
  const auto known = connections_.find(*place.connection);
  if (known == connections_.end() || known->second.is_closing) return;
  book_.excuse(place.who, Exit::Left);
  const ConnectionId id = *place.connection;
  names_[name].places[user].connection.reset();
  control_->on_websocket_message(id, kLeave, true, now());
  lose(id);
}

void Rounds::something_happens(size_t name) {
  if (!is_acting_ || !is_up()) return;
  const size_t user = below(names_[name].places.size());
  Place& place = names_[name].places[user];
  const uint64_t choice = below(100);
  if (choice < 25) return leave(name, user);
  if (choice < 45) return schedule(name);
  if (choice < 60) return change_schedule(name);
  const std::string fields = room_field(room_of(name)) + R"(,"UserId":")" + user_of(user) + "\"";
  if (choice < 70)
    return call({.action = "KickUser", .fields = fields, .name = name}, some_delay());
  if (choice < 75)
    return call(
        {.action = "BanRoomUser", .fields = fields + R"(,"ForbiddenInterval":10)", .name = name},
        some_delay());
  if (!place.connection || place.who.empty()) return;
  const ConnectionId id = *place.connection;
  if (choice < 85) {  // gone for good
    book_.excuse(place.who, Exit::Lost);
    place.connection.reset();
    return lose(id);
  }
  lose(id);
  at_this_boot(between(std::chrono::milliseconds(1), kBackWithin), [this, name, user, id] {
    if (names_[name].places[user].connection == id) dial(name, user, true);
  });
}

// --- how a life ends, and what comes behind --------------------------------------------------

void Rounds::end_life(size_t name) {
  if (!is_acting_) return;
  check_innocents();
  const RoomSid former = book_.latest(RoomId(room_of(name))).value_or(RoomSid());
  const uint64_t choice = below(100);
  if (choice < 70 || former.empty()) {
    dismiss(name, choice >= 50);
    if (one_in(4)) dismiss(name, one_in(2));  // by two backends at once
  } else if (choice < 80) {
    const std::string which = one_in(4) ? R"(,"Prefix":"room","PerSecond":2)"
                                        : R"(,"RoomIds":[")" + room_of(name) + R"("])";
    call({.action = "DismissRooms", .fields = which, .name = name}, some_delay());
  } else if (choice < 92) {
    schedule(name);
  } else {
    for (size_t user = 0; user < names_[name].places.size(); ++user) leave(name, user);
  }
  for (uint64_t i = 1 + below(3); i > 0; --i)
    at(between(Duration(0), std::chrono::milliseconds(800)),
       [this, name] { join(name, below(names_[name].places.size())); });
  for (uint64_t i = below(3); i > 0; --i)
    at(between(Duration(0), std::chrono::seconds(3)),
       [this, name, former] { late_order(name, former); });
  if (below(options_.rounds) < options_.crashes)
    at(between(Duration(0), std::chrono::milliseconds(500)), [this] {
      if (is_acting_) one_in(2) ? crash() : disk_.crash_in(1 + below(40));
    });
  const Duration pause = options_.span / static_cast<int64_t>(options_.rounds / options_.names + 1);
  at(std::max<Duration>(between(pause / 2, pause + pause / 2) - kInRoundMax / 2,
                        std::chrono::milliseconds(300)),
     [this, name] { begin_round(name); });
}

void Rounds::dismiss(size_t name, bool is_of_this_life) {
  Call order{.action = "DismissRoom", .fields = room_field(room_of(name)), .name = name};
  if (is_of_this_life) order.if_life = book_.latest(RoomId(room_of(name)));
  if (order.if_life) order.fields += R"(,"IfRoomSessionId":")" + order.if_life->value + "\"";
  if (one_in(3)) order.key = "key-" + std::to_string(next_key_++);
  if (!order.key.empty()) names_[name].keyed = order;
  call(std::move(order), some_delay());
}

// A life has one at most, so that it is known what a cancellation takes away.
void Rounds::schedule(size_t name) {
  const auto life = book_.latest(RoomId(room_of(name)));
  if (!life || book_.is_doomed(*life)) return;
  call({.action = "ScheduleDismissal",
        .fields = room_field(room_of(name)) + R"(,"IfRoomSessionId":")" + life->value +
                  R"(","AfterSeconds":)" + std::to_string(1 + below(one_in(4) ? 30 : 2)) +
                  R"(,"WarnBeforeSeconds":[1])",
        .name = name},
       between(Duration(1), std::chrono::milliseconds(20)));
}

void Rounds::change_schedule(size_t name) {
  if (!names_[name].schedule) return;
  const auto& [id, life] = *names_[name].schedule;
  const bool cancels = one_in(2);
  call({.action = cancels ? "CancelDismissal" : "ExtendDismissal",
        .fields = R"(,"ScheduleId":")" + id + "\"" + (cancels ? "" : R"(,"BySeconds":1)"),
        .name = name,
        .schedule = id,
        .schedule_of = life},
       some_delay());
}

// Meant for a life that is gone, or should be.
void Rounds::late_order(size_t name, const RoomSid& former) {
  if (!is_acting_ || !is_up() || former.empty()) return;
  ++outcome_.figures.late_orders;
  const uint64_t choice = below(100);
  if (choice < 30)
    return call(
        {.action = "DismissRoom",
         .fields = room_field(room_of(name)) + R"(,"IfRoomSessionId":")" + former.value + "\"",
         .name = name,
         .if_life = former},
        some_delay());
  if (choice < 60 && names_[name].keyed) {
    ++outcome_.figures.repeats;
    return call(*names_[name].keyed, some_delay());
  }
  if (choice < 80) return change_schedule(name);
  for (size_t user = 0; user < names_[name].places.size(); ++user) {
    const Place& place = names_[name].places[user];
    const LifeBook::Person* person = book_.find(place.who);
    if (person != nullptr && person->life == former && !place.connection)
      return dial(name, user, true);
  }
}

// --- what goes wrong ---------------------------------------------------------------------------

void Rounds::fate() {
  if (!is_acting_) return;
  at(between(std::chrono::seconds(20), std::chrono::seconds(100)), [this] { fate(); });
  if (!one_in(4)) return;
  ++outcome_.figures.bursts_of_trouble;
  disk_.set_trouble(one_in(2) ? SimDisk::Trouble::FailingSyncs : SimDisk::Trouble::Full);
  at(between(Duration(0), kTroubleMost), [this] { disk_.set_trouble(SimDisk::Trouble::None); });
}

}  // namespace atrium::sim
