// For tests: a store in a folder of its own, and short words for what is written into it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "adapters/store/store.h"
#include "base/seeded_secret_source.h"

namespace atrium::store {

inline constexpr Wall kStoreStart = wall_from_unix_ms(1'800'000'000'123);
inline constexpr Duration kStoreDay = std::chrono::days(1);

class StoreFixture : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::temp_directory_path() /
              ("atrium_" + std::string(test->test_suite_name()) + "_" + test->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    restart();
  }
  void TearDown() override {
    store.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string path() const { return (folder_ / "atrium.db").string(); }
  // The next process, so long after the first.
  void restart(Duration after = {}) {
    store.reset();
    options.sealing.nonces = &nonces_;
    store.emplace(MUST(Store::open(path(), options, {Mono(1s), kStoreStart + after})));
  }
  bool write(WriteRequest request) {
    const std::vector<WriteRequest> batch = {std::move(request)};
    return store->apply_batch(batch).at(0).has_value();
  }
  bool write(std::vector<domain::Event> events) { return write(of_events(std::move(events))); }
  Purged purge(Duration after) { return MUST(store->purge(kStoreStart + after)); }

  // EV_<number> of the room's life RM_<room>, `number` milliseconds after the start.
  static domain::Event event(int number, const std::string& room = "room",
                             domain::EventKind kind = domain::EventKind::TrackPublished) {
    domain::Event out;
    out.id = EventId("EV_" + std::to_string(number));
    out.kind = kind;
    out.app = AppId("app");
    out.room = RoomId(room);
    out.room_sid = RoomSid("RM_" + room);
    out.at = kStoreStart + std::chrono::milliseconds(number);
    const bool is_of_life =
        kind == domain::EventKind::RoomStarted || kind == domain::EventKind::RoomEnded;
    if (is_of_life) return out;
    out.participant = ParticipantSid("PA_" + std::to_string(number));
    out.user = UserId("user" + std::to_string(number));
    return out;
  }
  static domain::Event joined(int number, const std::string& room = "room") {
    return event(number, room, domain::EventKind::UserJoined);
  }
  static std::vector<domain::Event> events(int from, int to, const std::string& room = "room") {
    std::vector<domain::Event> out;
    for (int number = from; number <= to; ++number) out.push_back(event(number, room));
    return out;
  }
  domain::EventsPage list(domain::EventQuery query = {}) {
    query.app = AppId("app");
    if (query.limit == 0) query.limit = 100;
    return MUST(store->list_events(query));
  }
  static std::vector<std::string> ids(const std::vector<domain::StoredEvent>& events) {
    std::vector<std::string> out;
    for (const domain::StoredEvent& one : events) out.push_back(one.event.id.value);
    return out;
  }
  static std::vector<int64_t> sequences(const std::vector<domain::StoredEvent>& events) {
    std::vector<int64_t> out;
    for (const domain::StoredEvent& one : events) out.push_back(one.sequence);
    return out;
  }

  StoreOptions options;
  std::optional<Store> store;

 private:
  std::filesystem::path folder_;
  SeededSecretSource nonces_{5};
};

}  // namespace atrium::store
