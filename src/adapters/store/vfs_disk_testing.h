// DiskModel: what a disk keeps when the power goes, for FaultVfs's hook.  Bytes written to a file are durable after the
// next sync of that file that succeeded; a sync that fails loses them for good although the file still shows them, as
// kernels do it.  Deletions count as durable at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "adapters/store/vfs_fault.h"

namespace atrium::store {

class DiskModel {
 public:
  // What becomes of the bytes that were not synced when the crash comes.
  enum class Loss : uint8_t {
    Nothing,   // the process died, the kernel lives on
    Unsynced,  // all are lost
    Torn,      // half of the last write of each file is lost, the write under way included
    LastAlone  // only the last write of each file came through, whole: the disk reorders
  };
  struct Plan {
    uint64_t crash_at = 0;   // step's number; 0: never
    uint64_t fail_sync = 0;  // n-th sync; 0: none
    Loss loss = Loss::Unsynced;
  };

  explicit DiskModel(Plan plan) : plan_(plan) {}

  VfsVerdict on_step(const VfsStep& step) {
    if (step.op == VfsOp::Delete) {
      if (step.number == plan_.crash_at) return VfsVerdict::Crash;
      files_.erase(std::string(step.path));
      return VfsVerdict::Pretend;
    }
    File& file = file_at(std::string(step.path));
    const bool is_crash = step.number == plan_.crash_at;
    if (step.op == VfsOp::Sync) {
      if (is_crash) return VfsVerdict::Crash;
      if (++syncs_ == plan_.fail_sync) {
        lose_unsynced(step.path);
        return VfsVerdict::Fail;
      }
      for (const Change& change : file.pending) apply(change, change.bytes.size(), file.durable);
      file.pending.clear();
      return VfsVerdict::Pretend;
    }
    file.pending.push_back(
        {step.op, step.offset, std::string(step.bytes.begin(), step.bytes.end())});
    return is_crash ? VfsVerdict::Crash : VfsVerdict::Go;
  }

  // A sync of this file failed, whoever decided so.
  void lose_unsynced(std::string_view path) { file_at(std::string(path)).pending.clear(); }

  // Once the crashed store is closed: the files become what the disk kept.
  void settle() {
    for (auto& [path, file] : files_) {
      std::filesystem::remove(path + "-shm");
      if (plan_.loss == Loss::Nothing) continue;
      std::string kept = std::move(file.durable);
      const size_t count = file.pending.size();
      for (size_t i = 0; i < count && plan_.loss != Loss::Unsynced; ++i) {
        const Change& change = file.pending[i];
        const bool is_last = i + 1 == count;
        if (plan_.loss == Loss::LastAlone && !is_last) continue;
        const bool is_torn = plan_.loss == Loss::Torn && is_last;
        apply(change, is_torn ? change.bytes.size() / 2 : change.bytes.size(), kept);
      }
      std::filesystem::remove(path);  // some file systems flush what is truncated and written again
      std::ofstream(path, std::ios::binary) << kept;
    }
    files_.clear();
  }

  uint64_t syncs() const { return syncs_; }

 private:
  struct Change {
    VfsOp op;
    int64_t offset;
    std::string bytes;
  };
  struct File {
    std::string durable;
    std::vector<Change> pending;
  };

  static void apply(const Change& change, size_t bytes, std::string& to) {
    const auto at = static_cast<size_t>(change.offset);
    if (change.op == VfsOp::Truncate) return to.resize(std::min(at, to.size()));
    if (to.size() < at + bytes) to.resize(at + bytes);
    to.replace(at, bytes, change.bytes, 0, bytes);
  }
  File& file_at(const std::string& path) {
    const auto [found, is_new] = files_.try_emplace(path);
    if (is_new) {
      std::ifstream in(path, std::ios::binary | std::ios::ate);
      if (in) found->second.durable.resize(static_cast<size_t>(in.tellg()));
      in.seekg(0);
      in.read(found->second.durable.data(),
              static_cast<std::streamsize>(found->second.durable.size()));
    }
    return found->second;
  }

  // given
  const Plan plan_;
  // owned
  std::map<std::string, File> files_;
  uint64_t syncs_ = 0;
};

}  // namespace atrium::store
