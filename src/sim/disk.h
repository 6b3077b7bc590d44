// SimDisk: the disk under the store of the simulated node.  The store is the real one; its files lie in a folder of the
// run's own, and what the machine would have kept of them at a crash is told by store/vfs_disk_testing.h.
// Owner: World.  Outlives the store that was opened through it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "adapters/store/vfs_disk_testing.h"
#include "base/seeded_secret_source.h"
#include "node/ports.h"

namespace atrium::sim {

class SimDisk final : public node::DiskPort {
 public:
  using Loss = store::DiskModel::Loss;
  enum class Trouble : uint8_t {
    None,
    FailingSyncs,  // every second one
    Full           // a little is left, and what the reserve gives up
  };
  explicit SimDisk(uint64_t seed);
  ~SimDisk() override;
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // A machine starts, or starts again after settle().  `loss`: what its crash will cost.
  void boot(Loss loss);
  const std::string& vfs() const { return vfs_->name(); }  // for StoreOptions::vfs
  std::string path() const { return folder_ + "/atrium.db"; }
  // Nothing reaches a file any more; then, when the store is closed, what remains of the files.
  void die() { is_dead_ = true; }
  void settle();

  void set_trouble(Trouble trouble);
  Trouble trouble() const { return trouble_; }
  // The machine dies in the middle of the store's work, that many writes and syncs from now.
  void crash_in(uint64_t steps) { crash_in_ = steps; }
  bool has_crashed() const { return vfs_->has_crashed(); }
  // A planted fault: syncs are reported as done and do nothing.
  void lie_about_syncs() { lies_ = true; }

  uint64_t failures() const { return failures_; }  // steps that were refused

  // node::DiskPort
  std::optional<uint64_t> free_bytes() override;
  uint64_t reserve_bytes() override { return reserve_; }
  bool allocate_reserve(uint64_t bytes) override;
  void release_reserve() override;

 private:
  store::VfsVerdict on_step(const store::VfsStep& step);
  store::VfsVerdict refuse(store::VfsVerdict how);

  // owned
  SeededSecretSource chance_;
  std::string folder_;
  std::optional<store::DiskModel> model_;
  std::unique_ptr<store::FaultVfs> vfs_;
  Trouble trouble_ = Trouble::None;
  uint64_t room_ = 0, reserve_ = 0;  // bytes; room: while it is full
  uint64_t crash_in_ = 0;            // 0: never
  uint64_t failures_ = 0;
  bool is_dead_ = false, lies_ = false;
};

}  // namespace atrium::sim
