// Management calls against a node whose machine dies at every numbered write and sync of its store, in every way in
// which a disk forgets.  What the callers were told stands outside (Told); a second node that starts from what the disk
// kept must know all of that, and nothing half.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "adapters/store/audit_verify.h"
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
constexpr const char* kOwn = "2026-12-01";
constexpr const char* kKey = "key of the lesson";
constexpr const char* kDismissFields =
    R"(,"RoomId":"lesson","Receipt":true,"ForbiddenInterval":600)";
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
  DisableApp,
  Schedule,
  Cancel,
  ScheduleAgain,
  SetPolicy,
  DismissMany,
  MakeWebhook
};
constexpr size_t kSteps = 15;

struct Told {
  std::set<Step> done;   // answered with success
  std::set<Step> begun;  // asked for
  std::map<std::string, size_t> done_by_action;
  std::string operation;    // of the dismissal, from its receipt
  std::string checkpoints;  // of the audit, outside of the disk that dies
  bool has(Step step) const { return done.contains(step); }
};

// One node from its start to its end: the control plane of the fixture and a real store worker.
class Machine : public ControlTest {
 public:
  using ControlTest::kApp;
  // checkpoints: of the audit, while the machine lives.
  Machine(const fs::path& folder, FaultVfs& vfs, std::string& checkpoints) {
    store::StoreOptions options;
    options.vfs = vfs.name();
    options.audit.checkpoint_records = 3;
    options.audit.write_checkpoint = [&](const store::AuditCheckpoint&, std::string_view line) {
      if (!vfs.has_crashed()) checkpoints.append(line).append("\n");
      return Result<void>();
    };
    options.sealing.nonces = &nonces_;
    auto opened = store::Store::open((folder / "atrium.db").string(), std::move(options), now);
    if (!opened) return;
    auto tombstones = opened->load_tombstones(now.wall);
    auto rules = opened->list_bans(AppId(), BanId(), 1'000, now.wall);
    auto apps = opened->load_apps();
    auto schedules = opened->load_schedules();
    auto calls = opened->load_calls(now.wall);
    if (!tombstones || !rules || !apps || !schedules || !calls) return;
    control->restore(*apps, now);
    control->restore(*tombstones, now);
    control->restore(*rules, now);
    control->restore(*schedules, now);
    control->restore(*calls, now);
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
            const std::string& app = kApp, const std::string& key = "") {
    const std::string body = std::string(R"({"AppId":")") + app + "\"" + fields + "}";
    openapi::Request made{
        "POST", "/?Action=" + action + "&Version=" + version, {{"Host", "atrium"}}, body, {}};
    if (!key.empty()) made.headers.emplace_back("Idempotency-Key", key);
    openapi::sign_request(made, {"AKLTtest", "secret-key"}, now.wall);
    const ConnectionId id = connection();
    control->on_request(
        id, HttpRequest{Listener::Public, "POST", made.target, made.headers, body, {}, false}, now);
    run();
    answer = body_of(id);
    is_replayed = false;
    if (http.seen[id].responses.empty()) return false;
    for (const auto& [name, value] : http.seen[id].responses.back().headers)
      is_replayed = is_replayed || name == "Idempotency-Replayed";
    return http.seen[id].responses.back().status == 200;
  }
  int join_status(const std::string& user, const std::string& room) {
    const ConnectionId id = join(user, room);
    return http.seen[id].accepted ? 200 : http.seen[id].responses.at(0).status;
  }

  std::string answer;  // to the last call
  bool is_replayed = false;

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
    sync_steps_.clear();
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) {
      if (step.op == store::VfsOp::Sync) sync_steps_.insert(step.number);
      return disk.on_step(step);
    }));
    Told told;
    {
      Machine machine(folder_, *vfs, told.checkpoints);
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
                         const char* app = Machine::kApp, const char* key = "") {
      if (vfs.has_crashed()) return;
      told.begun.insert(step);
      const bool ok = machine.call(action, version, fields, app, key);
      // What is answered in the turn of the crash may have been sent: it counts.
      if (ok && told.done.insert(step).second) ++told.done_by_action[action];
    };
    machine.lose(machine.join("alice", "lesson"));  // reconnecting at the fence: leaves a tombstone
    machine.join("bob", "lesson");
    machine.join("eve", "chat");
    machine.join("carol", "chat");
    ask(Step::Dismiss, "DismissRoom", "2020-12-01", kDismissFields, Machine::kApp, kKey);
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
    ask(Step::CreateApp, "CreateApp", kOwn, R"(,"AppName":"new","AppKey":"key of new")", kNewApp);
    ask(Step::DisableApp, "ModifyAppStatus", kVendor, R"(,"Status":2)", kNewApp);
    order_ends(machine, ask);
  }
  template <typename Ask>
  static void order_ends(Machine& machine, const Ask& ask) {
    machine.join("dora", "club");
    constexpr const char* kLater = R"(,"RoomId":"club","AfterSeconds":3600)";
    ask(Step::Schedule, "ScheduleDismissal", kOwn, kLater);
    const std::string first =
        R"(,"ScheduleId":")" + text_after(machine.answer, "ScheduleId") + "\"";
    ask(Step::Cancel, "CancelDismissal", kOwn, first.c_str());
    ask(Step::ScheduleAgain, "ScheduleDismissal", kOwn, kLater, Machine::kApp, "another key");
    ask(Step::SetPolicy, "SetRoomPolicy", kOwn, R"(,"RoomId":"club","IdleSeconds":600)");
    ask(Step::DismissMany, "DismissRooms", kOwn, R"(,"RoomIds":["nobody"])");
    ask(Step::MakeWebhook, "CreateWebhook", kOwn,
        R"(,"Url":"https://backend.example/","Dialect":"livekit")");
  }

  // What is in the file, read by a store of its own.
  struct Kept {
    std::vector<domain::DismissalRecord> records;
    std::set<std::string> tombstones;   // users
    std::map<std::string, Wall> rules;  // "room/user" → expiry
    std::vector<domain::App> apps;
    std::vector<domain::StoredEvent> events;
    std::map<std::string, std::vector<std::string>> accepted;  // by action: operations, in order
    std::map<std::string, std::string> calls;                  // by key: their operations
    std::set<std::string> schedules, webhooks;
    size_t policies = 0, bulks = 0;
    size_t count_of(const std::string& action) const {
      const auto found = accepted.find(action);
      return found == accepted.end() ? 0 : found->second.size();
    }
    // Of this kind, that this operation caused.
    size_t events_of(domain::EventKind kind, const std::string& operation) const {
      return static_cast<size_t>(std::ranges::count_if(events, [&](const auto& stored) {
        return stored.event.kind == kind && stored.event.reason.operation.value == operation;
      }));
    }
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
    read_facts(*store, kept);
  }
  static void read_facts(store::Store& store, Kept& kept) {
    kept.events = MUST(store.list_events({.app = AppId(Machine::kApp), .limit = 1'000})).events;
    for (const auto& record : MUST(store.list_audit({.account = "dev", .limit = 1'000})).records)
      if (record.entry.phase == domain::AuditPhase::Accepted)
        kept.accepted[record.entry.action].push_back(record.entry.operation.value);
    for (const auto& call : MUST(store.load_calls(wall_from_unix_s(1'795'386'900))))
      kept.calls[call.key.key] = call.operation.value;
    for (const auto& schedule : MUST(store.load_schedules()))
      kept.schedules.insert(schedule.id.value);
    for (const auto& webhook : MUST(store.load_webhooks())) kept.webhooks.insert(webhook.id.value);
    kept.policies = MUST(store.load_policies()).size();
    for (const std::string& operation : kept.accepted["DismissRooms"])
      kept.bulks += MUST(store.find_bulk(OperationId(operation), 0, 1)).has_value();
  }

  // Everything that was acknowledged, and nothing half.
  static void check_kept(const Told& told, Kept& kept) {
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

  // An effect, its events, its record in the audit and its key: all of them or none.
  void check_facts(const Told& told, Kept& kept) {
    ASSERT_EQ(kept.count_of("DismissRoom"), kept.records.size());
    EXPECT_EQ(kept.calls.contains(kKey), !kept.records.empty()) << "the key and its effect";
    for (const auto& record : kept.records) {
      EXPECT_EQ(kept.accepted["DismissRoom"][0], record.operation.value);
      EXPECT_EQ(kept.calls[kKey], record.operation.value);
      EXPECT_EQ(kept.events_of(domain::EventKind::UserLeft, record.operation.value), 2u);
    }
    const std::string dismissal = kept.records.empty() ? "none" : kept.records[0].operation.value;
    EXPECT_EQ(kept.events_of(domain::EventKind::RoomEnded, dismissal), kept.records.size());
    for (const std::string& kick : kept.accepted["KickUser"])
      EXPECT_EQ(kept.events_of(domain::EventKind::UserLeft, kick), 1u);
    EXPECT_EQ(kept.count_of("KickUser"), size_t{kept.tombstones.contains("carol")});
    EXPECT_EQ(kept.has_rule("exam/"), kept.count_of("BanRoomUser") >= 1);
    EXPECT_EQ(kept.has_rule("chat/eve"), kept.count_of("BanRoomUser") >= 2);
    EXPECT_EQ(kept.apps.size(), kept.count_of("CreateApp"));
    check_orders(kept);
    check_order_of_events(kept.events);
    check_chain(told);
  }
  // All of the scenario's calls have an effect, as long as none before them failed.
  static void check_audit(const Told& told, const Kept& kept) {
    for (const auto& [action, count] : told.done_by_action)
      EXPECT_GE(kept.count_of(action), count) << action << " is not in the audit";
  }
  static void check_orders(Kept& kept) {
    const size_t count = kept.count_of("ScheduleDismissal");
    std::set<std::string> expected;
    for (size_t i = kept.count_of("CancelDismissal"); i < count; ++i)
      expected.insert("SD_" + kept.accepted["ScheduleDismissal"][i].substr(3));
    EXPECT_EQ(kept.schedules, expected);
    EXPECT_EQ(kept.calls.contains("another key"), count == 2);
    EXPECT_EQ(kept.policies, kept.count_of("SetRoomPolicy"));
    EXPECT_EQ(kept.bulks, kept.count_of("DismissRooms"));
    EXPECT_EQ(kept.webhooks.size(), kept.count_of("CreateWebhook"));
  }
  // Per room: no gap, no number twice; who left had come, and all were out before the end.
  static void check_order_of_events(const std::vector<domain::StoredEvent>& events) {
    std::map<RoomId, int64_t> last;
    std::map<RoomId, std::set<ParticipantSid>> present;
    std::set<EventId> ids;
    for (const auto& [cursor, sequence, is_held, event] : events) {
      EXPECT_EQ(sequence, ++last[event.room]) << event.room.value;
      EXPECT_TRUE(ids.insert(event.id).second) << event.id.value;
      auto& here = present[event.room];
      if (event.kind == domain::EventKind::UserJoined) here.insert(event.participant);
      if (event.kind == domain::EventKind::UserLeft) EXPECT_EQ(here.erase(event.participant), 1u);
      if (event.kind == domain::EventKind::RoomEnded) EXPECT_TRUE(here.empty());
    }
    for (const auto& [room, here] : present)
      EXPECT_TRUE(here.empty()) << room.value << " is still open in the eyes of a backend";
  }
  void check_chain(const Told& told) {
    const store::AuditKey key{};
    auto database = MUST(store::Database::open((folder_ / "atrium.db").string()));
    ASSERT_TRUE(database.run("BEGIN"));
    const auto checkpoints = store::read_checkpoints(key, told.checkpoints).found;
    const auto report = MUST(store::verify_audit(
        database, key,
        {.checkpoints = checkpoints, .at_least = store::newest_sequence(checkpoints)}));
    EXPECT_FALSE(report.finding.has_value())
        << report.finding->detail << ", record " << report.finding->sequence;
  }

  // The call of before, with its key, to the node that comes after.
  static void check_repeat(Machine& machine, bool has_record, const std::string& operation) {
    machine.call("DismissRoom", "2020-12-01", kDismissFields, Machine::kApp, kKey);
    EXPECT_EQ(machine.is_replayed, has_record) << machine.answer;
    if (has_record) EXPECT_EQ(text_after(machine.answer, "OperationId"), operation);
  }

  // The doors of the node that comes after.
  void check_doors(const Told& told, const Kept& kept) {
    DiskModel disk({});
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) { return disk.on_step(step); }));
    const std::string operation = kept.records.empty() ? "" : kept.records[0].operation.value;
    std::string checkpoints;
    Machine machine(folder_, *vfs, checkpoints);
    ASSERT_TRUE(machine.is_up());
    check_repeat(machine, !operation.empty(), operation);
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
  std::set<uint64_t> sync_steps_;
  bool has_crashed_ = false;
};

TEST_F(StoreCrashTest, what_was_acknowledged_survives_a_crash_at_every_write_and_sync) {
  const Told all = live({});
  ASSERT_EQ(all.done.size(), kSteps) << "the scenario itself";
  EXPECT_NE(all.checkpoints.find(" head "), std::string::npos);
  Kept all_kept;
  ASSERT_NO_FATAL_FAILURE(read(all_kept));
  ASSERT_NO_FATAL_FAILURE(check_kept(all, all_kept));
  ASSERT_NO_FATAL_FAILURE(check_facts(all, all_kept));
  const uint64_t steps = steps_, syncs = syncs_;
  const std::set<uint64_t> sync_steps = sync_steps_;
  uint64_t tried = 0;
  for (uint64_t step = 1; step <= steps; ++step)
    for (const auto loss : {DiskModel::Loss::Nothing, DiskModel::Loss::Unsynced,
                            DiskModel::Loss::Torn, DiskModel::Loss::LastAlone}) {
      // A sync in each way, a write in one: what is between two syncs is alike.
      if (!sync_steps.contains(step) && step % 4 != static_cast<uint64_t>(loss)) continue;
      ++tried;
      SCOPED_TRACE("loss " + std::to_string(static_cast<int>(loss)) + ", step " +
                   std::to_string(step));
      const Told told = live({.crash_at = step, .loss = loss});
      EXPECT_TRUE(has_crashed_);
      Kept kept;
      ASSERT_NO_FATAL_FAILURE(read(kept));
      ASSERT_NO_FATAL_FAILURE(check_kept(told, kept));
      ASSERT_NO_FATAL_FAILURE(check_facts(told, kept));
      ASSERT_NO_FATAL_FAILURE(check_audit(told, kept));
      ASSERT_NO_FATAL_FAILURE(check_doors(told, kept));
      if (HasFailure()) return;
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
    Kept kept;
    ASSERT_NO_FATAL_FAILURE(read(kept));
    ASSERT_NO_FATAL_FAILURE(check_kept(told, kept));
    ASSERT_NO_FATAL_FAILURE(check_facts(told, kept));
  }
}

}  // namespace
}  // namespace atrium::node::testing
