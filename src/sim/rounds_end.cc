// What is looked at when the rounds are over: the consumer's table, and what it was sent against what the store has.
#include <cstdio>

#include "domain/webhook_words.h"
#include "sim/rounds.h"

namespace atrium::sim {
namespace {

constexpr Duration kStep = std::chrono::seconds(10), kPatience = std::chrono::hours(2);
constexpr size_t kPage = 1'000;

}  // namespace

void Rounds::settle() {
  is_acting_ = has_faults_ = false;
  disk_.crash_in(0);
  disk_.set_trouble(SimDisk::Trouble::None);
  run_for(std::chrono::seconds(100));  // schedules come due, or wait for heirs no longer
  if (!is_up()) return book_.fail("the node did not come back");
  for (size_t name = 1; name < names_.size(); ++name)
    for (size_t user = 0; user < 1 + name % 3; ++user) {
      names_[name].places[user].connection.reset();
      dial(name, user, false);
    }
  run_for(std::chrono::seconds(5));
  check_innocents();
  if (book_.innocents().empty()) book_.fail("nobody is in at the end");
  wait_for_the_table("with users in the rooms");
  for (size_t name = 0; name < names_.size(); ++name)
    for (size_t user = 0; user < names_[name].places.size(); ++user) leave(name, user);
  run_for(std::chrono::seconds(20));
  wait_for_the_table("when all have left");
  crash_now();
  check_order();
}

CallbackConsumer::Table Rounds::truth() const {
  CallbackConsumer::Table out;
  const domain::Registry& registry = control_->registry();
  for (const domain::RoomView& room : registry.list_rooms(AppId(kApp), RoomId(), kPage)) {
    auto& users = out[room.room.value];
    for (const auto& participant : registry.participants(room.sid))
      users.insert(participant->user.value);
  }
  return out;
}

void Rounds::wait_for_the_table(std::string_view when) {
  const Mono end = mono_ + kPatience;
  while (consumer_.table() != truth() && mono_ < end) run_for(kStep);
  if (consumer_.table() == truth()) return;
  book_.fail("the consumer's table differs from the truth " + std::string(when));
  if (options_.is_verbose) print_difference();
}

void Rounds::print_difference() const {
  const auto print = [](const char* whose, const CallbackConsumer::Table& table) {
    for (const auto& [room, users] : table) {
      std::printf("  %s %s:", whose, room.c_str());
      for (const std::string& user : users) std::printf(" %s", user.c_str());
      std::printf("\n");
    }
  };
  print("the server's", truth());
  print("the consumer's", consumer_.table());
}

// Each room's events came, all of them, in the order that the store gave them.
void Rounds::check_order() {
  disk_.boot(SimDisk::Loss::Nothing);
  auto store = store::Store::open(disk_.path(), store_options(), now());
  auto webhooks = store ? store->load_webhooks() : std::unexpected(store.error());
  if (!webhooks || webhooks->size() != 1) return book_.fail("the store cannot be read at the end");
  std::map<std::string, std::vector<std::string>> stored;
  for (int64_t cursor = 0;;) {
    const auto page =
        store->list_events({.app = AppId(kApp), .after_cursor = cursor, .limit = kPage});
    if (!page) return book_.fail("events cannot be read at the end");
    for (const domain::StoredEvent& one : page->events) {
      cursor = one.cursor;
      if (domain::wants(webhooks->front(), one.event))
        stored[one.event.room.value].push_back(one.event.id.value);
    }
    if (page->events.empty()) break;
  }
  for (const auto& [room, ids] : stored) {
    const auto received = consumer_.received().find(room);
    if (received == consumer_.received().end() || received->second != ids)
      book_.fail("the consumer was not sent the events of " + room + " as they are in the store");
  }
  if (stored.size() != consumer_.received().size()) book_.fail("events of rooms that never were");
  const auto dead = store->list_dead_letters(webhooks->front().id, 0, 1);
  if (!dead || !dead->empty()) book_.fail("an event was given up");
}

}  // namespace atrium::sim
