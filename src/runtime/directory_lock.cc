#include "runtime/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace atrium::runtime {

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  DirectoryLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.descriptor_ < 0) return fail(ErrorKind::Unavailable, "its lock file cannot be opened");
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK
               ? fail(ErrorKind::Conflict, "another daemon is using it; stop that one first")
               : fail(ErrorKind::Unavailable, "its file system cannot lock files");
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace atrium::runtime
