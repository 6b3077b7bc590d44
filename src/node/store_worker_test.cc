#include "node/store_worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "adapters/store/vfs_fault.h"
#include "base/limits.h"
#include "node/tight_ring_testing.h"

namespace atrium::node::testing {
namespace {

namespace fs = std::filesystem;
using store::VfsOp;
using store::VfsStep;
using store::VfsVerdict;

constexpr Duration kLook = std::chrono::milliseconds(limits::kDiskCheckMs);

// A disk of which the test says how much is free; what the reserve holds is not.
class FakeDisk final : public DiskPort {
 public:
  std::optional<uint64_t> free_bytes() override { return free; }
  uint64_t reserve_bytes() override { return reserve; }
  bool allocate_reserve(uint64_t bytes) override {
    free -= bytes - reserve;
    reserve = bytes;
    return true;
  }
  void release_reserve() override { free += std::exchange(reserve, 0); }

  uint64_t free = 1'000, reserve = 0;
};

class StoreWorkerTest : public ::testing::Test {
 protected:
  static constexpr DiskGuardOptions kGuard{
      .reserve = 10, .history_free_min = 200, .join_free_min = 100};

  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() / ("atrium_worker_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    vfs_ = MUST(store::FaultVfs::create([this](const VfsStep& step) { return answer(step); }));
    store::StoreOptions options;
    options.vfs = vfs_->name();
    worker = std::make_unique<StoreWorker>(
        MUST(store::Store::open((folder_ / "atrium.db").string(), std::move(options), now)),
        requests, replies, &disk, kGuard);
    worker->on_wake(now);
  }
  void TearDown() override {
    worker.reset();
    fs::remove_all(folder_);
  }

  VfsVerdict answer(const VfsStep& step) {
    if (step.op == VfsOp::Sync && std::exchange(fails_next_sync, false)) return VfsVerdict::Fail;
    if (step.op == VfsOp::Write && disk.free == 0) return VfsVerdict::Full;
    return step.op == VfsOp::Sync ? VfsVerdict::Pretend : VfsVerdict::Go;
  }

  void advance(Duration by) {
    now.mono += by;
    now.wall += by;
    if (worker->next_deadline() <= now.mono) worker->on_deadline(now);
  }
  // The last of what the worker said of the disk.
  StoreHealth health() {
    StoreHealth last;
    for (const StoreReply& reply : replies.values)
      if (const auto* told = std::get_if<StoreHealth>(&reply)) last = *told;
    return last;
  }
  void ask_ban(const std::string& id) {
    domain::BanRule rule;
    rule.id = BanId(id);
    rule.app = AppId("app");
    rule.target.room = RoomId("room-" + id);
    rule.created_at = now.wall;
    rule.expires_at = now.wall + 3600s;
    requests.values.push_back(
        store::WriteRequest(store::PutBans{.operation = OperationId("OP_" + id), .put = {rule}}));
  }
  bool ban(const std::string& id) {
    ask_ban(id);
    worker->on_wake(now);
    return is_written("OP_" + id);
  }
  bool is_written(const std::string& operation) {
    for (const StoreReply& reply : replies.values)
      if (const auto* written = std::get_if<RecordWritten>(&reply))
        if (written->operation.value == operation) return written->ok;
    ADD_FAILURE() << "no answer for " << operation;
    return false;
  }
  size_t bans() {
    requests.values.push_back(FindBans{WaiterId{1}, AppId("app"), BanId(), 100});
    worker->on_wake(now);
    const auto* found = std::get_if<BansFound>(&replies.values.back());
    return found != nullptr && found->ok ? found->rules.size() : 0;
  }

  Now now{.mono = Mono(1s), .wall = wall_from_unix_ms(1'800'000'000'123)};
  FakeDisk disk;
  bool fails_next_sync = false;
  TightRing<StoreRequest> requests;
  TightRing<StoreReply> replies;
  std::unique_ptr<StoreWorker> worker;

 private:
  fs::path folder_;
  std::unique_ptr<store::FaultVfs> vfs_;
};

TEST_F(StoreWorkerTest, the_reserve_is_allocated_at_the_start) {
  EXPECT_EQ(disk.reserve, 10u);
  EXPECT_EQ(health().disk, DiskState::Well);
  EXPECT_EQ(health().reserve_bytes, 10u);
  EXPECT_EQ(health().free_bytes, 990u);
}

TEST_F(StoreWorkerTest, the_disk_is_looked_at_again_and_again) {
  disk.free = 150;
  EXPECT_EQ(worker->next_deadline(), now.mono + kLook);
  advance(kLook);
  EXPECT_EQ(health().disk, DiskState::HistoryStopped);
  disk.free = 99;
  advance(kLook);
  EXPECT_EQ(health().disk, DiskState::JoinsRefused);
  disk.free = 990;
  advance(kLook);
  EXPECT_EQ(health().disk, DiskState::Well);
}

TEST_F(StoreWorkerTest, a_ban_on_a_full_disk_takes_the_reserve) {
  disk.free = 0;
  EXPECT_TRUE(ban("BN_1"));
  EXPECT_EQ(disk.reserve, 0u);
  EXPECT_EQ(health().disk, DiskState::ReserveGone) << "told in the same turn";
  EXPECT_EQ(health().reserve_releases, 1u);
  EXPECT_EQ(health().full_writes, 1u);
  EXPECT_EQ(bans(), 1u);
}

TEST_F(StoreWorkerTest, a_batch_on_a_full_disk_is_repeated_whole_and_in_order) {
  disk.free = 0;
  ask_ban("BN_1");
  requests.values.push_back(store::WriteRequest(
      store::PutBans{.operation = OperationId("OP_lift"), .put = {}, .drop = {BanId("BN_1")}}));
  ask_ban("BN_2");
  worker->on_wake(now);
  EXPECT_TRUE(is_written("OP_BN_1") && is_written("OP_lift") && is_written("OP_BN_2"));
  EXPECT_EQ(bans(), 1u) << "the lifted one is not back";
}

TEST_F(StoreWorkerTest, without_a_reserve_a_full_disk_fails_writes_until_there_is_room) {
  disk.free = 0;
  ASSERT_TRUE(ban("BN_1"));
  disk.free = 0;
  EXPECT_FALSE(ban("BN_2"));
  EXPECT_EQ(health().disk, DiskState::ReserveGone);
  EXPECT_EQ(bans(), 1u) << "it is read as before";
  disk.free = 109;
  advance(kLook);
  EXPECT_EQ(health().disk, DiskState::ReserveGone);
  disk.free = 1'000;
  advance(kLook);
  EXPECT_EQ(health().disk, DiskState::Well);
  EXPECT_EQ(disk.reserve, 10u);
  EXPECT_TRUE(ban("BN_3"));
}

TEST_F(StoreWorkerTest, a_failed_sync_makes_it_read_only_for_a_second) {
  ASSERT_TRUE(ban("BN_1"));
  fails_next_sync = true;
  EXPECT_FALSE(ban("BN_2"));
  EXPECT_TRUE(health().is_read_only);
  EXPECT_EQ(health().failed_syncs, 1u);
  EXPECT_FALSE(ban("BN_3")) << "refused although this sync would succeed";
  EXPECT_EQ(bans(), 1u);
  advance(std::chrono::milliseconds(limits::kStoreReopenMs));
  EXPECT_FALSE(health().is_read_only);
  EXPECT_EQ(health().reopenings, 1u);
  EXPECT_TRUE(ban("BN_4"));
  EXPECT_EQ(bans(), 2u) << "those that were refused are not there";
}

TEST_F(StoreWorkerTest, opening_anew_is_tried_at_most_once_a_second_until_it_succeeds) {
  ASSERT_TRUE(ban("BN_0"));  // so that there is a log to be mended
  fails_next_sync = true;
  EXPECT_FALSE(ban("BN_1"));
  for (int i = 0; i < 3; ++i) {
    fails_next_sync = true;
    advance(std::chrono::milliseconds(limits::kStoreReopenMs));
    EXPECT_FALSE(fails_next_sync) << "it was tried";
    EXPECT_TRUE(health().is_read_only);
    fails_next_sync = true;
    EXPECT_FALSE(ban("BN_1"));
    EXPECT_TRUE(std::exchange(fails_next_sync, false)) << "and not before its time";
  }
  advance(std::chrono::milliseconds(limits::kStoreReopenMs));
  EXPECT_FALSE(health().is_read_only);
  EXPECT_TRUE(ban("BN_5"));
}

}  // namespace
}  // namespace atrium::node::testing
