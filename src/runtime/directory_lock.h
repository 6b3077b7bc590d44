// DirectoryLock: keeps a data directory for one process: a second daemon on it would make the first one's store and
// tombstones lie.  Held until destroyed; the kernel lets go of it when the process ends, however it ends.
// Owner: the app.  Any thread.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace atrium::runtime {

class DirectoryLock {
 public:
  // `directory` exists.  Locks the file `lock` in it, which is made when it is missing and never removed.
  // Errors: Conflict while another holds it, Unavailable when the file cannot be made.
  static Result<DirectoryLock> take(const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace atrium::runtime
