#include "sim/disk.h"

#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace atrium::sim {
namespace {

using store::VfsOp;
using store::VfsStep;
using store::VfsVerdict;

constexpr uint64_t kFreeOfSound = uint64_t{1} << 30;
constexpr uint64_t kRoomOfFullMax = 1024 * 1024;

std::string make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "atrium_sim_XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace

SimDisk::SimDisk(uint64_t seed) : chance_(seed), folder_(make_folder()) {}

SimDisk::~SimDisk() {
  vfs_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void SimDisk::boot(Loss loss) {
  is_dead_ = false;
  crash_in_ = 0;
  vfs_.reset();
  model_.emplace(store::DiskModel::Plan{.loss = loss});
  vfs_ = MUST(store::FaultVfs::create([this](const VfsStep& step) { return on_step(step); }));
}

void SimDisk::settle() {
  model_->settle();
}

void SimDisk::set_trouble(Trouble trouble) {
  trouble_ = trouble;
  room_ = trouble == Trouble::Full ? chance_.next() % kRoomOfFullMax : 0;
}

VfsVerdict SimDisk::refuse(VfsVerdict how) {
  ++failures_;
  return how;
}

VfsVerdict SimDisk::on_step(const VfsStep& step) {
  if (is_dead_) return VfsVerdict::Crash;
  if (crash_in_ != 0 && --crash_in_ == 0) return VfsVerdict::Crash;
  if (step.op == VfsOp::Sync && lies_) return VfsVerdict::Pretend;
  if (step.op == VfsOp::Sync && trouble_ == Trouble::FailingSyncs && chance_.next() % 2 == 0) {
    model_->lose_unsynced(step.path);
    return refuse(VfsVerdict::Fail);
  }
  if (step.op == VfsOp::Write && trouble_ == Trouble::Full) {
    if (step.bytes.size() > room_) return refuse(VfsVerdict::Full);
    room_ -= step.bytes.size();
  }
  return model_->on_step(step);
}

std::optional<uint64_t> SimDisk::free_bytes() {
  return trouble_ == Trouble::Full ? room_ : kFreeOfSound;
}

bool SimDisk::allocate_reserve(uint64_t bytes) {
  if (trouble_ == Trouble::Full) {
    if (bytes > room_) return false;
    room_ -= bytes;
  }
  reserve_ = bytes;
  return true;
}

void SimDisk::release_reserve() {
  if (trouble_ == Trouble::Full) room_ += reserve_;
  reserve_ = 0;
}

}  // namespace atrium::sim
