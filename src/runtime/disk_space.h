// DiskSpace: how full the file system of the data directory is, and the file `reserve` in it.  Store thread.
#pragma once

#include <string>

#include "node/ports.h"

namespace atrium::runtime {

class DiskSpace final : public node::DiskPort {
 public:
  explicit DiskSpace(std::string directory) : directory_(std::move(directory)) {}

  std::optional<uint64_t> free_bytes() override;
  uint64_t reserve_bytes() override;
  bool allocate_reserve(uint64_t bytes) override;
  void release_reserve() override;

 private:
  std::string reserve_path() const { return directory_ + "/reserve"; }

  const std::string directory_;
};

}  // namespace atrium::runtime
