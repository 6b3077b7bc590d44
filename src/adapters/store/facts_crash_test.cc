// Events, audit, keyed calls, schedules and their kin on a disk that dies at each numbered write and sync.  What was
// written stands outside of the store (Book): after the crash the store must hold what it held after some whole number
// of batches, no fewer than were acknowledged and no more than were asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

#include "adapters/store/audit_verify.h"
#include "adapters/store/store.h"
#include "adapters/store/vfs_disk_testing.h"
#include "adapters/store/vfs_fault.h"
#include "base/seeded_secret_source.h"

namespace atrium::store {
namespace {

namespace fs = std::filesystem;
using domain::AuditPhase;
using domain::DeliveryEnd;
using domain::DismissalState;
using domain::EventKind;
using Loss = DiskModel::Loss;

constexpr Wall kStart = wall_from_unix_ms(1'800'000'000'123);
const AppId kApp("app");
const WebhookId kHook("WH_1");

// What there is to be known of a store, in words of our own.
struct Book {
  std::set<std::string> rows;
  std::map<std::string, std::vector<std::string>> rooms;  // their events, in order
  std::vector<std::string> audit;                         // from the first record of all
  std::map<std::string, std::vector<std::string>> open;   // by room: the ends of what has begun
  bool has_hook = false;

  void replace(const std::string& from, const std::string& to) {
    rows.erase(from);
    rows.insert(to);
  }
  void tell(const std::string& room, const std::string& event) {
    rooms[room].push_back(event);
    if (has_hook) rows.insert("waits " + event);
  }
  // What the next process does at its start.
  void restart() {
    for (const auto& [room, ends] : open)
      for (const std::string& end : ends) tell(room, end);
    open.clear();
    const std::set<std::string> before = rows;
    for (const std::string& row : before)
      if (row.starts_with("dismissal ") && row.ends_with(" running"))
        replace(row, row.substr(0, row.size() - 7) + "interrupted");
  }
};

// One batch, and what the book has to say of it.
struct Step {
  std::vector<WriteRequest> batch = {};
  std::function<void(Book&)> note = [](Book&) {};
  enum class Kind : uint8_t { Write, Restart, Purge } kind = Kind::Write;
};

// --- what is written -----------------------------------------------------------------------------

domain::Event event(const char* id, EventKind kind, const std::string& room, const char* life,
                    const char* participant = "") {
  domain::Event out;
  out.id = EventId(id);
  out.kind = kind;
  out.app = kApp;
  out.room = RoomId(room);
  out.room_sid = RoomSid(life);
  out.participant = ParticipantSid(participant);
  out.user = UserId(participant);
  out.at = kStart;
  return out;
}

domain::AuditEntry entry(const char* request, AuditPhase phase) {
  domain::AuditEntry out;
  out.phase = phase;
  out.at = kStart;
  out.account = "100";
  out.action = "Action";
  out.request_id = request;
  return out;
}

domain::KeyedCall call(const char* key, const char* operation, std::optional<uint8_t> outcome) {
  return {.key = {"100", "Action", "2026-12-01", key},
          .operation = OperationId(operation),
          .outcome = outcome,
          .at = kStart};
}

PutDismissal dismissal(const char* operation, DismissalState state, const char* life) {
  PutDismissal put;
  put.record.operation = OperationId(operation);
  put.record.app = kApp;
  put.record.room = RoomId("room");
  put.record.room_sid = RoomSid(life);
  put.record.state = state;
  put.record.accepted_at = kStart;
  return put;
}

domain::Tombstone tombstone(const char* participant, const char* operation) {
  domain::Tombstone out;
  out.app = kApp;
  out.room = RoomId("room");
  out.participant = ParticipantSid(participant);
  out.operation = OperationId(operation);
  out.expires_at = kStart + 3600s;
  return out;
}

domain::Schedule schedule(const char* id, Duration after) {
  domain::Schedule out;
  out.id = ScheduleId(id);
  out.app = kApp;
  out.room = RoomId("room");
  out.due_at = kStart + after;
  return out;
}

domain::DeliveryOutcome outcome(int64_t cursor, DeliveryEnd end) {
  return {.webhook = kHook,
          .app = kApp,
          .room = RoomId("room"),
          .cursor = cursor,
          .end = end,
          .attempts = 3,
          .at = kStart};
}

// A management call: its effect, the record of the audit and its key.
WriteRequest changing(WriteRequest::What what, const char* request_id, const char* key,
                      const char* operation) {
  WriteRequest request;
  request.what = std::move(what);
  request.audit = {entry(request_id, AuditPhase::Accepted)};
  request.calls = {call(key, operation, std::nullopt)};
  return request;
}

// Its outcome, as node writes it: the key and the audit each on their own.
std::vector<WriteRequest> finishing(const char* request_id, const char* key,
                                    const char* operation) {
  WriteRequest of_key, of_audit;
  of_key.calls = {call(key, operation, 1)};
  of_audit.audit = {entry(request_id, AuditPhase::Finished)};
  return {std::move(of_key), std::move(of_audit)};
}

void note_call(Book& book, const std::string& request_id, const std::string& key,
               const std::string& operation) {
  book.audit.push_back(request_id + " accepted");
  book.rows.insert("call " + key + " of " + operation + " running");
}
void note_finish(Book& book, const std::string& request_id, const std::string& key,
                 const std::string& operation) {
  book.audit.push_back(request_id + " finished");
  book.replace("call " + key + " of " + operation + " running",
               "call " + key + " of " + operation + " 1");
}

// --- the scenario --------------------------------------------------------------------------------

Step webhook_is_made() {
  PutWebhook put;
  put.webhook.id = kHook;
  put.webhook.app = kApp;
  put.webhook.dialect = domain::WebhookDialect::LiveKit;
  return {{changing(put, "R1", "k1", "OP_hook")}, [](Book& book) {
            note_call(book, "R1", "k1", "OP_hook");
            book.rows.insert("webhook WH_1");
            book.has_hook = true;
          }};
}

Step first_life_begins() {
  return {{of_events({event("EV_1", EventKind::RoomStarted, "room", "RM_1"),
                      event("EV_2", EventKind::UserJoined, "room", "RM_1", "PA_1"),
                      event("EV_3", EventKind::UserJoined, "room", "RM_1", "PA_2")})},
          [](Book& book) {
            for (const char* id : {"EV_1", "EV_2", "EV_3"}) book.tell("room", id);
            book.open["room"] = {"end of PA_1", "end of PA_2", "end of RM_1"};
          }};
}

Step first_life_is_dismissed() {
  PutDismissal put = dismissal("OP_1", DismissalState::Running, "RM_1");
  put.tombstones = {tombstone("PA_1", "OP_1"), tombstone("PA_2", "OP_1")};
  WriteRequest request = changing(std::move(put), "R2", "k2", "OP_1");
  // A client's event that waited goes ahead.
  request.events = {event("EV_4", EventKind::TrackPublished, "room", "RM_1", "PA_1")};
  request.hold = OperationId("OP_1");
  request.held_events = {event("EV_5", EventKind::UserLeft, "room", "RM_1", "PA_1"),
                         event("EV_6", EventKind::UserLeft, "room", "RM_1", "PA_2"),
                         event("EV_7", EventKind::RoomEnded, "room", "RM_1")};
  return {{std::move(request)}, [](Book& book) {
            note_call(book, "R2", "k2", "OP_1");
            book.rows.insert("dismissal OP_1 running");
            book.rows.insert({"tombstone PA_1", "tombstone PA_2"});
            for (const char* id : {"EV_4", "EV_5", "EV_6", "EV_7"}) book.tell("room", id);
            book.open.erase("room");
          }};
}

// The next life of the name begins while the first one's end is held.
Step next_life_begins_and_media_is_cut() {
  WriteRequest release;
  release.release = OperationId("OP_1");
  return {{of_events({event("EV_8", EventKind::RoomStarted, "room", "RM_2"),
                      event("EV_9", EventKind::UserJoined, "room", "RM_2", "PA_3")}),
           std::move(release)},
          [](Book& book) {
            for (const char* id : {"EV_8", "EV_9"}) book.tell("room", id);
            book.open["room"] = {"end of PA_3", "end of RM_2"};
          }};
}

Step first_dismissal_ends() {
  PutDismissal put = dismissal("OP_1", DismissalState::Done, "RM_1");
  put.told = {ParticipantSid("PA_1")};
  std::vector<WriteRequest> batch = finishing("R2", "k2", "OP_1");
  batch.insert(batch.begin(), WriteRequest(std::move(put)));
  return {std::move(batch), [](Book& book) {
            note_finish(book, "R2", "k2", "OP_1");
            book.replace("dismissal OP_1 running", "dismissal OP_1 done");
            book.rows.erase("tombstone PA_1");
          }};
}

Step dismissals_are_scheduled() {
  const PutSchedules put{OperationId("OP_2"), {schedule("SD_1", 60s), schedule("SD_2", 90s)}, {}};
  return {{changing(put, "R3", "k3", "OP_2")}, [](Book& book) {
            note_call(book, "R3", "k3", "OP_2");
            book.rows.insert({"schedule SD_1 in 60", "schedule SD_2 in 90"});
          }};
}

Step one_is_cancelled_and_one_put_off() {
  const PutSchedules put{OperationId("OP_3"), {schedule("SD_2", 120s)}, {ScheduleId("SD_1")}};
  std::vector<WriteRequest> batch = finishing("R3", "k3", "OP_2");
  batch.push_back(changing(put, "R4", "k4", "OP_3"));
  return {std::move(batch), [](Book& book) {
            note_finish(book, "R3", "k3", "OP_2");
            note_call(book, "R4", "k4", "OP_3");
            book.rows.erase("schedule SD_1 in 60");
            book.replace("schedule SD_2 in 90", "schedule SD_2 in 120");
          }};
}

Step policy_and_bulk_are_made() {
  const domain::RoomPolicy policy{.app = kApp, .room = RoomId("room"), .idle = 300s};
  domain::BulkDismissal bulk;
  bulk.operation = OperationId("OP_5");
  bulk.app = kApp;
  bulk.accepted_at = kStart;
  bulk.items = {{RoomId("room"), RoomSid("RM_2")}, {RoomId("none"), {}}};
  return {
      {changing(PutPolicy{OperationId("OP_4"), kApp, RoomId("room"), policy}, "R5", "k5", "OP_4"),
       changing(PutBulk{std::move(bulk)}, "R6", "k6", "OP_5")},
      [](Book& book) {
        note_call(book, "R5", "k5", "OP_4");
        note_call(book, "R6", "k6", "OP_5");
        book.rows.insert("policy room");
        book.rows.insert("bulk OP_5 of 2");
      }};
}

// Cursors 1 to 3 are EV_1 to EV_3.
Step some_are_delivered() {
  return {{PutDeliveries{{outcome(1, DeliveryEnd::Delivered), outcome(2, DeliveryEnd::Dead),
                          outcome(3, DeliveryEnd::Dead)}}},
          [](Book& book) {
            book.rows.erase("waits EV_1");
            book.replace("waits EV_2", "dead EV_2");
            book.replace("waits EV_3", "dead EV_3");
          }};
}

Step restart() {
  return {.note = [](Book& book) { book.restart(); }, .kind = Step::Kind::Restart};
}

Step one_is_redriven() {
  const Redrive redrive{OperationId("OP_6"), kHook, EventId("EV_2")};
  return {{changing(redrive, "R7", "k7", "OP_6")}, [](Book& book) {
            note_call(book, "R7", "k7", "OP_6");
            book.replace("dead EV_2", "waits EV_2");
          }};
}

Step third_life_is_dismissed_in_its_first_moment() {
  WriteRequest request =
      changing(dismissal("OP_7", DismissalState::Running, "RM_3"), "R8", "k8", "OP_7");
  request.events = {event("EV_10", EventKind::RoomStarted, "room", "RM_3")};
  request.hold = OperationId("OP_7");
  request.held_events = {event("EV_11", EventKind::RoomEnded, "room", "RM_3")};
  return {{std::move(request)}, [](Book& book) {
            note_call(book, "R8", "k8", "OP_7");
            book.rows.insert("dismissal OP_7 running");
            for (const char* id : {"EV_10", "EV_11"}) book.tell("room", id);
          }};
}

Step orders_end() {
  domain::BulkDismissal bulk;
  bulk.operation = OperationId("OP_5");
  bulk.app = kApp;
  bulk.accepted_at = kStart;
  bulk.finished_at = kStart + 5s;
  return {{PutBulk{std::move(bulk)},
           changing(PutPolicy{OperationId("OP_8"), kApp, RoomId("room"), {}}, "R9", "k9", "OP_8")},
          [](Book& book) {
            note_call(book, "R9", "k9", "OP_8");
            book.replace("bulk OP_5 of 2", "bulk OP_5 of 2 finished");
            book.rows.erase("policy room");
          }};
}

std::vector<Step> scenario() {
  return {webhook_is_made(),
          first_life_begins(),
          first_life_is_dismissed(),
          next_life_begins_and_media_is_cut(),
          first_dismissal_ends(),
          dismissals_are_scheduled(),
          one_is_cancelled_and_one_put_off(),
          policy_and_bulk_are_made(),
          some_are_delivered(),
          restart(),
          one_is_redriven(),
          third_life_is_dismissed_in_its_first_moment(),
          {.kind = Step::Kind::Purge},
          orders_end()};
}

// --- what is kept --------------------------------------------------------------------------------

std::string name_of(const domain::Event& event) {
  if (event.reason.why != domain::LeaveReason::ServerShutdown) return event.id.value;
  return "end of " + (event.participant.empty() ? event.room_sid.value : event.participant.value);
}

const char* word_of(DismissalState state) {
  constexpr const char* kWords[] = {"running", "done", "failed", "interrupted"};
  return kWords[static_cast<size_t>(state)];
}

void read_orders(Store& store, Book& book) {
  for (const auto& record : MUST(store.list_dismissals(kApp, RoomId(), 100)))
    book.rows.insert("dismissal " + record.operation.value + " " + word_of(record.state));
  for (const auto& one : MUST(store.load_tombstones(kStart)))
    book.rows.insert("tombstone " + one.participant.value);
  for (const auto& one : MUST(store.load_schedules())) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(one.due_at - kStart);
    book.rows.insert("schedule " + one.id.value + " in " + std::to_string(seconds.count()));
  }
  for (const auto& one : MUST(store.load_policies())) book.rows.insert("policy " + one.room.value);
  for (const auto& one : MUST(store.load_calls(kStart)))
    book.rows.insert("call " + one.key.key + " of " + one.operation.value + " " +
                     (one.outcome ? std::to_string(*one.outcome) : "running"));
  if (const auto page = MUST(store.find_bulk(OperationId("OP_5"), 0, 10)))
    book.rows.insert("bulk OP_5 of " + std::to_string(page->items.size()) +
                     (page->bulk.finished_at ? " finished" : ""));
}

void read_events(Store& store, Book& book) {
  for (const auto& stored : MUST(store.list_events({.app = kApp, .limit = 1'000})).events) {
    auto& room = book.rooms[stored.event.room.value];
    room.push_back(name_of(stored.event));
    EXPECT_EQ(stored.sequence, std::ssize(room)) << "a gap, or a number used twice";
  }
  for (const auto& one : MUST(store.load_webhooks())) book.rows.insert("webhook " + one.id.value);
  for (const auto& run : MUST(store.next_deliveries(kHook, {}, {})))
    for (const auto& one : run.deliveries) book.rows.insert("waits " + name_of(one.event.event));
  for (const auto& one : MUST(store.list_dead_letters(kHook, 0, 100)))
    book.rows.insert("dead " + name_of(one.event.event));
}

Book read_all(Store& store) {
  Book book;
  read_orders(store, book);
  read_events(store, book);
  return book;
}

// --- the rig -------------------------------------------------------------------------------------

class FactsCrashTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / "atrium_facts_crash";
    fresh_ = folder_.string() + "_fresh";
    fs::remove_all(fresh_);
    fs::create_directories(fresh_);
    ASSERT_TRUE(Store::open((fresh_ / "atrium.db").string(), {}, {Mono(1s), kStart}).has_value());
    Book book;
    books_.push_back(book);
    for (const Step& step : scenario()) {
      step.note(book);
      books_.push_back(book);
    }
    for (Book& one : books_) one.restart();  // as the store is read by a process of its own
  }
  void TearDown() override {
    fs::remove_all(folder_);
    fs::remove_all(fresh_);
  }

  std::string path() const { return (folder_ / "atrium.db").string(); }
  StoreOptions options(const FaultVfs& vfs) {
    StoreOptions out;
    out.vfs = vfs.name();
    out.sealing.nonces = &nonces_;
    out.audit.checkpoint_records = 3;
    out.audit.checkpoint_every = 1s;
    out.audit.keep = 60s;
    out.audit.write_checkpoint = [this, &vfs](const AuditCheckpoint&, std::string_view line) {
      if (!vfs.has_crashed()) checkpoints_.append(line).append("\n");
      return Result<void>();
    };
    return out;
  }

  // The scenario up to its end or to the machine's.
  void live(DiskModel::Plan plan) {
    fs::remove_all(folder_);
    fs::copy(fresh_, folder_);
    checkpoints_.clear();
    acknowledged_ = begun_ = 0;
    DiskModel disk(plan);
    syncs_.clear();
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) {
      if (step.op == VfsOp::Sync) syncs_.insert(step.number);
      return disk.on_step(step);
    }));
    run(*vfs);
    steps_ = vfs->steps();
    has_crashed_ = vfs->has_crashed();
    vfs.reset();
    disk.settle();
  }
  void run(const FaultVfs& vfs) {
    Now now{Mono(1s), kStart};
    std::optional<Store> store;
    const auto open = [&] {
      store.reset();
      if (auto opened = Store::open(path(), options(vfs), now)) store.emplace(std::move(*opened));
    };
    open();
    for (const Step& step : scenario()) {
      if (!store || vfs.has_crashed()) return;
      ++begun_;
      now.mono += 400ms;
      if (step.kind == Step::Kind::Restart) open();
      if (step.kind == Step::Kind::Purge)
        static_cast<void>(store->purge(kStart + 61s));  // segments of the audit may go
      if (!store || !is_written(*store, step)) return;
      acknowledged_ = begun_;
      static_cast<void>(store->keep_audit(now));
    }
  }
  static bool is_written(Store& store, const Step& step) {
    const auto results = store.apply_batch(step.batch);
    return std::ranges::all_of(results, [](const Result<void>& one) { return one.has_value(); });
  }

  void check_kept() {
    Book kept;
    DiskModel disk({});
    auto vfs = MUST(FaultVfs::create([&](const VfsStep& step) { return disk.on_step(step); }));
    {
      auto store = Store::open(path(), options(*vfs), {Mono(1s), kStart + 1s});
      ASSERT_TRUE(store.has_value()) << store.error().what;
      kept = read_all(*store);
      read_audit(*store, kept);
    }
    check_chain();
    for (size_t n = acknowledged_; n <= begun_; ++n)
      if (is_same(kept, books_[n])) return;
    EXPECT_EQ(kept.rows, books_[acknowledged_].rows) << "and begun: " << begun_;
    EXPECT_EQ(kept.rooms, books_[acknowledged_].rooms);
    EXPECT_EQ(kept.audit, books_[acknowledged_].audit);
  }
  // Those that a purge took away are taken from the book: the chain proves that they may be gone.
  void read_audit(Store& store, Book& kept) {
    const auto records = MUST(store.list_audit({.account = "100", .limit = 1'000})).records;
    if (records.empty()) return;
    const auto& all = books_.back().audit;
    const auto first = static_cast<size_t>(records[0].sequence);
    ASSERT_LE(first, all.size());
    kept.audit.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(first) - 1);
    for (const domain::StoredAudit& one : records) {
      const bool is_end = one.entry.phase == AuditPhase::Finished;
      kept.audit.push_back(one.entry.request_id + (is_end ? " finished" : " accepted"));
      EXPECT_EQ(one.sequence, std::ssize(kept.audit));
    }
  }
  // Against what was in the file of checkpoints when the machine died.
  void check_chain() {
    const StoreOptions defaults;
    Database database = MUST(Database::open(path()));
    ASSERT_TRUE(database.run("BEGIN"));
    const auto checkpoints = read_checkpoints(defaults.audit.key, checkpoints_).found;
    const AuditReport report =
        MUST(verify_audit(database, defaults.audit.key,
                          {.checkpoints = checkpoints, .at_least = newest_sequence(checkpoints)}));
    EXPECT_FALSE(report.finding.has_value())
        << report.finding->detail << ", record " << report.finding->sequence;
  }
  static bool is_same(const Book& one, const Book& other) {
    return one.rows == other.rows && one.rooms == other.rooms && one.audit == other.audit;
  }

  fs::path folder_, fresh_;  // fresh_: a store with its schema, which each life begins from
  SeededSecretSource nonces_{3};
  std::vector<Book> books_;  // after so many steps, and a restart
  std::string checkpoints_;  // outside of the disk that dies
  size_t acknowledged_ = 0, begun_ = 0;
  uint64_t steps_ = 0;
  std::set<uint64_t> syncs_;  // the steps that are syncs
  bool has_crashed_ = false;
};

TEST_F(FactsCrashTest, after_a_crash_at_any_write_or_sync_each_batch_is_there_whole_or_not_at_all) {
  live({});
  ASSERT_EQ(acknowledged_, scenario().size()) << "the scenario itself";
  EXPECT_NE(checkpoints_.find(" head "), std::string::npos);
  EXPECT_NE(checkpoints_.find(" base "), std::string::npos) << "nothing was pruned";
  ASSERT_NO_FATAL_FAILURE(check_kept());
  const uint64_t steps = steps_;
  const std::set<uint64_t> syncs = syncs_;
  uint64_t tried = 0;
  for (uint64_t step = 1; step <= steps; ++step)
    for (const Loss loss : {Loss::Nothing, Loss::Unsynced, Loss::Torn, Loss::LastAlone}) {
      // A sync in each way, a write in one: what is between two syncs is alike.
      if (!syncs.contains(step) && step % 4 != static_cast<uint64_t>(loss)) continue;
      SCOPED_TRACE("loss " + std::to_string(static_cast<int>(loss)) + ", step " +
                   std::to_string(step));
      ++tried;
      live({.crash_at = step, .loss = loss});
      EXPECT_TRUE(has_crashed_);
      ASSERT_NO_FATAL_FAILURE(check_kept());
      if (HasFailure()) return;
    }
  std::printf("crash points tried: %llu (%llu steps)\n", static_cast<unsigned long long>(tried),
              static_cast<unsigned long long>(steps));
}

}  // namespace
}  // namespace atrium::store
