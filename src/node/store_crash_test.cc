// Management calls against a node whose machine dies at every numbered write and sync of its store, in every way in
// which a disk forgets.  What the callers were told stands outside (Told); a second node that starts from what the disk
// kept must know all of that, and nothing half.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

#include "adapters/store/vfs_disk_testing.h"
#include "base/seeded_secret_source.h"
#include "node/control_fixture.h"

namespace atrium::node::testing {
namespace {

namespace fs = std::filesystem;
using store::DiskModel;
using store::FaultVfs;
using store::VfsStep;

constexpr const char* kVendor = "2023-11-01";
constexpr const char* kNewApp = "0123456789abcdef01234567";

// The calls, in the order in which they are made.
enum class Step : uint8_t {
  Dismiss,
  BanRoom,
  BanUser,
  Update,
  BanAnother,
  Lift,
  Kick,
  CreateApp,
  DisableApp
};

struct Told {
  std::set<Step> done;    // answered with success
  std::set<Step> begun;   // asked for
  std::string operation;  // of the dismissal, from its receipt
  bool has(Step step) const { return done.contains(step); }
};

// One node from its start to its end: the control plane of the fixture and a real store worker.
class Machine : public ControlTest {
 public:
  using ControlTest::kApp;
  Machine(const fs::path& folder, FaultVfs& vfs) {
    store::StoreOptions options;
    options.vfs = vfs.name();
    options.sealing.nonces = &nonces_;
    auto opened = store::Store::open((folder / "atrium.db").string(), std::move(options), now);
    if (!opened) return;
    auto tombstones = opened->load_tombstones(now.wall);
    auto rules = opened->list_bans(AppId(), BanId(), 1'000, now.wall);
    auto apps = opened->load_apps();
    if (!tombstones || !rules || !apps) return;
    control->restore(*apps, now);
    control->restore(*tombstones, now);
    control->restore(*rules, now);
    worker_ = std::make_unique<StoreWorker>(std::move(*opened), to_store, from_store);
  }
  void TestBody() override {}

  bool is_up() const { return worker_ != nullptr; }

  ConnectionId join(const std::string& user, const std::string& room) {
    return upgrade(jwt(user, room));
  }
  void lose(ConnectionId id) { control->on_closed(id, now); }

  // Whether the caller was told that it succeeded.
  bool call(const std::string& action, const std::string& version, const std::string& fields,
            const std::string& app = kApp) {
    const ConnectionId id =
        api(action, version, std::string(R"({"AppId":")") + app + "\"" + fields + "}");
    run();
    answer = body_of(id);
    return !http.seen[id].responses.empty() && http.seen[id].responses.back().status == 200;
  }
  int join_status(const std::string& user, const std::string& room) {
    const ConnectionId id = join(user, room);
    return http.seen[id].accepted ? 200 : http.seen[id].responses.at(0).status;
  }

  std::string answer;  // to the last call

 private:
  // Lets the shard, the clients and the store do what they were asked for, until nothing is left.
  void run() {
    for (int turn = 0; turn < 20; ++turn) {
      worker_->on_wake(now);
      control->on_wake(now);
      for (const auto& cut : take_commands<media::CutLife>(urgent))
        report(media::LifeCut{.life = cut.life, .at = now.mono, .wall_at = now.wall});
      for (auto& [id, seen] : http.seen)
        if (seen.close_code && closed_.insert(id).second)
          control->on_websocket_closed_out(id, true, now);
      for (const auto& close : take_commands<media::CloseLife>(commands))
        report(
            media::LifeClosed{.life = close.life, .transports_closed = 0, .packets_after_cut = 0});
    }
  }

  SeededSecretSource nonces_{11};
  std::unique_ptr<StoreWorker> worker_;
  std::set<ConnectionId> closed_;
};

std::string text_after(const std::string& body, const std::string& name) {
  const size_t at = body.find("\"" + name + "\":\"");
  if (at == body.npos) return {};
  const size_t begin = at + name.size() + 4;
  return body.substr(begin, body.find('"', begin) - begin);
}

class StoreCrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_crash_" + std::string(test->name()));
    fresh_ = folder_.string() + "_fresh";
    fs::remove_all(fresh_);
    fs::create_directories(fresh_);
    ASSERT_TRUE(store::Store::open((fresh_ / "atrium.db").string(), {}, Now{}).has_value());
  }
  void TearDown() override {
    fs::remove_all(folder_);
    fs::remove_all(fresh_);
  }

  // The scenario up to its end or to the machine's; yields what the callers know.
  Told live(DiskModel::Plan plan) {
    fs::remove_all(folder_);
    fs::copy(fresh_, folder_);
    DiskModel disk(plan);
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) { return disk.on_step(step); }));
    Told told;
    {
      Machine machine(folder_, *vfs);
      if (machine.is_up()) scenario(machine, *vfs, told);
    }
    steps_ = vfs->steps();
    syncs_ = disk.syncs();
    has_crashed_ = vfs->has_crashed();
    vfs.reset();
    disk.settle();
    return told;
  }

  static void scenario(Machine& machine, const FaultVfs& vfs, Told& told) {
    const auto ask = [&](Step step, const char* action, const char* version, const char* fields,
                         const char* app = Machine::kApp) {
      if (vfs.has_crashed()) return;
      told.begun.insert(step);
      const bool ok = machine.call(action, version, fields, app);
      // What is answered in the turn of the crash may have been sent: it counts.
      if (ok) told.done.insert(step);
    };
    machine.lose(machine.join("alice", "lesson"));  // reconnecting at the fence: leaves a tombstone
    machine.join("bob", "lesson");
    machine.join("eve", "chat");
    machine.join("carol", "chat");
    ask(Step::Dismiss, "DismissRoom", "2020-12-01",
        R"(,"RoomId":"lesson","Receipt":true,"ForbiddenInterval":600)");
    told.operation = text_after(machine.answer, "OperationId");
    ask(Step::BanRoom, "BanRoomUser", kVendor, R"(,"RoomId":"exam","ForbiddenInterval":600)");
    ask(Step::BanUser, "BanRoomUser", kVendor,
        R"(,"RoomId":"chat","UserId":"eve","ForbiddenInterval":600)");
    ask(Step::Update, "UpdateBanRoomUserRule", kVendor,
        R"(,"RoomId":"chat","UserId":"eve","ForbiddenInterval":3600)");
    ask(Step::BanAnother, "BanRoomUser", kVendor,
        R"(,"RoomId":"chat","UserId":"mallory","ForbiddenInterval":600)");
    ask(Step::Lift, "UpdateBanRoomUserRule", kVendor,
        R"(,"RoomId":"chat","UserId":"mallory","ForbiddenInterval":0)");
    ask(Step::Kick, "KickUser", "2020-12-01", R"(,"RoomId":"chat","UserId":"carol")");
    ask(Step::CreateApp, "CreateApp", "2026-12-01", R"(,"AppName":"new","AppKey":"key of new")",
        kNewApp);
    ask(Step::DisableApp, "ModifyAppStatus", kVendor, R"(,"Status":2)", kNewApp);
  }

  // What is in the file, read by a store of its own.
  struct Kept {
    std::vector<domain::DismissalRecord> records;
    std::set<std::string> tombstones;   // users
    std::map<std::string, Wall> rules;  // "room/user" → expiry
    std::vector<domain::App> apps;
    bool has_rule(const std::string& name) const { return rules.contains(name); }
  };
  void read(Kept& kept) {
    const Now now{Mono(1s), wall_from_unix_s(1'795'386'900)};
    auto store = store::Store::open((folder_ / "atrium.db").string(), {}, now);
    ASSERT_TRUE(store.has_value()) << store.error().what;
    kept.records = MUST(store->list_dismissals(AppId("a7e100000000000000000001"), RoomId(), 100));
    for (const auto& tombstone : MUST(store->load_tombstones(now.wall)))
      kept.tombstones.insert(tombstone.user.value);
    kept.apps = MUST(store->load_apps());
    for (const auto& rule : MUST(store->list_bans(AppId(), BanId(), 100, now.wall)))
      kept.rules[(rule.target.room ? rule.target.room->value : "") + "/" +
                 (rule.target.user ? rule.target.user->value : "")] = rule.expires_at;
  }

  // Everything that was acknowledged, and nothing half.
  void check_kept(const Told& told) {
    Kept kept;
    ASSERT_NO_FATAL_FAILURE(read(kept));
    const bool has_record = !kept.records.empty();
    EXPECT_EQ(kept.tombstones.contains("alice"), has_record) << "a record without its tombstone";
    EXPECT_EQ(kept.has_rule("lesson/"), has_record) << "a record without its rule";
    if (told.has(Step::Dismiss)) {
      ASSERT_TRUE(has_record);
      EXPECT_EQ(kept.records[0].operation.value, told.operation);
      EXPECT_EQ(kept.records[0].state, domain::DismissalState::Done);
    }
    if (told.has(Step::BanRoom)) EXPECT_TRUE(kept.has_rule("exam/"));
    if (told.has(Step::BanUser)) EXPECT_TRUE(kept.has_rule("chat/eve"));
    if (kept.has_rule("chat/eve")) {
      EXPECT_TRUE(told.begun.contains(Step::BanUser));
      EXPECT_TRUE(kept.tombstones.contains("eve")) << "a rule without whom it put out";
      const Duration left = kept.rules["chat/eve"] - wall_from_unix_s(1'795'386'900);
      if (told.has(Step::Update)) EXPECT_EQ(left, 3600s);
      if (!told.begun.contains(Step::Update)) EXPECT_EQ(left, 600s);
    }
    const bool is_lift_begun = told.begun.contains(Step::Lift);
    if (told.has(Step::BanAnother) && !is_lift_begun) EXPECT_TRUE(kept.has_rule("chat/mallory"));
    if (told.has(Step::Lift)) EXPECT_FALSE(kept.has_rule("chat/mallory")) << "it was lifted";
    if (told.has(Step::Kick)) EXPECT_TRUE(kept.tombstones.contains("carol"));
    if (told.has(Step::CreateApp)) ASSERT_EQ(kept.apps.size(), 1u);
    if (!told.begun.contains(Step::CreateApp)) EXPECT_TRUE(kept.apps.empty());
    for (const domain::App& app : kept.apps) {
      EXPECT_EQ(app.primary_key, "key of new");
      if (told.has(Step::DisableApp)) EXPECT_FALSE(app.enabled);
      if (!told.begun.contains(Step::DisableApp)) EXPECT_TRUE(app.enabled);
    }
    if (!told.begun.contains(Step::Kick)) EXPECT_FALSE(kept.tombstones.contains("carol"));
  }

  // The doors of the node that comes after.
  void check_doors(const Told& told) {
    DiskModel disk({});
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) { return disk.on_step(step); }));
    Machine machine(folder_, *vfs);
    ASSERT_TRUE(machine.is_up());
    if (told.has(Step::Dismiss)) EXPECT_EQ(machine.join_status("dave", "lesson"), 403);
    if (told.has(Step::BanRoom)) EXPECT_EQ(machine.join_status("dave", "exam"), 403);
    if (told.has(Step::BanUser)) EXPECT_EQ(machine.join_status("eve", "chat"), 403);
    if (told.has(Step::Lift)) EXPECT_EQ(machine.join_status("mallory", "chat"), 200);
    EXPECT_EQ(machine.join_status("dave", "chat"), 200);
  }

  fs::path folder_;
  fs::path
      fresh_;  // a store with its schema, which each life begins from (its making is store/store_crash_test.cc's)
  uint64_t steps_ = 0, syncs_ = 0;
  bool has_crashed_ = false;
};

TEST_F(StoreCrashTest, what_was_acknowledged_survives_a_crash_at_every_write_and_sync) {
  const Told all = live({});
  ASSERT_EQ(all.done.size(), 9u) << "the scenario itself";
  ASSERT_NO_FATAL_FAILURE(check_kept(all));
  const uint64_t steps = steps_, syncs = syncs_;
  uint64_t tried = 0;
  for (const auto loss : {DiskModel::Loss::Nothing, DiskModel::Loss::Unsynced,
                          DiskModel::Loss::Torn, DiskModel::Loss::LastAlone})
    for (uint64_t step = 1; step <= steps && !HasFailure(); ++step, ++tried) {
      SCOPED_TRACE("loss " + std::to_string(static_cast<int>(loss)) + ", step " +
                   std::to_string(step));
      const Told told = live({.crash_at = step, .loss = loss});
      EXPECT_TRUE(has_crashed_);
      ASSERT_NO_FATAL_FAILURE(check_kept(told));
      ASSERT_NO_FATAL_FAILURE(check_doors(told));
    }
  std::printf("crash points tried: %llu (%llu steps, %llu of them syncs, 4 ways to forget)\n",
              static_cast<unsigned long long>(tried), static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(syncs));
}

// A call that failed because of a sync is not heard of again, and all that comes after the reopening holds.
TEST_F(StoreCrashTest, after_each_failing_sync_nothing_is_half) {
  live({});
  const uint64_t syncs = syncs_;
  for (uint64_t sync = 1; sync <= syncs && !HasFailure(); ++sync) {
    SCOPED_TRACE("sync " + std::to_string(sync));
    const Told told = live({.fail_sync = sync});
    if (!fs::exists(folder_ / "atrium.db")) continue;
    ASSERT_NO_FATAL_FAILURE(check_kept(told));
  }
}

}  // namespace
}  // namespace atrium::node::testing
